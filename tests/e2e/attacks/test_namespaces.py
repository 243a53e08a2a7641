"""PID namespaces and machines: a live run is never taken for a dead one, and time limits hold in each of them."""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Bench

SLOW = """
print("begun", flush=True)
with open(os.environ["GATE"]) as gate:
    gate.read()
output.joinpath("result.json").write_text(json.dumps({"score": 0.75, "n": 4}))
"""
LEAVER = """
import subprocess, time
left = subprocess.Popen(["sleep", "600"], start_new_session=True)
time.sleep(600)
"""
OWN_PROC = ("unshare", "-Urpf", "--kill-child", "--mount-proc")
PROC_OF_THE_HOST = ("unshare", "-Urpf", "--kill-child")
ANOTHER_MACHINE = (
    *("unshare", "-Urm", "sh", "-c"),
    'mount --bind "$0" /proc/sys/kernel/random/boot_id && mount --bind "$1" /etc/machine-id && shift && exec "$@"',
)


def works(*prefix: str) -> bool:
    return (
        shutil.which("unshare") is not None and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    )


needs_namespaces = pytest.mark.skipif(not works(*OWN_PROC), reason="the kernel allows no user and PID namespaces here")


def start(bench: Bench, prefix: tuple[str, ...], gate: Path) -> subprocess.Popen[str]:
    """A run that waits for its gate; it has begun."""
    bench.add("slow", SLOW)
    os.mkfifo(gate)
    process = subprocess.Popen(
        [*prefix, *bench.command("run", "--benchmarks", "slow", "--provider", "ollama")],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**bench.environ, "GATE": str(gate)},
    )
    assert process.stderr and "started" in process.stderr.readline()
    return process


def say(bench: Bench, prefix: tuple[str, ...], *command: str) -> str:
    done = subprocess.run([*prefix, *bench.command(*command)], capture_output=True, text=True, env=bench.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@needs_namespaces
@pytest.mark.parametrize(
    ("here", "there"),
    [((), OWN_PROC), (OWN_PROC, ()), (OWN_PROC, OWN_PROC), (PROC_OF_THE_HOST, OWN_PROC), ((), PROC_OF_THE_HOST)],
    ids=["from a namespace", "in a namespace", "from a sibling", "with the host's /proc", "from the host's /proc"],
)
def test_a_live_run_is_not_ended_from_another_namespace(
    bench: Bench, tmp_path: Path, here: tuple[str, ...], there: tuple[str, ...], tally: collections.Counter[str]
) -> None:
    process = start(bench, here, tmp_path / "gate")
    with (tmp_path / "gate").open("w"):
        printed = say(bench, there, "recover-stale-runs", "--stale-seconds", "0")
        assert "0 runs recovered; 1 still running" in printed
        asked = ("run", "--benchmarks", "slow", "--provider", "ollama", "--force")
        assert "is running on" in say(bench, there, *asked)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert [(run["status"], run["late"]) for run in bench.runs()] == [("succeeded", False)]
    tally["live runs left alone"] += 1


@needs_namespaces
def test_a_run_whose_namespace_is_gone_is_recovered_when_somebody_asks(
    bench: Bench, tmp_path: Path, tally: collections.Counter[str]
) -> None:
    process = start(bench, OWN_PROC, tmp_path / "gate")
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while "0 runs" in (message := bench("recover-stale-runs", "--stale-seconds", "0").stdout):
        assert time.monotonic() < deadline
    assert "1 runs recovered; 0 still running" in message
    tally["lost runs recovered"] += 1


@needs_namespaces
@pytest.mark.parametrize("stubborn", [False, True])
def test_a_time_limit_holds_in_a_namespace_with_the_proc_of_its_host(
    bench: Bench, stubborn: bool, tally: collections.Counter[str]
) -> None:
    bench.add("slow", ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if stubborn else "") + LEAVER)
    done = subprocess.run(
        [*PROC_OF_THE_HOST, *bench.command("run", "--benchmarks", "slow", "--provider", "ollama", "--timeout", "1")],
        capture_output=True,
        text=True,
        env=bench.environ,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    [run] = bench.runs()
    assert run["reason"] == "timeout"
    # A process that ignores the signal gets five seconds, not more.
    [failed] = bench.events("failed")
    assert failed["data"]["duration_seconds"] < (9 if stubborn else 4)
    tally["limits that held"] += 1


def test_a_machine_of_the_same_name_does_not_repeat_a_run_of_another_one(
    bench: Bench, tmp_path: Path, tally: collections.Counter[str]
) -> None:
    (tmp_path / "boot").write_text("6e39d2f5-0a3c-4f53-9d5d-1f2f6a8f0c11\n")
    (tmp_path / "machine").write_text("0123456789abcdef0123456789abcdef\n")
    own = Path("/etc/machine-id")
    ids = [tmp_path / "machine", *([own] if own.exists() and own.stat().st_size else [])]
    prefixes = [(*ANOTHER_MACHINE, str(tmp_path / "boot"), str(id)) for id in ids]
    if not own.exists() or not all(works(*prefix) for prefix in prefixes):
        pytest.skip("the kernel allows no mounts here")
    process = start(bench, (), tmp_path / "gate")
    with (tmp_path / "gate").open("w"):
        for prefix in prefixes:
            printed = say(bench, prefix, "run", "--benchmarks", "slow", "--provider", "ollama")
            assert "is running on" in printed
            tally["machines that left it alone"] += 1
    process.communicate(timeout=60)
    assert [(run["status"], run["attempt"]) for run in bench.runs()] == [("succeeded", 1)]
