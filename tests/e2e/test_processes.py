"""Several orchestrators in parallel, killed at any moment: no work is done twice, lost or left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime

import psutil
import pytest

from tests.waiting import until

SLOW = """
import time
path = pathlib.Path(os.environ["GATE"])
print("begun", flush=True)
with path.open() as gate:
    gate.read()
"""
RESULT = "output.joinpath('result.json').write_text('{\"score\": 0.75, \"n\": 4}')\n"


def gate(tmp_path, name="gate"):
    """A named pipe: opened for writing when the child is at work, and the child goes on when it is closed."""
    path = tmp_path / name
    os.mkfifo(path)
    return path


def orchestrated(process):
    """The processes that a `run` command has started for its benchmark."""
    return psutil.Process(process.pid).children(recursive=True)


def test_two_orchestrators_share_the_same_matrix(bench):
    ids = [f"b{number}" for number in range(8)]
    for id in ids:
        bench.add(id)
    both = [bench.start("run", "--provider", "ollama", "--jobs", "2", "--benchmarks", *ids) for _ in range(3)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    runs = bench.runs()
    assert sorted(run["benchmark_id"] for run in runs) == ids
    assert {run["attempt"] for run in runs} == {1}


def test_work_in_progress_elsewhere_is_skipped_even_with_force(bench, tmp_path):
    path = gate(tmp_path)
    bench.add("slow", SLOW + RESULT)
    first = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(path))
    assert "started" in first.stderr.readline()
    with path.open("w"):
        assert "is running on" in bench.run("slow", more=("--force",))
    first.communicate(timeout=30)
    assert [run["status"] for run in bench.runs()] == ["succeeded"]
    assert bench.events("skipped")[0]["data"]["reason"] == "running_elsewhere"


def test_a_live_run_is_never_stale(bench, tmp_path):
    path = gate(tmp_path)
    bench.add("slow", SLOW + RESULT)
    process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(path))
    assert "started" in process.stderr.readline()
    with path.open("w"):
        assert "0 runs recovered; 1 still running" in bench("recover-stale-runs", "--stale-seconds", "0").stdout
    process.communicate(timeout=30)
    assert [run["status"] for run in bench.runs()] == ["succeeded"]


def test_the_run_of_a_killed_orchestrator_is_ended_and_repeated_by_the_next(bench, tmp_path):
    path = gate(tmp_path)
    bench.add("slow", SLOW + RESULT)
    process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(path))
    assert "started" in process.stderr.readline()
    with path.open("w"):
        family = orchestrated(process)
        process.kill()
        process.communicate()
        assert all(child.is_running() for child in family), "the orphans live on, until somebody looks"
        second_gate = gate(tmp_path, "second")
        again = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(second_gate))
        assert "its orchestrator is gone; it has failed" in again.stderr.readline()
        _, alive = psutil.wait_procs(family, timeout=20)
        assert not alive
    with second_gate.open("w"):
        pass
    again.communicate(timeout=30)
    first, second = bench.runs()
    assert (first["status"], first["recovered"], first["reason"]) == ("failed", True, "orchestrator_lost")
    assert first["error"].startswith("recovered")
    assert (second["status"], second["attempt"]) == ("succeeded", 2)
    assert [event["data"]["reason"] for event in bench.events("group_closed")] == ["orchestrator_lost", "completed"]


def test_the_result_of_a_child_that_finished_without_its_orchestrator_is_adopted(bench, tmp_path):
    path = gate(tmp_path)
    bench.add("slow", SLOW + "print('after')\n" + RESULT)
    process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(path))
    assert "started" in process.stderr.readline()
    with path.open("w"):
        family = orchestrated(process)
        process.kill()
        process.communicate()
    psutil.wait_procs(family, timeout=20)
    done = bench("recover-stale-runs", "--stale-seconds", "0", "--json")
    [row] = json.loads(done.stdout)
    assert (row["status"], row["score"], row["recovered"], row["samples"]) == ("succeeded", 0.75, True, 4)
    assert [artifact["path"] for artifact in row["artifacts"]] == ["output/result.json"]
    bench.run("slow")
    assert len(bench.runs()) == 1, "an adopted success is a success"


def test_an_adopted_result_of_a_mock_stays_synthetic(bench, tmp_path):
    path = gate(tmp_path)
    mock = '[options.mock]\ntype = "bool"\nargv = ["--mock"]\nsynthetic = [true]\n'
    bench.add("slow", SLOW + RESULT, more=mock)
    asked = ("--extra", '{"mock": true}')
    process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", *asked, GATE=str(path))
    assert "started" in process.stderr.readline()
    with path.open("w"):
        family = orchestrated(process)
        process.kill()
        process.communicate()
    psutil.wait_procs(family, timeout=20)
    [row] = json.loads(bench("recover-stale-runs", "--stale-seconds", "0", "--json").stdout)
    assert (row["status"], row["score"], row["synthetic"]) == ("succeeded", 0.75, True)


@pytest.mark.parametrize("ends", [True, False])
def test_the_error_of_a_lost_run_describes_its_child(bench, tmp_path, ends):
    path = gate(tmp_path)
    bench.add("slow", "print('last words', file=sys.stderr, flush=True)" + SLOW + "sys.exit(3)")
    process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(path))
    assert "started" in process.stderr.readline()
    with path.open("w") as held:
        family = orchestrated(process)
        log = next(bench.results.rglob("stderr.log"))
        until(lambda: log.stat().st_size)
        process.kill()
        process.communicate()
        if ends:
            held.close()
            psutil.wait_procs(family, timeout=20)
        bench("recover-stale-runs", "--stale-seconds", "0")
    [run] = bench.runs()
    assert (run["reason"], "ended by itself: exit code 3" in run["error"]) == ("orchestrator_lost", ends)
    assert run["error"].endswith("the last of stderr:\nlast words")


def test_a_dead_run_is_not_recovered_before_its_sign_of_life_is_old_enough(bench, tmp_path):
    path = gate(tmp_path)
    bench.add("slow", SLOW + RESULT)
    process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(path))
    assert "started" in process.stderr.readline()
    process.kill()
    process.communicate()
    assert "0 runs recovered; 1 still running" in bench("recover-stale-runs").stdout
    assert "1 runs recovered" in bench("recover-stale-runs", "--stale-seconds", "0").stdout
    assert "0 runs recovered; 0 still running" in bench("recover-stale-runs", "--stale-seconds", "0").stdout


def test_an_owner_that_returns_after_recovery_records_a_late_result(bench, tmp_path):
    path = gate(tmp_path)
    bench.add("slow", SLOW + RESULT)
    process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(path))
    assert "started" in process.stderr.readline()
    # For another machine, on a network disk without locks, this owner is only silent: recover as that machine would.
    code = (
        "import sys\n"
        "from benchmarks.ledger import identity\n"
        "from benchmarks.orchestrator.running import recovery\n"
        "identity.boot_id = lambda: 'another boot'; identity.machine_id = lambda: 'another machine'\n"
        "recovery.is_present = lambda folder: False\n"
        "from benchmarks.cli.main import main\n"
        "main()\n"
    )
    elsewhere = [
        sys.executable,
        "-c",
        code,
        "--workspace",
        str(bench.root),
        "recover-stale-runs",
        "--stale-seconds",
        "0",
    ]
    assert "1 runs recovered" in subprocess.run(elsewhere, capture_output=True, text=True, check=True).stdout
    with path.open("w"):
        pass
    process.communicate(timeout=30)
    [run] = bench.runs()
    assert (run["status"], run["recovered"], run["late"], run["score"]) == ("failed", True, True, None)
    [late] = bench.events("finished")
    assert (late["data"]["late"], late["data"]["score"]) == (True, 0.75)


def test_a_stopped_orchestrator_counts_no_time_after_the_end_of_its_benchmark(bench):
    """It is stopped while the benchmark waits, and continues long after the benchmark has ended."""
    bench.add(
        "short", "import time\nopen('begun', 'w')\nwhile not os.path.exists('go'): time.sleep(0.01)" + f"\n{RESULT}"
    )
    process = bench.start("run", "--benchmarks", "short", "--provider", "ollama", "--timeout", "3")
    until(lambda: (bench.root / "short" / "begun").exists())
    process.send_signal(signal.SIGSTOP)
    (bench.root / "short" / "go").touch()
    until(lambda: any(file.read_text() for file in bench.results.rglob("exit_status")))
    [noted] = bench.results.rglob("exit_status")
    while time.time() < noted.stat().st_mtime + 4:  # Time has to pass: the time that must not be counted.
        time.sleep(0.1)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    [run] = bench.runs()
    assert run["status"] == "succeeded" and "stood still" in run["notes"][0]
    began = datetime.fromisoformat(run["started_at"]).timestamp()
    assert run["duration_seconds"] <= noted.stat().st_mtime - began + 0.5
