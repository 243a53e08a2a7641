"""Runs a model's program against its tests, in a process that can do little else."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..suitekit.command import SuiteError

_RUNNER = Path(__file__).with_name("candidate_runner.py")
_STARTUP_SECONDS = 2.0
_PROBE_SECONDS = 10.0
_LONGEST_ERROR = 300


@dataclass(frozen=True)
class Verdict:
    """Whether the tests passed; if not, why. `network` says what kept the program from it."""

    passed: bool
    error: str
    network: str


def check(program: str, test: str, entry_point: str, seconds: float) -> Verdict:
    """Run a program and then its tests, for at most so many seconds.

    The process has an empty folder, no environment, little memory, no network, and can neither write files nor start
    other processes. It has passed only when it says a word that was made for this check, after its tests.
    """
    word = secrets.token_hex(16)
    task = {"program": program, "test": test, "entry_point": entry_point, "word": word, "seconds": seconds}
    # A file, and no pipe, takes the report: the limit on the size of files then holds for whatever a program says.
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as asked:
        asked.write(json.dumps(task).encode())
        asked.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_RUNNER)],
            cwd=folder,
            env={},
            stdin=asked,
            stdout=told,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(seconds + _STARTUP_SECONDS)
        except subprocess.TimeoutExpired:
            return Verdict(False, f"no end after {seconds:g} s", "")
        finally:
            _kill(process)
        told.seek(0)
        return _verdict(told.read(), word, process.returncode)


def probe() -> str:
    """What keeps programs from the network here: `namespace` (the kernel) or `audit hook` (the interpreter).

    Raises SuiteError where not even a right program passes, so that no model is judged by a sandbox that is broken.
    """
    verdict = check("def one():\n    return 1\n", "def check(one):\n    assert one() == 1\n", "one", _PROBE_SECONDS)
    if not verdict.passed:
        raise SuiteError(f"the sandbox does not work here: a program that is right failed with '{verdict.error}'")
    return verdict.network


def _verdict(told: bytes, word: str, code: int) -> Verdict:
    lines = told.decode(errors="replace").splitlines()
    for line in lines:
        try:
            report = json.loads(line)
        except ValueError:
            continue  # The program printed something of its own.
        if isinstance(report, dict) and report.get("word") == word:
            error = str(report.get("error") or "")[:_LONGEST_ERROR]
            return Verdict(bool(report.get("passed")), error, str(report.get("network") or ""))
    why = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code} before its tests did"
    return Verdict(False, why, "")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it may have started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError:
        process.kill()
    process.wait()
