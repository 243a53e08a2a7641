"""A simulated campaign: 1,000 workers on one PostgreSQL ledger, with the events of real runs, faster than real time.

    python -m tests.perf.scale --workers 1000 --speed 10 20 40

Each worker claims a run, gives signs of life at the times that `heartbeat.Pulse` chooses, ends the run, and claims the
next one. The workers share the processes of some orchestrators, each with one connection for its appends, as with `run
--jobs`. At speed 10, a run of 30 minutes takes 3. The lag is the time from the moment at which an event was due to its
durable append; if it grows, one head row cannot carry that rate.
"""

from __future__ import annotations

import argparse
import bisect
import heapq
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.history import History
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.open import open_store
from benchmarks.orchestrator.running.heartbeat import Pulse
from tests.cluster.postgres.server import Server

from .ledger import one_run
from .postgres import new_ledger

_SYNCS = 300


class Done(msgspec.Struct):
    """What one process did: events, runs, the lag of each append in seconds, and the seconds that it worked."""

    events: int
    runs: int
    lags: list[float]
    seconds: float


def schedule_of(run_seconds: float) -> list[float]:
    """The seconds after its start at which a run of that length gives a sign of life."""
    pulse = Pulse(0.0)
    return [float(second) for second in range(1, int(run_seconds)) if pulse.beat(float(second), None)]


def work(url: str, number: int, workers: int, speed: float, run_seconds: float, seconds: float) -> Done:
    """Let the workers of one process work for some seconds of real time."""
    rng = random.Random(number)
    ledger = Ledger(open_store(url, notice=print))
    beats = schedule_of(run_seconds)
    done = Done(0, 0, [], 0.0)
    due: list[tuple[float, int, int, int]] = []
    # The campaign goes on for long already: its workers are at any point of their runs.
    firsts = [next(iter(one_run(f"rg_{number}", (number * workers + worker) * 100_000))) for worker in range(workers)]
    ledger.decide(lambda _: firsts)
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.monotonic()
    for worker in range(workers):
        age = rng.random() * run_seconds
        step = bisect.bisect_right(beats, age)
        after = beats[step] if step < len(beats) else run_seconds
        heapq.heappush(due, (begin + (after - age) / speed, worker, 0, step + 1))
    while due and due[0][0] < begin + seconds:
        at, worker, count, step = heapq.heappop(due)
        time.sleep(max(0.0, at - time.monotonic()))
        names = (number * workers + worker) * 100_000 + count
        started, beat, *_, finished = one_run(f"rg_{number}", names)
        run_id = started.stream
        if step == 0:

            def claim(history: History, new: NewEvent = started) -> list[NewEvent]:
                return [] if history.live_run(new.data.signature) else [new]  # type: ignore[attr-defined]

            ledger.decide(claim)
            began = at
        elif step <= len(beats):
            ledger.append(run_id, beat.data, sync=False)
        else:
            ledger.append(run_id, finished.data)
        done.events += 1
        done.lags.append(time.monotonic() - at)
        if step > len(beats):
            done.runs += 1
            heapq.heappush(due, (at + 0.5 / speed, worker, count + 1, 0))
        else:
            began = at - (beats[step - 1] if 0 < step <= len(beats) else 0.0) / speed
            after = beats[step] if step < len(beats) else run_seconds
            heapq.heappush(due, (began + after / speed, worker, count, step + 1))
    done.seconds = time.monotonic() - begin
    ledger.close()
    return done


def simulate(url: str, *, workers: int, processes: int, speed: float, run_seconds: float, seconds: float) -> list[Done]:
    """Let all workers work, in some processes."""
    started = []
    for number in range(processes):
        settings = [url, number, workers // processes, speed, run_seconds, seconds]
        argv = [sys.executable, "-m", "tests.perf.scale", "--process", json.dumps(settings)]
        started.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    for process in started:
        assert process.stdout and process.stdout.readline() == b"ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.flush()
    return [msgspec.json.decode(process.communicate()[0], type=Done) for process in started]


def figures(done: list[Done]) -> dict[str, Any]:
    """Rates and lags of a simulation."""
    lags = sorted(lag for one in done for lag in one.lags)
    seconds = max(one.seconds for one in done)
    return {
        "events_per_second": round(sum(one.events for one in done) / seconds, 1),
        "runs": sum(one.runs for one in done),
        "lag_ms": {
            "median": round(statistics.median(lags) * 1000, 1),
            "p99": round(lags[int(len(lags) * 0.99)] * 1000, 1),
            "max": round(lags[-1] * 1000, 1),
        },
    }


def syncs_per_second(folder: Path) -> float:
    """How often a line can be written to a file and synced here: what the disk allows."""
    with tempfile.TemporaryFile(dir=folder) as file:
        begin = time.perf_counter()
        for _ in range(_SYNCS):
            os.write(file.fileno(), b"x" * 500)
            os.fdatasync(file.fileno())
        return round(_SYNCS / (time.perf_counter() - begin), 1)


def main() -> None:
    """Simulate a campaign at each of the speeds, and print a line of figures for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf.scale", description=main.__doc__)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--speed", type=float, nargs="*", default=[10.0, 20.0, 40.0])
    parser.add_argument("--run-seconds", type=float, default=1800.0, help="the length of a run in real time")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each simulation takes")
    parser.add_argument("--process", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.process:
        sys.stdout.buffer.write(msgspec.json.encode(work(*json.loads(asked.process))))
        return
    server = Server(on_disk=True)
    try:
        beats = len(schedule_of(asked.run_seconds))
        print(f"{asked.workers} workers, runs of {asked.run_seconds:g} s, {beats + 2} events each", flush=True)
        for speed in asked.speed:
            syncs = syncs_per_second(server.folder.parent)
            url = new_ledger(server)
            done = simulate(
                url,
                workers=asked.workers,
                processes=asked.processes,
                speed=speed,
                run_seconds=asked.run_seconds,
                seconds=asked.seconds,
            )
            store = open_store(url, notice=print)
            size = sum(len(line) + 1 for line in store.read_lines())
            stored = {
                "bytes_per_event": round(size / store.head().seq),
                "bytes_in_database": store.size(),
                "raw_syncs_per_second": syncs,
            }
            print(json.dumps({"speed": speed, **figures(done), **stored}), flush=True)
    finally:
        server.close()


if __name__ == "__main__":
    main()
