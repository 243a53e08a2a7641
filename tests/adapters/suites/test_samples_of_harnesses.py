"""Drivers of other harnesses leave samples in our form, the same as an import of the harness's own files has."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks.adapters.suites.helm.samples import samples, states_of
from benchmarks.adapters.suites.inspect_ai.__main__ import _samples as inspect_samples
from benchmarks.adapters.suites.lm_eval.samples import read
from benchmarks.adapters.suites.suitekit.command import SuiteError
from benchmarks.adapters.suites.suitekit.foreign import write_samples
from benchmarks.adapters.suites.suitekit.harness import leave_samples
from tests.adapters.imports.test_instances import (
    answered,
    helm_folder,
    helm_instance,
    inspect_log,
    lm_eval_files,
    lm_eval_line,
    rows_of,
)


def left_in(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def test_lm_eval_leaves_what_an_import_reads(tmp_path):
    lines = [lm_eval_line(0, 1.0, filter="none"), lm_eval_line(0, 0.0, filter="flexible"), lm_eval_line(1, 0.0)]
    results = lm_eval_files(tmp_path, lines)
    leave_samples(tmp_path, read(results, ["local_caps"], "exact_match,none"))
    assert [(row["id"], row["score"], row["correct"]) for row in left_in(tmp_path)] == [("0", 1, True), ("1", 0, False)]
    assert left_in(tmp_path) == rows_of(results)[0]


def test_helm_leaves_what_an_import_reads(tmp_path):
    instances = [helm_instance("id1", 1.0), helm_instance("id2", 0.0), helm_instance("id3", 1.0, split="train")]
    states = [{"instance": {"id": "id1", "input": {"text": "Which?"}}}]
    folder = helm_folder(tmp_path, instances, states)
    leave_samples(tmp_path, samples(instances, states_of({"request_states": states}), "exact_match", "test"))
    assert [(row["id"], row["score"]) for row in left_in(tmp_path)] == [("id1", 1.0), ("id2", 0.0)]
    assert left_in(tmp_path) == rows_of(folder)[0] and left_in(tmp_path)[0]["input"] == "Which?"


@pytest.fixture
def inspect(tmp_path, monkeypatch):
    """A module that reads a log as Inspect does; the driver starts the interpreter that has it."""

    def put(log: dict) -> Path:
        package = tmp_path / "site" / "inspect_ai"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        code = """
        import json
        class Model:
            def __init__(self, value): self.value = value
            def model_dump(self, mode): return self.value
            def model_dump_json(self, exclude, exclude_none): return json.dumps(self.value)
        def _log(path): return json.load(open(path))
        class read_eval_log:
            def __init__(self, path): self.reductions = [Model(one) for one in _log(path)["reductions"]]
        def read_eval_log_samples(path, all_samples_required):
            return (Model(one) for one in _log(path)["samples"])
        """
        (package / "log.py").write_text(textwrap.dedent(code))
        started = subprocess.Popen

        def with_path(argv, env, **more):
            return started(argv, env={**env, "PYTHONPATH": str(tmp_path / "site")}, **more)

        monkeypatch.setattr(subprocess, "Popen", with_path)
        path = tmp_path / "log.json"
        path.write_text(json.dumps(log))
        return path

    return put


def test_inspect_leaves_what_an_import_reads(inspect, tmp_path):
    log = inspect_log([answered(1, "C"), answered(1, "I", epoch=2), answered(2, "P"), answered(3, None, error={})])
    path = inspect(log)
    leave_samples(tmp_path, inspect_samples(path, log))
    assert [(row["id"], row.get("score")) for row in left_in(tmp_path)] == [("1", 1), ("1", 0), ("2", 0.5), ("3", None)]
    assert left_in(tmp_path) == rows_of(path)[0]


def test_inspect_leaves_one_row_for_epochs_that_are_reduced(inspect, tmp_path):
    scores = [
        {
            "name": "match",
            "scorer": "match",
            "reducer": "max",
            "metrics": {"accuracy": {"name": "accuracy", "value": 1.0}},
        }
    ]
    reductions = [{"scorer": "match", "reducer": "max", "samples": [{"sample_id": 1, "value": 1.0}]}]
    log = inspect_log([answered(1, "I"), answered(1, "C", epoch=2)], scores, reductions=reductions)
    path = inspect(log)
    leave_samples(tmp_path, inspect_samples(path, log))
    assert left_in(tmp_path) == rows_of(path)[0]
    assert [(row["id"], row["score"]) for row in left_in(tmp_path)] == [("1", 1.0)]


def test_samples_that_cannot_be_read_leave_no_file_and_the_result_stands(tmp_path, capsys):
    def broken():
        yield {"id": "1", "score": 1.0}
        raise SuiteError("reading x.eval ended with exit code 3")

    leave_samples(tmp_path, broken())
    leave_samples(tmp_path, iter(()))
    leave_samples(tmp_path, read(tmp_path / "nowhere" / "results.json", ["a"], "acc,none"))
    assert not (tmp_path / "samples.jsonl").exists()
    assert "the samples are left out: reading x.eval ended with exit code 3" in capsys.readouterr().err


def test_a_large_sample_keeps_its_score_and_any_text_can_be_stored(tmp_path):
    rows = [
        {"id": 1, "score": 1.0, "input": "x" * 2_000_000},
        {"id": "a", "output": "\udc80"},
        {"id": None, "score": 1},
    ]
    assert write_samples(tmp_path, rows) == 2
    assert left_in(tmp_path)[0] == {"id": "1", "score": 1.0, "correct": True}
    assert left_in(tmp_path)[1] == {"id": "a", "output": "\udc80"}


@pytest.mark.parametrize("suite", ["lm_eval", "helm", "inspect_ai"])
def test_a_driver_needs_the_standard_library_alone(suite):
    folder = Path(__file__).parents[3] / "adapters"
    argv = [sys.executable, "-S", "-c", f"import suites.{suite}.__main__"]
    subprocess.run(argv, cwd=folder, check=True, env={"PYTHONDONTWRITEBYTECODE": "1"})
