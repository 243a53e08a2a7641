"""What a recorded run reports, and what becomes of it."""

from __future__ import annotations

import json
import math
import shutil
import time

import pytest

import benchmarks
from benchmarks.ledger.events import Heartbeat
from benchmarks.orchestrator.running import heartbeat


@pytest.fixture
def record(bench):
    def record(benchmark="b", **settings):
        return benchmarks.record(benchmark, workspace=bench.root, **settings)

    return record


def test_a_score_has_what_is_said_of_it(record):
    with record(unit="ms", higher_is_better=False, version="2") as run:
        run.score(12.5, samples=4, standard_error=0.5, metrics={"p95 of all": 20, "nested": {"a": [1]}})
    ended = run.run
    assert (ended.status, ended.score, ended.unit, ended.higher_is_better) == ("succeeded", 12.5, "ms", False)
    assert (ended.samples, ended.stderr, ended.benchmark_version) == (4, 0.5, "2")
    assert ended.metrics == {"p95 of all": 20, "nested": {"a": [1]}}


def test_without_a_value_the_score_is_the_mean_of_the_samples(record):
    with record() as run:
        for number, score in enumerate([1.0, 0.0, 1.0, 1.0]):
            run.sample(id=f"q{number}", score=score)
        run.score()
    assert (run.run.score, run.run.samples) == (0.75, 4)
    assert run.run.stderr == pytest.approx(0.25)


def test_the_last_score_counts(record):
    with record() as run:
        run.score(0.1)
        run.score(0.2, unit="s", higher_is_better=False)
    assert (run.run.score, run.run.unit, run.run.higher_is_better) == (0.2, "s", False)


def test_samples_usage_log_and_artifacts_are_files_of_the_run(record, bench, tmp_path):
    (tmp_path / "notes.txt").write_text("kept")
    with record(model="openai:gpt-4.1") as run:
        run.sample(id="a", score=1.0, output={"text": "x"}, weight=math.nan)
        run.usage(input_tokens=10, output_tokens=5, latency_ms=2.0)
        run.usage(input_tokens=1, output_tokens=1)
        run.log("a line")
        copy = run.artifact(tmp_path / "notes.txt", "logs/notes.txt")
        run.score(1.0)
    assert copy.read_text() == "kept"
    assert run.run.usage["input_tokens"] == 11 and run.run.usage["calls"] == 2
    assert run.run.usage["cost_usd"] > 0
    assert (run.folder / "stdout.log").read_text() == "a line\n"
    assert json.loads((run.output / "samples.jsonl").read_text())["output"] == {"text": "x"}
    assert {artifact.path for artifact in run.run.artifacts} >= {"output/samples.jsonl", "output/logs/notes.txt"}
    bench("ledger", "verify")


def test_an_exception_is_a_failed_run_with_its_traceback_in_the_log(record):
    with pytest.raises(ZeroDivisionError), record() as run:
        run.score(0.5)
        _ = 1 / 0
    assert (run.run.status, run.run.reason, run.run.score) == ("failed", "exception", 0.5)
    assert "ZeroDivisionError" in run.run.error
    assert "test_recorder.py" in (run.folder / "stderr.log").read_text()


def test_a_block_without_a_score_is_a_failed_run(record):
    with record() as run:
        run.log("forgot")
    assert (run.run.status, run.run.reason) == ("failed", "no_score")


def test_the_same_work_is_recorded_once(record):
    with record(options={"seed": 1}) as first:
        first.score(0.5)
    with pytest.raises(benchmarks.AlreadyDone, match="has succeeded") as raised, record(options={"seed": 1.0}):
        pytest.fail("the block must not run")
    assert raised.value.run.run_id == first.run.run_id
    with record(options={"seed": 1}, if_done="return") as again:
        again.score(0.9)
        again.sample(id="x", score=1.0)
        again.usage(input_tokens=1)
        again.log("ignored")
        again.progress(1)
    assert again.is_done and again.run.score == 0.5
    with record(options={"seed": 2}) as other:
        other.score(0.6)
    with record(options={"seed": 1}, policy="force") as forced:
        forced.score(0.7)
    assert (other.run.attempt, forced.run.attempt) == (1, 2)


def test_what_failed_is_recorded_again(record):
    with pytest.raises(KeyError), record():
        raise KeyError
    with record() as run:
        run.score(1.0)
    assert (run.run.attempt, run.run.status) == (2, "succeeded")


def test_a_run_gives_signs_of_life_with_its_progress(record, bench, monkeypatch):
    monkeypatch.setattr(heartbeat, "FIRST_SECONDS", 0.01)
    with record() as run:
        run.progress(3, 10, "third")
        beats = iter(benchmarks.open(bench.root).events(types=["heartbeat"]))
        while (beat := next(beats, None)) is None:
            beats = iter(benchmarks.open(bench.root).events(types=["heartbeat"]))
        run.score(1.0)
    assert isinstance(beat.data, Heartbeat) and beat.stream == run.run.run_id
    assert (beat.data.progress.done, beat.data.progress.note) == (3, "third")


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        (None, "none", "none"),
        ("openai:gpt-4.1", "openai", "gpt-4.1"),
        ("mine", "unknown", "mine"),
        ("lab:family:7b", "lab", "family:7b"),
    ],
)
def test_a_model_has_a_provider_and_a_name(record, model, provider, name):
    with record(model=model) as run:
        run.score(1.0)
    assert (run.run.provider, run.run.model) == (provider, name)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"benchmark": "No Id"}, "not the id of a benchmark"),
        ({"options": {"x": math.inf}}, "cannot be recorded"),
        ({"options": {"x": object()}}, "cannot be recorded"),
        ({"agent": " "}, "empty"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_recorded(record, bench, settings, text):
    with pytest.raises(benchmarks.UsageError, match=text):
        record(**settings)
    assert not bench.results.exists()


@pytest.mark.parametrize("value", [math.nan, math.inf, "many"])
def test_a_score_is_a_finite_number(record, value):
    with record() as run:
        with pytest.raises(benchmarks.UsageError, match="number"):
            run.score(value)
        run.score(1.0)
    assert run.run.score == 1.0


def test_an_artifact_stays_in_the_folder_of_the_run(record, tmp_path):
    (tmp_path / "file").touch()
    with record() as run:
        with pytest.raises(benchmarks.UsageError, match="leads out"):
            run.artifact(tmp_path / "file", "../../file")
        with pytest.raises(benchmarks.UsageError, match="samples with scores"):
            run.score()
        run.score(1.0)


def test_a_recorder_outside_of_a_with_statement_has_no_run(record):
    with pytest.raises(benchmarks.UsageError, match="with statement"):
        _ = record().run


def test_a_cancelled_run_ends_at_its_next_report(record, bench):
    with pytest.raises(benchmarks.Cancelled, match="cancelled by Ada: wrong data"), record() as run:
        run.sample(id="1", score=1.0)
        bench("cancel", run.run.run_id, "--author", "Ada", "--reason", "wrong data")
        until = time.monotonic() + 60
        while time.monotonic() < until:
            run.progress(1, 2)
            time.sleep(0.05)
    assert (run.run.status, run.run.reason, run.run.error) == ("failed", "cancelled", "cancelled by Ada: wrong data")


def test_a_run_whose_files_cannot_be_written_ends_as_failed(record, bench, monkeypatch):
    with record() as run:
        run.score(1.0)
        shutil.rmtree(run.folder)
    assert (run.run.status, run.run.reason) == ("failed", "workspace")
    assert "No such file" in run.run.error
    monkeypatch.setattr("benchmarks.orchestrator.recorder.new_group_id", lambda: "rg_blocked")
    (bench.results / "rg_blocked").touch()
    with pytest.raises(NotADirectoryError), record():
        raise AssertionError("the block must not begin")
    assert [row["reason"] for row in bench.runs()] == ["workspace", "workspace"]
    monkeypatch.undo()
    with record() as run:
        run.score(1.0)
    assert run.run.status == "succeeded", "the failed attempts do not block the work"
