"""What a person, or a program, sees of a campaign under way: status, quiet, and the stream of events."""

from __future__ import annotations

import json
import os

import pytest


@pytest.fixture
def slow(bench, tmp_path):
    """A benchmark that waits at a gate, after it has told its progress."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    bench.add(
        "slow",
        'open(os.environ["GATE"]).read()\noutput.joinpath(\'result.json\').write_text(\'{"score": 0.5, "n": 4}\')',
    )
    bench.gate = path
    return bench


def test_status_shows_what_runs_and_whether_it_lives(slow):
    assert slow("status").stdout == "nothing runs\n"
    process = slow.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(slow.gate))
    assert "started" in process.stderr.readline()
    [row] = json.loads(slow("status", "--json").stdout)
    assert (row["status"], row["liveness"], row["stale"]) == ("running", "alive", False)
    assert row["run_id"] in slow("status").stdout and f"process {process.pid}" in slow("status").stdout
    process.kill()
    process.communicate()
    assert json.loads(slow("status", "--json").stdout)[0]["liveness"] == "dead"
    slow("recover-stale-runs", "--stale-seconds", "0")
    assert slow("status").stdout == "nothing runs\n"


def test_quiet_tells_of_failures_only(bench):
    bench.add("good")
    bench.add("bad", "sys.exit(3)")
    done = bench("run", "--benchmarks", "good", "bad", "--provider", "ollama", "--quiet", code=1)
    assert done.stdout == ""
    assert done.stderr.startswith("bad: failed (exit_code)") and "good" not in done.stderr


def test_the_events_are_printed_as_they_are_recorded(bench):
    bench.add("good")
    bench.add("bad", "sys.exit(3)")
    done = bench("run", "--benchmarks", "good", "bad", "--provider", "ollama", "--json", "--jobs", "2", code=1)
    assert sorted(done.stdout.splitlines()) == sorted(bench("ledger", "log", "--json").stdout.splitlines())
    assert "succeeded" not in done.stderr


def test_nothing_is_printed_twice_for_a_skip(bench):
    bench.add("good")
    bench.run("good")
    done = bench("run", "--benchmarks", "good", "--provider", "ollama", "--json")
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == [
        "group_opened",
        "skipped",
        "group_closed",
    ]
