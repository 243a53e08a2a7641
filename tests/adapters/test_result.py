"""A result is found, or there is none; it is never guessed."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import time
import tracemalloc
from pathlib import Path

import msgspec
import pytest

from benchmarks.adapters.manifest import parse_manifest
from benchmarks.adapters.regular_file import read_regular
from benchmarks.adapters.result import LARGE_BYTES, MAX_BYTES, child, read_result, read_spec
from benchmarks.ledger.run_files import NotReadable, read_inside


@pytest.fixture
def read(tmp_path):
    output, cwd = tmp_path / "output", tmp_path / "cwd"
    output.mkdir()
    cwd.mkdir()

    def read(*, started_at=0.0, **spec):
        tables = {
            "id": "b",
            "name": "B",
            "run": {"argv": ["x"]},
            "result": {"files": ["result.json"], "score": "score", "unit": "ratio", **spec},
        }
        manifest = parse_manifest(tables, Path("x"), "b")
        read.spec = manifest.result
        return read_result(manifest, output_dir=output, cwd=cwd, started_at=started_at)

    read.output, read.cwd = output, cwd
    return read


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_notes_of_a_result_are_a_few_short_lines(read):
    for value, notes in (
        ("one\n note", ["one note"]),
        (["a", 1, None, "", "b"], ["a", "b"]),
        (["x" * 1000] * 100, ["x" * 300] * 20),
        ({"not": "a list"}, []),
        (None, []),
    ):
        write(read.output / "result.json", {"score": 1, "notes": value})
        assert read(notes="notes").notes == notes


def test_everything_that_is_asked_for_is_read(read):
    path = write(
        read.output / "result.json",
        {"m": {"acc": 0.5, "se": 0.1}, "n": 10, "u": {"in": 5}, "mock": True, "text": "x"},
    )
    reading = read(
        score="m.acc",
        stderr="m.se",
        samples="n",
        metrics={"acc": "m.acc", "none": "nothing", "text": "text"},
        usage={"input_tokens": "u.in"},
        synthetic="mock",
    )
    assert (reading.path, reading.score, reading.stderr, reading.samples) == (path, 0.5, 0.1, 10)
    assert reading.metrics == {"acc": 0.5, "text": "x"}
    assert (reading.usage, reading.synthetic, reading.reason) == ({"input_tokens": 5}, True, None)


def test_the_first_pattern_that_matches_decides(read):
    write(read.output / "deep" / "summary-1.json", {"score": 0.1})
    assert read(files=["result.json", "**/summary*.json"]).score == 0.1
    write(read.output / "result.json", {"score": 0.2})
    assert read(files=["result.json", "**/summary*.json"]).score == 0.2


def test_two_files_of_one_pattern_are_not_guess(read):
    write(read.output / "r-1.json", {"score": 0.1})
    write(read.output / "r-2.json", {"score": 0.2})
    reading = read(files=["r-*.json"])
    assert (reading.reason, reading.score) == ("bad_result", None)
    assert "r-1.json, r-2.json" in reading.error


@pytest.mark.parametrize("score", ["0.5", True, None, [0.5], "1,000", 1e400, 10**400])
def test_only_a_finite_number_is_a_score(read, score):
    write(read.output / "result.json", json.dumps({"score": score}).replace("Infinity", "1e400"))
    assert read().reason in ("no_score", "bad_result")
    assert read().score is None


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"score": NaN', "5", '"text"', "\x00", "[" * 10**5])
def test_what_is_not_a_json_object_is_a_bad_result(read, text):
    write(read.output / "result.json", text)
    assert read().reason == "bad_result"


def test_numbers_that_no_json_has_are_null(read):
    write(read.output / "result.json", '{"score": NaN, "other": Infinity}')
    assert read().reason == "no_score"
    write(read.output / "result.json", '{"score": 0.5, "recall": NaN, "cost": -Infinity}')
    reading = read(metrics={"recall": "recall", "cost": "cost"})
    assert (reading.score, reading.metrics) == (0.5, {})


def test_a_file_that_is_too_large_is_not_read(read, monkeypatch):
    write(read.output / "result.json", {"score": 0.5})
    monkeypatch.setattr("benchmarks.adapters.result.reading.MAX_BYTES", 5)
    assert read().reason == "bad_result"


def test_a_file_that_is_far_too_large_takes_no_memory(read):
    path = write(read.output / "result.json", {"score": 0.5})
    os.truncate(path, 4 * MAX_BYTES)
    tracemalloc.start()
    try:
        reading = read()
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES / 10
        with pytest.raises(OSError, match="more than"):
            read_regular(path, most=MAX_BYTES)
        with pytest.raises(NotReadable, match="at most"):
            read_inside(read.output, "result.json", most=MAX_BYTES)
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES / 10
    finally:
        tracemalloc.stop()
    assert reading.reason == "bad_result" and f"{4 * MAX_BYTES} bytes" in (reading.error or "")


def test_a_large_file_is_read_by_another_process_to_the_same_effect(read):
    path = write(read.output / "result.json", {"score": 0.5, "n": 3, "u": {"in": 7}, "pad": "x" * LARGE_BYTES})
    reading = read(samples="n", usage={"input_tokens": "u.in"}, metrics={"all": "u"})
    with path.open("rb") as file:
        assert reading == read_spec(read.spec, path, file)
    assert (reading.path, reading.score, reading.metrics, reading.reason) == (path, 0.5, {"all": {"in": 7}}, None)
    path.write_text(path.read_text()[:-1])
    assert "truncated" in (read().error or "") and read().reason == "bad_result"


def test_a_result_that_takes_more_memory_than_its_reader_may_have_is_a_bad_result(read, monkeypatch):
    monkeypatch.setenv(child.MEMORY_VARIABLE, str(400 * 2**20))
    (read.output / "result.json").write_bytes(b"[" + b"{}," * 9_000_000 + b"{}]")
    assert "memory to read" in (read().error or "") and read().reason == "bad_result"


def test_metrics_are_of_a_size_and_depth_that_an_event_can_hold_and_usage_is_numbers(read):
    deep = functools.reduce(lambda inner, _: [inner], range(40), 1)
    write(read.output / "result.json", {"score": 1, "long": "x" * 10**5, "deep": deep, "in": "ten", "out": 10**99})
    reading = read(metrics={"long": "long", "deep": "deep"}, usage={"input_tokens": "in", "output_tokens": "out"})
    assert reading.metrics == {"long": "[left out: 100002 bytes]", "deep": "[left out: more than 32 levels deep]"}
    assert (reading.usage, reading.reason) == ({}, None), "10**99 tokens would use up every limit at once"
    assert len(reading.notes) == 2 and "output_tokens is left out" in reading.notes[1]


def test_a_result_that_says_it_is_not_valid_keeps_its_score_for_diagnosis(read):
    write(read.output / "result.json", {"score": 0.0, "total": 0, "error": "all tasks crashed"})
    reading = read(valid="total > `0`")
    assert (reading.reason, reading.score) == ("invalid_result", 0.0)


def test_an_expression_that_does_not_fit_the_result_finds_nothing(read):
    write(read.output / "result.json", {"score": "x"})
    assert read(score="length(`5`)").reason == "no_score"


def test_a_link_that_leaves_the_output_folder_is_not_followed(read, tmp_path):
    (read.output / "result.json").symlink_to(write(tmp_path / "elsewhere.json", {"score": 1.0}))
    assert read().reason == "no_result"


def test_the_working_directory_counts_only_for_new_files_and_after_the_output_folder(read):
    old = write(read.cwd / "result.json", {"score": 0.1})
    os.utime(old, (1, 1))
    now = time.time() - 1
    assert read(started_at=now).reason == "no_result"
    assert read(started_at=now, files_in_cwd=True).reason == "no_result"
    write(read.cwd / "result.json", {"score": 0.2})
    assert read(started_at=now, files_in_cwd=True).score == 0.2
    write(read.output / "result.json", {"score": 0.3})
    assert read(started_at=now, files_in_cwd=True).score == 0.3


def test_a_score_and_the_chance_of_it_are_parts_of_something(read):
    write(read.output / "result.json", {"score": 45, "of": 60, "guess": 15})
    reading = read(out_of="of", chance="guess")
    assert (reading.score, reading.metrics) == (0.75, {"chance": 0.25})
    assert read(out_of="`100`").score == 0.45
    write(read.output / "result.json", {"score": 45, "of": 0})
    reading = read(out_of="of")
    assert (reading.score, reading.reason) == (None, "no_score")
    assert "'of' is 0, by which no score can be divided" in reading.error


ODD = {
    "half of a surrogate pair": ('{"score": 0.5, "m": "Great \\ud83d"}', 0.5, {"m": "Great \ufffd"}),
    "the other half, as a key": ('{"score": 0.5, "m": {"\\udc00": 1}}', 0.5, {"m": {"\ufffd": 1}}),
    "a whole pair": ('{"score": 0.5, "m": "\\ud83d\\ude00"}', 0.5, {"m": "\U0001f600"}),
    "infinity": ('{"score": 0.5, "m": 1e400}', 0.5, {}),
    "infinity in a table": ('{"score": 0.5, "m": [1e400, -Infinity, NaN, 1]}', 0.5, {"m": [None, None, None, 1]}),
    "400 digits": ('{"score": 0.5, "m": %s}' % ("9" * 400), 0.5, {"m": "[left out: a whole number of 1329 bits]"}),
    "65 bits": ('{"score": 0.5, "m": 18446744073709551616}', 0.5, {"m": 18446744073709551616.0}),
    "5000 digits": ('{"score": 0.5, "m": %s}' % ("9" * 5000), None, {}),
    "NUL": ('{"score": 0.5, "m": "a\\u0000b"}', 0.5, {"m": "a\0b"}),
    "a very large score": ('{"score": 1e308, "m": 1}', 1e308, {"m": 1}),
}


@pytest.mark.parametrize("name", ODD)
def test_values_that_no_event_can_hold_are_replaced(read, name):
    text, score, metrics = ODD[name]
    write(read.output / "result.json", text)
    reading = read(metrics={"m": "m"})
    assert (reading.score, reading.metrics) == (score, metrics)
    assert msgspec.json.decode(msgspec.json.encode(reading.metrics)) == metrics
    assert reading.reason == (None if score is not None else "bad_result")


DEEP = "[" * 400 + "1" + "]" * 400


@pytest.mark.parametrize(
    ("expression", "document"),
    [
        ("ceil(x)", '{"x": 1e400}'),
        ("floor(x)", '{"x": -1e400}'),
        ("avg(x)", '{"x": [%s, 1.5]}' % ("9" * 400)),
        ("sum(x)", '{"x": [%s, 1.5]}' % ("9" * 400)),
        ("avg(x)", '{"x": []}'),
        ("avg(x)", '{"x": ["1", 2]}'),
        ("max_by(x, &a).a", '{"x": [{"a": 1}, {"a": "b"}]}'),
        ("sort(x)[0]", '{"x": [1, "a"]}'),
        ("to_number(x)", '{"x": "%s"}' % ("9" * 5000)),
        ("to_number(x)", '{"x": "nan"}'),
        ("join(',', x)", '{"x": [1]}'),
        ("x > `0`", '{"x": "1"}'),
        ("x[?a > `0`] | length(@)", '{"x": [{"a": "1"}, {"a": null}]}'),
        ("&x", '{"x": 1}'),
        ("keys(x)", '{"x": [1]}'),
        ("to_string(x)", '{"x": "\\ud83d"}'),
        ("x == y", f'{{"x": {DEEP}, "y": {DEEP}}}'),
        ("to_string(x)", f'{{"x": {DEEP}}}'),
    ],
)
def test_an_expression_that_fails_on_a_result_finds_nothing_and_raises_nothing(read, expression, document):
    write(read.output / "result.json", document)
    for spec in (
        {"score": expression},
        {"score": "`1`", "metrics": {"m": expression}, "valid": expression, "samples": expression},
        {"score": "`1`", "stderr": expression, "usage": {"u": expression}, "synthetic": expression},
        {"score": "`1`", "out_of": expression, "chance": expression},
    ):
        msgspec.json.decode(msgspec.json.encode(read(**spec).metrics))


def test_a_negative_standard_error_and_negative_amounts_are_left_out_and_named(read):
    usage = {"input_tokens": -5, "output_tokens": 7, "cost_usd": -0.5, "calls": True}
    write(read.output / "result.json", {"score": 0.5, "se": -1, "usage": usage})
    reading = read(stderr="se", usage={name: f"usage.{name}" for name in usage})
    assert (reading.score, reading.stderr, reading.usage) == (0.5, None, {"output_tokens": 7})
    assert [note.partition(" is left out")[0] for note in reading.notes] == [
        "the standard error -1",
        "usage: input_tokens",
        "usage: cost_usd",
        "usage: calls",
    ]


@pytest.mark.parametrize(
    ("score", "unit", "is_told"), [(85, "ratio", True), (-0.1, "ratio", True), (85, "percent", False)]
)
def test_a_score_that_is_not_a_ratio_is_named(read, score, unit, is_told):
    write(read.output / "result.json", {"score": score})
    reading = read(unit=unit)
    assert (reading.score, reading.reason) == (score, None)
    assert ["its unit may be percent" in note for note in reading.notes] == [True] * is_told


def test_a_result_whose_name_is_not_utf_8_is_a_bad_result(read):
    Path(os.fsdecode(os.fsencode(read.output) + b"/r-\xff.json")).write_text('{"score": 1}')
    reading = read(files=["r-*.json"])
    assert (reading.reason, reading.path) == ("bad_result", None)
    assert "r-\\xff.json: its name is not UTF-8" in reading.error


def test_special_files_are_not_opened_and_are_named(read, tmp_path):
    os.mkfifo(read.output / "result.json")
    assert "result.json is a named pipe" in read().error and read().reason == "no_result"
    (read.output / "result.json").unlink()
    (read.output / "result.json").symlink_to("/dev/zero")
    assert "link that leads out" in read().error
    (read.output / "result.json").unlink()
    (read.output / "result.json").mkdir()
    assert read().reason == "no_result"
    (read.output / "result.json").rmdir()
    (read.output / "result.json").symlink_to("result.json")
    assert read().reason == "no_result"
    read.output.joinpath("result.json").unlink()
    read.output.rmdir()
    os.mkfifo(read.output)
    assert read().reason == "no_result"


def test_a_sparse_file_is_too_large_for_a_result(read):
    with (read.output / "result.json").open("wb") as file:
        file.truncate(2**40)
    assert read().reason == "bad_result"
    assert f"{2**40} bytes are too many" in (read().error or "")


def test_one_file_with_two_names_is_one_result(read):
    write(read.output / "run-3" / "result.json", {"score": 0.5})
    (read.output / "latest").symlink_to("run-3")
    assert read(files=["*/result.json"]).path == read.output / "run-3" / "result.json"
    assert read(files=["latest/result.json"]).score == 0.5


def test_a_link_to_a_folder_outside_is_not_searched(read, tmp_path):
    write(tmp_path / "elsewhere" / "result.json", {"score": 0.5})
    (read.output / "latest").symlink_to(tmp_path / "elsewhere")
    for pattern in ("latest/result.json", "*/result.json", "**/result.json"):
        assert read(files=[pattern]).reason == "no_result"


def test_a_very_deep_folder_is_searched(read):
    folder, depth = os.open(read.output, os.O_RDONLY), 1500
    for _ in range(depth):
        os.mkdir("d", dir_fd=folder)
        inside = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inside
    os.close(folder)
    assert read(files=["**/result.json"]).reason == "no_result"
    write(read.output / "d" / "d" / "result.json", {"score": 0.5})
    assert read(files=["**/result.json"]).score == 0.5
    subprocess.run(["rm", "-rf", read.output / "d"], check=True)
