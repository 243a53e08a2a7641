"""Corrections: remarks, and runs that are taken back and reinstated. Each is an event, and nothing is edited."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "workspace"
    for number in (1, 2):
        with benchmarks.record("quiz", model="m", workspace=root, policy="force") as run:
            run.score(number / 4)
    return root


def command(root: Path, *arguments: str, code: int = 0) -> str:
    program = Path(sys.executable).with_name("benchmarks")
    done = subprocess.run([program, "--workspace", root, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def scores(root: Path) -> list[float]:
    return [one["score"]["mean"] for one in json.loads(command(root, "leaderboard", "--json"))["standings"]]


def test_a_retracted_run_counts_nowhere_stays_visible_and_can_be_reinstated(root):
    first, second = (run.run_id for run in benchmarks.open(root).runs())
    assert scores(root) == [0.5]
    said = command(root, "retract", second, "--reason", "wrong data", "--author", "Ada <ada@example.org>")
    assert f"{second}: retracted by Ada <ada@example.org>" in said
    assert scores(root) == [0.25]
    shown = json.loads(command(root, "show-run", second, "--json"))
    assert shown["run"]["retracted"] == {"author": "Ada <ada@example.org>", "reason": "wrong data"}
    assert shown["run"]["score"] == 0.5 and shown["events"][-1]["type"] == "retracted"
    counted = command(root, "query", "SELECT run_id FROM runs WHERE counts", "--json")
    assert json.loads(counted)["rows"] == [[first]]
    assert "is retracted already, by Ada" in command(root, "retract", second, "--reason", "again", code=2)
    command(root, "reinstate", second, "--reason", "the data were right", "--author", "Grace")
    assert scores(root) == [0.5]
    counted = command(root, "query", "SELECT count(*) FROM runs WHERE counts", "--json")
    assert json.loads(counted)["rows"] == [[2]]
    assert f"the run {second} is not retracted" in command(root, "reinstate", second, "--reason", "x", code=2)
    assert command(root, "ledger", "verify").startswith("sound")
    before = (root / "benchmark_results" / "viewer_data.json").read_bytes()
    command(root, "export-viewer-data")
    assert (root / "benchmark_results" / "viewer_data.json").read_bytes() == before


def test_a_retraction_frees_the_signature(root):
    for run in benchmarks.open(root).runs():
        with pytest.raises(benchmarks.AlreadyDone), benchmarks.record("quiz", model="m", workspace=root):
            pass
        command(root, "retract", run.run_id, "--reason", "wrong")
    with benchmarks.record("quiz", model="m", workspace=root) as fresh:
        fresh.score(0.75)
    assert scores(root) == [0.75]


def test_a_remark_has_its_author_from_git(root):
    subprocess.run(["git", "init", "-q", root], check=True)
    for key, value in (("user.name", "Grace Hopper"), ("user.email", "grace@example.org")):
        subprocess.run(["git", "-C", root, "config", key, value], check=True)
    run = next(iter(benchmarks.open(root).runs())).run_id
    told = json.loads(command(root, "annotate", run[:-3], "--note", "slow", "--tag", "a", "--tag", "a", "--json"))
    assert told["annotated"] == {"author": "Grace Hopper <grace@example.org>", "note": "slow", "tags": ["a"]}
    assert "the remark is empty" in command(root, "annotate", run, code=2)


@pytest.mark.parametrize("name", ["annotate", "retract", "reinstate"])
def test_an_unknown_run_is_refused_with_the_nearest_names(root, name):
    run = next(iter(benchmarks.open(root).runs())).run_id
    more = ["--note", "x"] if name == "annotate" else ["--reason", "x"]
    said = command(root, name, run.replace("quiz", "quizz"), *more, code=2)
    assert "the ledger has no run" in said and f"hint: did you mean {run[:9]}" in said
    assert "several runs begin with 'run_quiz'" in command(root, name, "run_quiz", *more, code=2)
