"""A suspension is not work: neither of the child, nor of its orchestrator, nor of both."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.orchestrator.running import stopwatch as stopwatches
from benchmarks.orchestrator.running.stopwatch import Stopwatch

pytestmark = pytest.mark.skipif(not hasattr(os, "waitid"), reason="this system does not tell of stopped children")


@pytest.fixture
def clock(monkeypatch):
    """The clocks of this process, which a test turns."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(stopwatches.time, "monotonic", lambda: Clock.now)
    monkeypatch.setattr(stopwatches.time, "time", lambda: Clock.now + 10**9)
    return Clock


@pytest.fixture
def child():
    with subprocess.Popen(["sleep", "600"]) as child:
        yield child
        child.kill()


def await_state(child, wanted):
    while (state := Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0]) not in wanted:
        assert state != "Z"
        time.sleep(0.001)


def test_time_in_which_this_process_is_looked_at_is_work(clock, child):
    watch = Stopwatch(child.pid, clock.now)
    for _ in range(20):
        clock.now += 0.5
        assert watch.look() == 0.0
    assert (watch.worked(None), watch.note()) == (10.0, [])


def test_a_child_that_works_on_while_this_process_is_stopped_works(clock, child):
    watch = Stopwatch(child.pid, clock.now)
    clock.now += 60
    assert watch.look() == 60.0, "its limits are extended"
    clock.now += 0.5
    assert watch.worked(None) == 60.5
    assert watch.note() == ["its orchestrator stood still for 60 s meanwhile"]


def test_the_end_of_a_child_counts_and_not_when_this_process_saw_it(clock, child):
    for noted, worked in ((2, 3.0), (5000, 61.0), (-5000, 1.0)):  # No time of a file makes it longer than it was.
        watch = Stopwatch(child.pid, clock.now)
        clock.now += 1
        watch.look()
        ended_at = clock.now + noted + 10**9
        clock.now += 60
        assert watch.worked(ended_at) == worked
        assert watch.note() == ["its orchestrator stood still for 60 s meanwhile"]


def test_time_in_which_both_were_stopped_does_not_count(clock, child):
    watch = Stopwatch(child.pid, clock.now)
    clock.now += 0.5
    watch.look()
    child.send_signal(signal.SIGSTOP)
    await_state(child, "T")
    child.send_signal(signal.SIGCONT)
    await_state(child, "SR")
    clock.now += 60
    assert watch.look() == 60.0
    clock.now += 0.5
    assert watch.worked(None) == 1.0


def test_a_child_that_stops_itself_gains_no_time(clock, child):
    watch = Stopwatch(child.pid, clock.now)
    child.send_signal(signal.SIGSTOP)
    await_state(child, "T")
    for _ in range(20):
        clock.now += 0.5
        assert watch.look() == 0.0
    assert watch.worked(None) == 10.0
