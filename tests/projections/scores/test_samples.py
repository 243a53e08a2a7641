"""The samples of a run: only those that the ledger recorded, and only where they make up its score."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from benchmarks.ledger.events import Artifact
from benchmarks.projections.scores.samples import look_through, read_rows, read_samples
from benchmarks.projections.workspace import Workspace

GOOD = b'{"id": 1, "score": 0.5}\n\n{"id": "x", "correct": true}\n{"id": 1, "score": 0}\n'


@pytest.fixture
def recorded(make_run, tmp_path):
    """Makes a run with that content as its samples.jsonl; its score is what the content averages to, or `score`."""
    workspace = Workspace(tmp_path)

    def record(content, *, score=0.625, path="output/samples.jsonl"):
        run = make_run(score, artifacts=[Artifact(path, len(content), sha256(content).hexdigest())])
        folder = workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)
        (folder / "output").mkdir(parents=True)
        (folder / path).write_bytes(content)
        return run, workspace, folder / path

    return record


def test_samples_are_scores_by_id_and_one_that_was_asked_twice_has_its_mean(recorded):
    run, workspace, _ = recorded(GOOD)
    read = read_samples(run, workspace)
    assert (dict(read.scores), read.problem) == ({"1": 0.25, "x": 1.0}, "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "samples.jsonl is empty"),
        (b"[1]\n", "line 1 of samples.jsonl is not a JSON object"),
        (b'{"id": 1, "sco', "line 1 of samples.jsonl is not a JSON object"),
        (b'{"id": 1, "score": NaN}\n', "line 1 of samples.jsonl"),
        (b'{"id": 1, "score": 1e999}\n', "line 1 of samples.jsonl"),
        (b'{"score": 1}\n', "line 1 of samples.jsonl has no id with a finite score"),
        (b'{"id": 1, "score": "good"}\n', "line 1 of samples.jsonl has no id with a finite score"),
        (b'{"id": 1, "score": 1}\n', "the samples do not average to the score"),
    ],
)
def test_samples_that_are_none_say_why(recorded, content, told):
    run, workspace, _ = recorded(content)
    assert told in read_samples(run, workspace).problem


def test_half_a_surrogate_pair_that_a_model_said_spoils_nothing(recorded):
    run, workspace, _ = recorded(b'{"id": 1, "score": 1, "output": "\\ud83d!"}\n', score=1.0)
    assert [row["output"] for row in read_rows(run, workspace).rows] == ["?!"]
    assert dict(read_samples(run, workspace).scores) == {"1": 1.0}


def test_a_file_that_was_changed_since_is_not_trusted(recorded):
    run, workspace, file = recorded(GOOD)
    file.write_bytes(GOOD.replace(b"0.5", b"0.9"))
    assert read_samples(run, workspace).problem == "samples.jsonl is not the file that was recorded"
    file.unlink()
    assert read_samples(run, workspace).problem == "samples.jsonl is gone"


def test_a_path_that_leads_out_of_the_runs_folder_is_not_followed(recorded, tmp_path):
    run, workspace, file = recorded(GOOD)
    outside = tmp_path / "elsewhere.jsonl"
    file.rename(outside)
    file.symlink_to(outside)
    assert read_samples(run, workspace).problem == "samples.jsonl is a link that leads out of the run's folder"


def test_a_run_without_samples_says_so(make_run, tmp_path):
    assert read_samples(make_run(0.5), Workspace(tmp_path)).problem == "no samples were recorded"


BAD_LINES = {
    "NaN as a score": b'{"id": "bad", "score": NaN}',
    "infinity as a score": b'{"id": "bad", "score": 1e999}',
    "400 digits as a score": b'{"id": "bad", "score": 1%s}' % (b"0" * 400),
    "5000 digits": b'{"id": "bad", "score": 1%s}' % (b"0" * 5000),
    "torn": b'{"id": "bad", "score": 1',
    "not an object": b"[1, 2]",
    "not UTF-8": b'{"id": "bad", "score": 1, "output": "\xff"}',
    "too deep": b'{"id": "bad", "score": 1, "x": %s1%s}' % (b"[" * 100_000, b"]" * 100_000),
    "no score": b'{"id": "bad", "output": "x"}',
    "too long": b'{"id": "bad", "score": 1, "x": "%s"}' % (b"x" * 9_000_000),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_costs_that_line_and_is_named(recorded, name):
    content = b'{"id": "a", "score": 1}\n%s\r\n{"id": "b", "score": 0}\n' % BAD_LINES[name]
    for score in (0.5, 1 / 3, 2 / 3):  # The mean of those that are there, or of three.
        run, workspace, file = recorded(content, score=score)
        read = read_samples(run, workspace)
        assert (dict(read.scores), read.problem) == ({"a": 1.0, "b": 0.0}, "")
        assert read.left_out == 1 and read.note.startswith("line 2 of samples.jsonl")
        file.unlink(), file.parent.rmdir()
    run, workspace, _ = recorded(content, score=0.9)
    assert read_samples(run, workspace).problem == "the samples do not average to the score"


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", r'"\ud83d"'])
def test_what_utf_8_and_json_cannot_hold_beside_the_score_costs_nothing(recorded, value):
    run, workspace, _ = recorded(b'{"id": 1, "score": 1, "latency": %s}\n' % value.encode(), score=1.0)
    read = read_samples(run, workspace)
    assert (dict(read.scores), read.left_out) == ({"1": 1.0}, 0)
    assert read_rows(run, workspace).rows[0]["latency"] in (None, "?")


def _lines(*samples):
    return [json.dumps(sample).encode() + b"\n" for sample in samples]


def test_a_question_that_is_asked_again_adds_nothing_to_the_standard_error():
    once = _lines(*({"id": place, "score": float(place > 0)} for place in range(6)))
    one, three = look_through(once), look_through(once * 3)
    assert (one.samples, one.clusters, three.samples, three.clusters) == (6, 6, 18, 6)
    assert one.standard_error == pytest.approx(1 / 6) == three.standard_error


def test_samples_of_one_declared_cluster_count_together():
    looked = look_through(_lines(*({"id": n, "score": n % 2, "cluster": n // 5} for n in range(20))))
    assert (looked.samples, looked.clusters) == (20, 4)
    assert looked.standard_error == pytest.approx(1 / 300**0.5)


@pytest.mark.parametrize(
    "lines", [[], [b"x\n"], _lines({"id": 1}), _lines({"id": 1, "score": 1}), _lines(*[{"id": 1, "score": 1}] * 9)]
)
def test_what_tells_nothing_has_no_standard_error(lines):
    assert look_through(lines).standard_error is None
