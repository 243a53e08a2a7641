"""A checkout beside or around the command: which workspace and which program are used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cli.current_folder import is_shadowed
from benchmarks.orchestrator.location import default_workspace

FIRST = """
import sqlite3, pathlib
print("the first orchestrator")
with sqlite3.connect(pathlib.Path("benchmarks/benchmark_results/orchestrator.sqlite")) as connection:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("UPDATE benchmark_runs SET status = 'failed', score = NULL")
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder like a checkout of the first orchestrator, called benchmarks."""
    folder = tmp_path / "home" / "benchmarks"
    for file in ("suites/orchestrator/adapters.py", "registry/commands.py", "__init__.py", "suites/quiz/run.py"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("")
    (folder / "orchestrator").mkdir()
    (folder / "orchestrator" / "__init__.py").write_text("")
    (folder / "orchestrator" / "__main__.py").write_text(FIRST)
    return folder


@pytest.fixture
def run(tmp_path):
    environ = {**os.environ, "BENCHMARKS_CACHE": str(tmp_path / "cache")}
    environ.pop("BENCHMARKS_WORKSPACE", None)

    def run(cwd, *argv):
        return subprocess.run(argv, cwd=cwd, env=environ, capture_output=True, text=True, timeout=120)

    return run


BENCHMARKS = str(Path(sys.executable).with_name("benchmarks"))


def test_a_checkout_in_the_current_folder_is_the_workspace(checkout, run):
    done = run(checkout, BENCHMARKS, "list-benchmarks", "--json")
    assert '"uncovered"' in done.stdout and "quiz" in done.stdout
    assert default_workspace(checkout) == "." and default_workspace(checkout.parent) == "benchmarks"
    run(
        checkout,
        BENCHMARKS,
        "high-scores",
        "set",
        "mmlu",
        "--value",
        "0.9",
        "--label",
        "x",
        "--source",
        "https://x.org",
    )
    assert (checkout / "benchmark_results" / "ledger").is_dir()
    assert not (checkout / "benchmarks").exists()


def test_earlier_results_inside_a_checkout_are_named(checkout, run):
    (checkout / "benchmarks" / "benchmark_results").mkdir(parents=True)
    printed = run(checkout, BENCHMARKS, "show-runs").stderr
    assert str(checkout / "benchmarks") in printed and "hint: move" in printed


def test_the_command_to_use_beside_a_checkout_is_shown_once(checkout, run):
    first, second = (run(checkout.parent, BENCHMARKS, "show-runs") for _ in range(2))
    assert "python -P -m benchmarks.orchestrator" in first.stderr and first.returncode == 0
    assert second.stderr == "" and second.stdout == first.stdout


def test_the_named_command_starts_this_program_and_the_other_one_does_not(checkout, run):
    asked = ["-m", "benchmarks.orchestrator", "--version"]
    assert "benchmarks, version" in run(checkout.parent, sys.executable, "-P", *asked).stdout
    (checkout / "benchmark_results").mkdir()
    assert "the first orchestrator" in run(checkout.parent, sys.executable, *asked).stdout


def test_changes_by_the_first_orchestrator_are_noticed(checkout, run):
    row = "benchmark,model,score\nquiz,m,0.5\n"
    (checkout.parent / "x.csv").write_text(row)
    assert run(checkout.parent, BENCHMARKS, "import", "x.csv").returncode == 0
    run(checkout.parent, sys.executable, "-m", "benchmarks.orchestrator")
    done = run(checkout.parent, BENCHMARKS, "show-runs", "--json")
    assert '"status": "succeeded"' in done.stdout
    assert "orchestrator.sqlite was changed by another program (1 row differs in benchmark_runs)" in done.stderr
    assert run(checkout.parent, BENCHMARKS, "show-runs").stderr == ""


def test_a_clone_of_this_program_does_not_hide_it(tmp_path):
    for file in ("__init__.py", "ledger/events.py", "orchestrator/__main__.py"):
        (tmp_path / "benchmarks" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "benchmarks" / file).write_text("")
    assert not is_shadowed(tmp_path)
    (tmp_path / "benchmarks" / "ledger" / "events.py").unlink()
    assert is_shadowed(tmp_path)
