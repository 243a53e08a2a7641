"""A result is found, or there is none; it is never guessed."""

from __future__ import annotations

import functools
import json
import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks.adapters import large_result, result
from benchmarks.adapters.manifest import parse_manifest
from benchmarks.adapters.result import list_artifacts, read_result, read_spec


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


def test_two_files_of_one_pattern_are_no_guess(read):
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
def test_what_is_no_json_object_is_a_bad_result(read, text):
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
    monkeypatch.setattr(result, "LARGEST_BYTES", 5)
    assert read().reason == "bad_result"


def test_a_large_file_is_read_by_another_process_to_the_same_effect(read):
    path = write(read.output / "result.json", {"score": 0.5, "n": 3, "u": {"in": 7}, "pad": "x" * result.LARGE_BYTES})
    reading = read(samples="n", usage={"input_tokens": "u.in"}, metrics={"all": "u"})
    assert reading == read_spec(read.spec, path)
    assert (reading.path, reading.score, reading.metrics, reading.reason) == (path, 0.5, {"all": {"in": 7}}, None)
    path.write_text(path.read_text()[:-1])
    assert "truncated" in (read().error or "") and read().reason == "bad_result"


def test_a_result_that_takes_more_memory_than_its_reader_may_have_is_a_bad_result(read, monkeypatch):
    monkeypatch.setenv(large_result.MEMORY_VARIABLE, str(400 * 2**20))
    (read.output / "result.json").write_bytes(b"[" + b"{}," * 9_000_000 + b"{}]")
    assert "memory to read" in (read().error or "") and read().reason == "bad_result"


def test_metrics_are_of_a_size_and_depth_that_an_event_can_hold_and_usage_is_numbers(read):
    deep = functools.reduce(lambda inner, _: [inner], range(40), 1)
    write(read.output / "result.json", {"score": 1, "long": "x" * 10**5, "deep": deep, "in": "ten", "out": 10**99})
    reading = read(metrics={"long": "long", "deep": "deep"}, usage={"input_tokens": "in", "output_tokens": "out"})
    assert reading.metrics == {"long": "[left out: 100002 bytes]", "deep": "[left out: more than 32 levels deep]"}
    assert (reading.usage, reading.reason) == ({"output_tokens": 10**99}, None)


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


def test_artifacts_are_all_regular_files_of_the_output_with_size_and_digest(tmp_path):
    write(tmp_path / "output" / "b" / "two.txt", "two")
    write(tmp_path / "output" / "one.txt", "one")
    write(tmp_path / "stdout.log", "not this")
    (tmp_path / "output" / "link").symlink_to(tmp_path / "stdout.log")
    (tmp_path / "output" / "folder").symlink_to(tmp_path)
    Path(os.fsdecode(os.fsencode(tmp_path / "output") + b"/\xff")).write_text("no name that an event can hold")
    assert [(a.path, a.bytes, a.sha256) for a in list_artifacts(tmp_path)] == [
        ("output/b/two.txt", 3, sha256(b"two").hexdigest()),
        ("output/one.txt", 3, sha256(b"one").hexdigest()),
    ]


def test_a_score_and_the_chance_of_it_are_parts_of_something(read):
    write(read.output / "result.json", {"score": 45, "of": 60, "guess": 15})
    reading = read(out_of="of", chance="guess")
    assert (reading.score, reading.metrics) == (0.75, {"chance": 0.25})
    assert read(out_of="`100`").score == 0.45
    write(read.output / "result.json", {"score": 45, "of": 0})
    reading = read(out_of="of")
    assert (reading.score, reading.reason) == (None, "no_score")
    assert "'of' is 0, by which no score can be divided" in reading.error
