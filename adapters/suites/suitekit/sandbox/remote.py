"""A function of model-written code in an isolated process, called from this one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from . import isolation, pipes
from .candidate import ERROR, MAX_ERROR, VALUE
from .isolation import Isolation
from .plain import MAX_BYTES, NotPlain, pack, unpack

START_SECONDS = 20.0
"""How long the candidate's process may take to be isolated, before its time begins."""
MAX_PROGRAM = 300_000
_HERE = os.path.dirname(os.path.abspath(__file__))


class CandidateFailed(BaseException):
    """The candidate gave no value. Not an Exception: tests that catch those must not catch it."""


class Refused(Exception):
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
        """The candidate's value for these arguments. Raises CandidateFailed, now and on every later call."""
        if self.failure:
            raise CandidateFailed(self.failure)
        try:
            self.send(pack([arguments, named]).encode())
            return self.value()
        except BaseException as problem:
            # After an interrupted call the next answer on the pipe is late: it must not pass for that of a later call.
            self.failure = self.failure or f"{type(problem).__name__}: {problem}".rstrip(": ")
            raise

    def send(self, message: bytes) -> None:
        """Send a message. Raises CandidateFailed."""
        try:
            pipes.send(self._asks, message, self.deadline)
        except (pipes.Ended, pipes.TooLate) as problem:
            raise self._failed(problem) from problem

    def hear(self) -> bytes:
        """The next message. Raises CandidateFailed."""
        try:
            return pipes.receive(self._hears, MAX_BYTES + 1, self.deadline)
        except (pipes.Ended, pipes.TooLate, pipes.TooLong) as problem:
            raise self._failed(problem) from problem

    def value(self) -> Any:
        """The value in the next message. Raises CandidateFailed if it is an error, or something else."""
        message = self.hear()
        kind, rest = message[:1], message[1:]
        if kind == VALUE:
            try:
                return unpack(rest) if rest else None
            except NotPlain as problem:
                raise self._failed(f"it answered with {problem}") from problem
        is_error = kind == ERROR
        raise self._failed(rest[:MAX_ERROR].decode(errors="replace") if is_error else "it sent no answer")

    def _failed(self, problem: Exception | str) -> CandidateFailed:
        """Keep the first reason: tests that catch the exception have failed too."""
        if isinstance(problem, pipes.TooLate):
            problem = f"no end after {self.seconds:g} s"
        elif isinstance(problem, pipes.TooLong):
            problem = f"it answered with more than {MAX_BYTES} bytes"
        elif isinstance(problem, pipes.Ended):
            problem = self._how_it_ended()
        self.failure = self.failure or str(problem) or "it failed without a word"
        return CandidateFailed(self.failure)

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "it closed its pipes before its tests were over"
        if code >= 0:
            return f"ended with {code} before its tests were over"
        return f"killed by {signal.Signals(-code).name}"


@contextlib.contextmanager
def open_candidate(
    chosen: Isolation, program: str, entry_point: str, seconds: float
) -> Iterator[tuple[Candidate, str]]:
    """The function `entry_point` of a program in a process that ends afterwards; and the isolation that holds.

    The program is about to be loaded: `candidate.value()` waits for it. All of its time is `seconds`. Raises Refused.
    """
    before = isolation.prefix(chosen, _HERE)
    if before is None:
        raise Refused(f"{chosen.value} is not installed")
    message = json.dumps({"program": program, "entry_point": entry_point, "seconds": seconds}).encode()
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
            answer = json.loads(candidate.hear())
        except CandidateFailed as problem:
            raise Refused(f"its process did not start: {problem}") from problem
        if "refused" in answer:
            raise Refused(answer["refused"])
        candidate.deadline, candidate.seconds = time.monotonic() + seconds, seconds
        yield candidate, answer["held"]
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def command(module: str) -> list[str]:
    """The command that runs `main` of a module of this folder, with nothing but the standard library beside it."""
    start = (
        f"import sys; sys.path.insert(0, {os.path.dirname(_HERE)!r}); "
        f"from {os.path.basename(_HERE)}.{module} import main; del sys.path[0]; main()"
    )
    return [os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", start]
