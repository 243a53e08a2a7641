"""The output of a running campaign: status, quiet, and the stream of events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading

import pytest


@pytest.fixture
def slow(bench, tmp_path):
    """A benchmark that reports progress and then waits at a gate."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    bench.add(
        "slow",
        'open(os.environ["GATE"]).read()\noutput.joinpath(\'result.json\').write_text(\'{"score": 0.5, "n": 4}\')',
    )
    bench.gate = path
    return bench


def test_status_shows_runs_in_progress_and_their_liveness(slow):
    assert slow("status").stdout == "no runs in progress\n"
    process = slow.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(slow.gate))
    assert "started" in process.stderr.readline()
    [row] = json.loads(slow("status", "--json").stdout)
    assert (row["status"], row["liveness"], row["stale"]) == ("running", "alive", False)
    assert row["run_id"] in slow("status").stdout and f"process {process.pid}" in slow("status").stdout
    process.kill()
    process.communicate()
    assert json.loads(slow("status", "--json").stdout)[0]["liveness"] == "dead"
    slow("recover-stale-runs", "--stale-seconds", "0")
    assert slow("status").stdout == "no runs in progress\n"


def test_quiet_prints_failures_only(bench):
    bench.add("good")
    bench.add("bad", "sys.exit(3)")
    done = bench("run", "--benchmarks", "good", "bad", "--provider", "ollama", "--quiet", code=1)
    assert done.stdout == ""
    assert done.stderr.startswith("bad: failed (exit_code)") and "good" not in done.stderr


def test_a_failure_is_shown_with_the_last_line_of_stderr(bench):
    bench.add("bad", 'print("first\\n\\x1b]0;title\\x07\\x1b[31mthe \\0reason\\x1b[0m", file=sys.stderr); sys.exit(3)')
    printed = bench.run("bad", code=1)
    assert printed.splitlines()[-1].endswith(": exit code 3: the reason")
    [run] = bench.runs()
    assert run["error"] == "exit code 3; the last of stderr:\nfirst\nthe reason"


def test_the_events_are_printed_as_they_are_recorded(bench):
    bench.add("good")
    bench.add("bad", "sys.exit(3)")
    done = bench("run", "--benchmarks", "good", "bad", "--provider", "ollama", "--json", "--jobs", "2", code=1)
    assert sorted(done.stdout.splitlines()) == sorted(bench("ledger", "log", "--json").stdout.splitlines())
    assert "succeeded" not in done.stderr


@pytest.mark.parametrize("gone", [["stdout"], ["stdout", "stderr"]])
@pytest.mark.parametrize("mode", [["--json"], ["--quiet"], []])
def test_a_campaign_goes_on_if_its_output_is_closed(bench, mode, gone):
    bench.add("good")
    bench.add("bad", "sys.exit(3)")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        command = bench.command("run", "--benchmarks", "good", "bad", "--provider", "ollama", *mode)
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **dict.fromkeys(gone, closed)}
        done = subprocess.run(command, env=bench.environ, timeout=60, **streams)
    assert done.returncode == 1
    log = [json.loads(line) for line in bench("ledger", "log", "--json").stdout.splitlines()]
    [end] = [event["data"] for event in log if event["type"] == "group_closed"]
    assert (end["reason"], end["counts"]["succeeded"], end["counts"]["failed"]) == ("completed", 1, 1)


def test_a_campaign_goes_on_if_its_terminal_is_gone(slow):
    terminal, stream = os.openpty()
    command = slow.command("run", "--benchmarks", "slow", "--provider", "ollama")
    environ = {**slow.environ, "TERM": "xterm", "GATE": str(slow.gate)}
    process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environ, start_new_session=True)
    os.close(stream)
    shown = b""
    while b"slow" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    threading.Thread(target=slow.gate.write_text, args=("",), daemon=True).start()
    assert process.wait(60) == 0
    assert [run["status"] for run in slow.runs()] == ["succeeded"]


def test_under_nohup_a_campaign_outlives_its_terminal(slow):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = slow.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(slow.gate))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert "started" in process.stderr.readline()
    process.send_signal(signal.SIGHUP)
    # Opening the gate waits for its reader, and after the run was ended it has none.
    threading.Thread(target=slow.gate.write_text, args=("",), daemon=True).start()
    process.communicate()
    assert process.returncode == 0


def test_nothing_is_printed_twice_for_a_skip(bench):
    bench.add("good")
    bench.run("good")
    done = bench("run", "--benchmarks", "good", "--provider", "ollama", "--json")
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == [
        "group_opened",
        "skipped",
        "group_closed",
    ]
