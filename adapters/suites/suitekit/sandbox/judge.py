"""The process that runs the tests. The code under test is in another one, reached by a stand-in for its function."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from . import isolation, pipes
from .candidate import ERROR, LONGEST_ERROR, VALUE
from .isolation import Isolation
from .plain import MOST_BYTES, NotPlain, pack, unpack

START_SECONDS = 20.0
"""How long the candidate's process may take to be isolated, before its time begins."""
_LONGEST_PROGRAM = 300_000
_MEMORY_BYTES = 2 * 1024**3
_HERE = os.path.dirname(os.path.abspath(__file__))


class _Failed(BaseException):
    """The candidate gave no value. Not an Exception: tests that catch those must not catch it."""


class _Refused(Exception):
    """The candidate's process could not be isolated."""


class Candidate:
    """A function in another process: called here, run there, and back come plain data."""

    def __init__(self, process: subprocess.Popen[bytes], deadline: float, seconds: float) -> None:
        self._process = process
        self._asks, self._hears = (pipe.fileno() for pipe in (process.stdin, process.stdout) if pipe)
        os.set_blocking(self._asks, False)
        self.deadline = deadline
        self.seconds = seconds
        self.failure = ""

    def __call__(self, *arguments: object, **named: object) -> Any:
        """The candidate's value for these arguments. Raises _Failed, now and on every later call."""
        if self.failure:
            raise _Failed(self.failure)
        self.send(pack([arguments, named]).encode())
        return self.value()

    def send(self, message: bytes) -> None:
        """Send a message. Raises _Failed."""
        try:
            pipes.send(self._asks, message, self.deadline)
        except (pipes.Ended, pipes.TooLate) as problem:
            raise self._failed(problem) from problem

    def hear(self) -> bytes:
        """The next message. Raises _Failed."""
        try:
            return pipes.receive(self._hears, MOST_BYTES + 1, self.deadline)
        except (pipes.Ended, pipes.TooLate, pipes.TooLong) as problem:
            raise self._failed(problem) from problem

    def value(self) -> Any:
        """The value in the next message. Raises _Failed if it is an error, or something else."""
        message = self.hear()
        kind, rest = message[:1], message[1:]
        if kind == VALUE:
            try:
                return unpack(rest) if rest else None
            except NotPlain as problem:
                raise self._failed(f"it answered with {problem}") from problem
        is_error = kind == ERROR
        raise self._failed(rest[:LONGEST_ERROR].decode(errors="replace") if is_error else "it sent no answer")

    def _failed(self, problem: Exception | str) -> _Failed:
        """Keep the first reason: tests that catch the exception have failed all the same."""
        if isinstance(problem, pipes.TooLate):
            problem = f"no end after {self.seconds:g} s"
        elif isinstance(problem, pipes.TooLong):
            problem = f"it answered with more than {MOST_BYTES} bytes"
        elif isinstance(problem, pipes.Ended):
            problem = self._how_it_ended()
        self.failure = self.failure or str(problem) or "it failed without a word"
        return _Failed(self.failure)

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "it closed its pipes before its tests were over"
        if code >= 0:
            return f"ended with {code} before its tests were over"
        return f"killed by {signal.Signals(-code).name}"


def main() -> None:
    """Read a task from the standard input, judge it, and write the verdict to the standard output."""
    task = json.load(sys.stdin.buffer)
    told = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1):
        os.dup2(null, handle)
    with contextlib.suppress(ValueError):  # macOS takes no limit of address space.
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    with open(told, "wb") as file:
        file.write(json.dumps(_judge(task)).encode())


def _judge(task: dict[str, Any]) -> dict[str, Any]:
    if len(task["program"]) > _LONGEST_PROGRAM:
        return {"held": "", "error": f"a program of more than {_LONGEST_PROGRAM} characters"}
    try:
        with _candidate(task) as (candidate, held):
            return {"held": held, "error": _tests(task, candidate)[:LONGEST_ERROR]}
    except _Refused as problem:
        return {"refused": str(problem)}


@contextlib.contextmanager
def _candidate(task: dict[str, Any]) -> Iterator[tuple[Candidate, str]]:
    """The candidate's process, isolated and about to load its program; ended afterwards. Raises _Refused."""
    chosen = Isolation(task["isolation"])
    before = isolation.prefix(chosen, _HERE)
    if before is None:
        raise _Refused(f"{chosen.value} is not installed")
    message = json.dumps({name: task[name] for name in ("program", "entry_point", "seconds")}).encode()
    process = subprocess.Popen(
        [*before, *command("candidate"), chosen.value],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},
        start_new_session=True,
    )
    try:
        candidate = Candidate(process, time.monotonic() + START_SECONDS, START_SECONDS)
        try:
            candidate.send(message)
            told = json.loads(candidate.hear())
        except _Failed as problem:
            raise _Refused(f"its process did not start: {problem}") from problem
        if "refused" in told:
            raise _Refused(told["refused"])
        candidate.deadline, candidate.seconds = time.monotonic() + task["seconds"], task["seconds"]
        yield candidate, told["held"]
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def _tests(task: dict[str, Any], candidate: Candidate) -> str:
    """Why the tests fail; empty if they pass."""
    try:
        candidate.value()  # The program is loaded.
        names: dict[str, Any] = {"__name__": "tests"}
        exec(compile(task["helpers"], "<helpers>", "exec"), names)  # noqa: S102 - the benchmark's own code
        names[task["entry_point"]] = candidate
        exec(compile(task["test"], "<test>", "exec"), names)  # noqa: S102
        names["check"](candidate)
    except (Exception, _Failed, SystemExit) as problem:  # noqa: BLE001 - tests fail in any way
        return candidate.failure or f"{type(problem).__name__}: {problem}".rstrip(": ")
    # Tests that caught a failure of the candidate have not passed.
    return candidate.failure


def command(module: str) -> list[str]:
    """The command that runs `main` of a module of this folder, with nothing but the standard library beside it."""
    start = (
        f"import sys; sys.path.insert(0, {os.path.dirname(_HERE)!r}); "
        f"from {os.path.basename(_HERE)}.{module} import main; del sys.path[0]; main()"
    )
    return [os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", start]
