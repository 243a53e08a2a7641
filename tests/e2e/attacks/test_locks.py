"""A benchmark that holds the locks of the ledger and of the tables: it gets its time limit, and other commands end."""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil

from tests.conftest import Bench
from tests.waiting import until

HOLD = """
import fcntl, time
held = open(os.environ["LOCK"], "a")
fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""

HOLD_DATABASE = """
import sqlite3, time
held = sqlite3.connect(os.environ["LOCK"], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(600)
"""

# It leaves a process that has neither the run's group nor its variables, and inherits the lock.
LEAVE = """
import fcntl, subprocess
held = os.open(os.environ["LOCK"], os.O_RDWR | os.O_CREAT)
fcntl.flock(held, fcntl.LOCK_EX)
left = subprocess.Popen(["sleep", "600"], pass_fds=[held], env={}, start_new_session=True)
pathlib.Path(os.environ["PID"]).write_text(str(left.pid))
"""
GOOD = 'output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))\n'
QUICK = {"BENCHMARKS_LOCK_SECONDS": "0.5"}
ENDS = ("a time limit", "SIGINT", "SIGTERM")


def workspace(folder: Path, code: str, timeout: float) -> Bench:
    folder.mkdir()
    bench = Bench(folder)
    bench.add("holder", code, run=f"timeout_seconds = {timeout}")
    return bench


def test_a_child_that_holds_the_ledger_is_ended_by_its_limit_and_by_signals(
    tmp_path: Path, rng: random.Random, tally: collections.Counter[str]
) -> None:
    started: list[tuple[str, Bench, tuple[str, ...], subprocess.Popen[str]]] = []
    for kind, code, name in [
        ("jsonl", HOLD, "benchmark_results/ledger/.lock"),
        ("sqlite", HOLD, "ledger.db.lock"),
        ("sqlite", HOLD_DATABASE, "ledger.db"),
    ]:
        for end in ENDS:
            bench = workspace(tmp_path / str(len(started)), code, 6.5 if end == ENDS[0] else 600)
            ledger = ("--ledger", f"sqlite://{bench.root}/ledger.db") if kind == "sqlite" else ()
            process = bench.start(
                *ledger, "run", "--benchmarks", "holder", "--provider", "ollama", LOCK=str(bench.root / name)
            )
            assert process.stderr and "started" in process.stderr.readline()
            started.append((end, bench, ledger, process))
    # Long enough for the first heartbeat, which cannot be recorded.
    limit = psutil.Process(started[0][3].pid).create_time() + 5.0 + rng.random()
    for end, _, _, process in started:
        if end != ENDS[0]:
            while time.time() < limit:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT if end == "SIGINT" else signal.SIGTERM)
    for end, bench, ledger, process in started:
        _, message = process.communicate(timeout=60)
        assert process.returncode == (1 if end == ENDS[0] else 130), message
        row = json.loads(bench(*ledger, "show-runs", "--json").stdout)[0]
        assert row["reason"] == ("timeout" if end == ENDS[0] else "interrupted")
        assert row["duration_seconds"] < 30
        tally[f"ended by {end}"] += 1


def test_other_commands_name_the_process_that_holds_the_ledger_and_end(
    bench: Bench, tally: collections.Counter[str]
) -> None:
    bench.add("holder", HOLD)
    lock = bench.results / "ledger" / ".lock"
    process = bench.start("run", "--benchmarks", "holder", "--provider", "ollama", LOCK=str(lock))
    assert process.stderr and "started" in process.stderr.readline()
    until(lambda: any(b"held" in log.read_bytes() for log in bench.results.rglob("stdout.log")))
    holder = next(
        child.pid
        for child in psutil.Process(process.pid).children(recursive=True)
        if any("suite.py" in part for part in child.cmdline()) and "/bin/sh" not in child.cmdline()
    )
    for command in (["recover-stale-runs"], ["run", "--benchmarks", "holder", "--provider", "ollama"]):
        done = bench(*command, code=2, **QUICK)
        assert f"process {holder} (" in done.stderr and "suite.py" in done.stderr
        assert "\nhint: " in done.stderr
        tally["named"] += 1
    for command in (["show-runs"], ["status"], ["ledger", "verify", "--no-artifacts"]):
        bench(*command)
        tally["read beside it"] += 1
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_process_left_behind_with_a_lock_of_the_tables_stops_no_campaign(
    bench: Bench, tmp_path: Path, tally: collections.Counter[str]
) -> None:
    bench.environ |= QUICK
    bench.add("good")
    bench.add("leaver", LEAVE + GOOD)
    for name in (".orchestrator.sqlite.lock", ".viewer_data.json.lock"):
        pid = tmp_path / name
        printed = bench.run("leaver", more=("--force",), LOCK=str(bench.results / name), PID=str(pid))
        left = int(pid.read_text())
        try:
            assert f"process {left} (sleep 600) has held its lock" in printed
            assert f"process {left}" in bench.run("good", more=("--force",))
            assert bench.runs("--limit", "1")
            tally["left with a lock"] += 1
        finally:
            os.kill(left, signal.SIGKILL)
    bench("export-viewer-data")


def test_a_process_left_behind_with_the_ledger_ends_the_campaign_with_its_name(
    bench: Bench, tmp_path: Path, tally: collections.Counter[str]
) -> None:
    bench.add("leaver", LEAVE + GOOD)
    pid = tmp_path / "pid"
    asked = ("run", "--benchmarks", "leaver", "--provider", "ollama")
    done = bench(*asked, code=2, LOCK=str(bench.results / "ledger" / ".lock"), PID=str(pid), **QUICK)
    left = int(pid.read_text())
    try:
        assert f"process {left} (sleep 600) holds it" in done.stderr
        assert "recorded as failed" not in done.stderr, "nothing could be recorded"
    finally:
        os.kill(left, signal.SIGKILL)
    # The result that could not be recorded then is adopted now: the benchmark had ended.
    bench("recover-stale-runs", "--stale-seconds", "0")
    assert [run["status"] for run in bench.runs()] == ["succeeded"]
    tally["recovered"] += 1
