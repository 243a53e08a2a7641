"""Runs and campaigns are cancelled, paused and resumed by another process."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from benchmarks.ledger.identity import process_start
from tests.waiting import HANG_SECONDS, until

pytestmark = pytest.mark.slow

WAITS = """
import os, time
pathlib.Path(os.environ["STARTED"], str(os.getpid())).touch()
while not os.path.exists(os.environ["GATE"]):
    time.sleep(0.02)
output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
"""


@pytest.fixture
def gated(bench, tmp_path):
    """A workspace with three benchmarks that wait for a gate, and the environment for them."""
    started = tmp_path / "started"
    started.mkdir()
    for name in "abc":
        bench.add(name, WAITS)
    return {"STARTED": str(started), "GATE": str(tmp_path / "gate")}


def start(bench, gated, *more):
    return bench.start("run", "--benchmarks", "a", "b", "c", "--provider", "ollama", "--model", "m", *more, **gated)


def started(gated, number):
    return until(lambda: len(list(Path(gated["STARTED"]).iterdir())) >= number)


def rows(bench):
    return {row["benchmark_id"]: row for row in json.loads(bench("show-runs", "--json").stdout)}


def kinds(bench, kind):
    events = map(json.loads, bench("ledger", "log", "--json").stdout.splitlines())
    return [event for event in events if event["type"] == kind]


def group_of(bench):
    return until(lambda: kinds(bench, "group_opened"))[-1]["stream"]


def test_a_cancelled_run_ends_as_failed_and_the_others_go_on(bench, gated):
    running = start(bench, gated, "--jobs", "3")
    started(gated, 3)
    run_id = until(lambda: rows(bench).get("b"))["run_id"]
    told = bench("cancel", run_id[:-1], "--author", "Ada", "--reason", "wrong model")
    assert told.stdout.startswith(f"{run_id}: cancelled")
    until(lambda: rows(bench)["b"]["status"] == "failed")
    assert {rows(bench)[name]["status"] for name in "ac"} == {"running"}
    Path(gated["GATE"]).touch()
    assert running.wait(HANG_SECONDS) == 1
    row = rows(bench)["b"]
    assert (row["reason"], row["error"]) == ("cancelled", "cancelled by Ada: wrong model")
    assert row["cancel_requested"] == {"author": "Ada", "reason": "wrong model"}
    assert "by Ada: wrong model" in bench("show-run", run_id).stdout
    again = bench("cancel", run_id, code=2)
    assert f"the run {run_id} has failed already" in again.stderr and "hint: " in again.stderr
    bench("ledger", "verify")


def test_a_cancelled_group_starts_nothing_more_and_is_closed(bench, gated):
    running = start(bench, gated, "--jobs", "1", "--retries", "5")
    started(gated, 1)
    group = group_of(bench)
    answer = json.loads(bench("cancel", group, "--author", "Ada", "--json").stdout)
    assert (answer["id"], answer["cancel_requested"]["author"], answer["closed"]) == (group, "Ada", [])
    twice = bench("cancel", group, code=2)
    assert "already" in twice.stderr
    assert running.wait(HANG_SECONDS) == 1
    [row] = rows(bench).values()
    assert (row["status"], row["reason"]) == ("failed", "cancelled")
    [closed] = kinds(bench, "group_closed")
    assert closed["data"]["reason"] == "cancelled"
    assert closed["data"]["notes"] == ["cancelled by Ada; 2 runs not started"]
    assert "is closed already (cancelled)" in bench("cancel", group, code=2).stderr
    assert "is closed already" in bench("pause", group, code=2).stderr
    question = "SELECT reason, cancel_requested_json ->> '$.author' FROM run_groups"
    assert "cancelled,Ada" in bench("query", question, "--csv").stdout


def test_a_paused_group_starts_nothing_until_it_is_resumed(bench, gated):
    running = start(bench, gated, "--jobs", "1")
    started(gated, 1)
    group = group_of(bench)
    assert "is not paused" in bench("resume", group, code=2).stderr
    bench("pause", group, "--author", "Ada", "--reason", "the GPU is needed")
    assert "paused already, by Ada" in bench("pause", group, code=2).stderr
    assert f"{group}: paused by Ada: the GPU is needed" in bench("status").stdout
    assert json.loads(bench("status", "--json").stdout)[0]["group_paused"]["author"] == "Ada"
    Path(gated["GATE"]).touch()
    assert any("paused by Ada: the GPU is needed" in line for line in running.stderr), "said when it may start no run"
    assert rows(bench).keys() == {"a"} and running.poll() is None
    bench("resume", group, "--author", "Ada")
    assert running.wait(HANG_SECONDS) == 0
    assert {row["status"] for row in rows(bench).values()} == {"succeeded"} and len(rows(bench)) == 3
    assert "is closed already (completed)" in bench("resume", group, code=2).stderr
    bench("ledger", "verify")


@pytest.mark.parametrize("end", ["cancel", "interrupt"])
def test_a_paused_campaign_can_be_cancelled_and_interrupted(bench, gated, end):
    running = start(bench, gated, "--jobs", "1")
    started(gated, 1)
    group = group_of(bench)
    bench("pause", group)
    Path(gated["GATE"]).touch()
    until(lambda: not json.loads(bench("status", "--json").stdout))
    if end == "cancel":
        bench("cancel", group)
    else:
        running.send_signal(signal.SIGINT)
    assert running.wait(HANG_SECONDS) == (1 if end == "cancel" else 130)
    assert kinds(bench, "group_closed")[0]["data"]["reason"] == ("cancelled" if end == "cancel" else "interrupted")


def test_what_a_dead_owner_left_is_closed_by_cancel(bench, gated):
    running = start(bench, gated, "--jobs", "2")
    started(gated, 2)
    group = group_of(bench)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    told = bench("cancel", group, "--author", "Ada")
    assert told.stdout.count("its process is gone, so it was closed here") == 3
    assert {row["reason"] for row in rows(bench).values()} == {"orchestrator_lost"}
    assert kinds(bench, "group_closed")[0]["data"]["reason"] == "cancelled"
    assert not json.loads(bench("status", "--json").stdout)
    for pid in Path(gated["STARTED"]).iterdir():
        assert process_start(int(pid.name)) is None, "its benchmark was ended too"
    bench("ledger", "verify")


def test_unknown_ids_are_refused_with_the_nearest(bench, gated):
    nothing = bench("cancel", "rg_1", code=2)
    assert "nothing in progress has the id 'rg_1'\nhint: benchmarks status" in nothing.stderr
    running = start(bench, gated)
    started(gated, 1)
    group = group_of(bench)
    run_id = until(lambda: rows(bench).get("a"))["run_id"]
    assert f"did you mean {group}?" in bench("cancel", group[:-1] + "x", code=2).stderr
    assert f"only a group can be paused\nhint: its group is {group}" in bench("pause", run_id, code=2).stderr
    assert "in progress begin with 'r', such as" in bench("cancel", "r", code=2).stderr
    assert "nothing in progress has the id ''" in bench("cancel", "", code=2).stderr
    bench("cancel", group)
    assert running.wait(HANG_SECONDS) == 1
