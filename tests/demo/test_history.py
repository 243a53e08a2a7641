"""The demonstration history is what it says it is, and the same each time; `make demo` serves it."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path

import benchmarks
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.scores.samples import read_samples
from tests.demo.history import build

ROOT = Path(__file__).parents[2]


def test_it_has_the_runs_of_four_weeks(team):
    runs = benchmarks.open(team.root).runs()
    assert len(runs) == 188
    assert Counter(run.status for run in runs) == {"succeeded": 164, "failed": 22, "running": 2}
    assert len({run.benchmark_id for run in runs}) == 6
    assert len({run.model for run in runs}) == 5
    assert {run.unit for run in runs} - {None} == {"ratio", "percent", "accuracy", "f1", "seconds"}
    assert Counter(bool(run.imported) for run in runs)[True] == 5
    assert sum(run.synthetic for run in runs) == 2
    assert {run.reason for run in runs if run.status == "failed"} == {
        "exit_code",
        "signal",
        "timeout",
        "no_result",
        "no_score",
    }


def test_its_ledger_is_sound_and_the_samples_make_the_scores(team):
    with contextlib.closing(JsonlStore(team.ledger, notice=print)) as store:
        report = verify(store)
    assert (report.damage, report.story) == ([], [])
    scored = [run for run in benchmarks.open(team.root).runs() if run.is_success and not run.imported]
    assert {read_samples(run, team).problem for run in scored} == {""}


def test_the_same_end_gives_the_same_history(team, tmp_path):
    again = build(tmp_path / "again")

    # The paths in the events and the process that owns the runs differ, nothing else.
    def lines(root: Path) -> list[str]:
        text = next((root / "benchmark_results" / "ledger").glob("*.jsonl")).read_text().replace(str(root), "")
        return re.sub(r',"(prev|hash)":"\w+"', "", text).splitlines()

    assert lines(again.root) == lines(team.root)


def test_make_demo_serves_it():
    command = [sys.executable, "-m", "tests.demo", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout
            found = re.search(r"http://\S+", demo.stdout.readline())
            assert found
            with urllib.request.urlopen(found[0] + "api/overview") as answer:
                assert b'"runs":188' in answer.read()
        finally:
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0
