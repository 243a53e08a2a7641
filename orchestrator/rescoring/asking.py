"""Runs a scorer's command on one run, within limits: a scorer is a foreign program."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from ...adapters.secret_names import secrets_of
from ...ledger.terminal import plain
from ..machine.processes import end_marked
from ..redaction import Redactor

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer; a longer one is refused."""

MARKER = "BENCHMARKS_SCORER"
"""The variable by which the processes of a scorer are found when it has ended."""

_MAX_SAID = 64 * 1024
_MAX_SHOWN = 300
_CHUNK = 64 * 1024
_LOOK_SECONDS = 0.2


class ScorerFailed(Exception):
    """Why a scorer gave no score for a run, in one line."""


class Asking(msgspec.Struct, frozen=True):
    """How scorers are run: for at most `timeout` seconds each, until `is_over` says that all of them have to end.

    `environment` is what they see. `redactor` removes secrets from the reports of their errors.
    """

    environment: Mapping[str, str]
    redactor: Redactor
    timeout: float
    is_over: Callable[[], bool] = lambda: False


def environment_for_scorers(environ: Mapping[str, str], passed: Iterable[str] = ()) -> dict[str, str]:
    """The variables without those that hold secrets, unless their names are `passed`."""
    secrets = frozenset(secrets_of(environ).values())
    allowed = frozenset(passed)
    return {
        name: value
        for name, value in environ.items()
        if name in allowed or not any(secret in value for secret in secrets)
    }


def ask(argv: list[str], lines: Iterable[bytes], asking: Asking, more: Mapping[str, str]) -> bytes:
    """What a command writes to its output if it reads these lines; `more` are variables about the run.

    It runs in an empty folder and a session of its own. When this returns or raises, none of its processes is left.
    Raises ScorerFailed.
    """
    mark = uuid.uuid4().hex
    environment = {**asking.environment, **more, MARKER: mark}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="benchmarks-scorer-", ignore_cleanup_errors=True)
        )
        question = stack.enter_context(tempfile.TemporaryFile())
        for line in lines:
            question.write(line.rstrip(b"\n") + b"\n")
        question.seek(0)
        try:
            process = subprocess.Popen(
                argv,
                stdin=question,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as problem:
            raise ScorerFailed(f"it cannot be started: {problem.strerror}") from problem
        stack.enter_context(process)
        stack.callback(_end, process, mark)
        answer, said = _read(process, asking, mark)
    if process.returncode != 0:
        how = _how(process.returncode)
        last = asking.redactor.text(plain(said.decode(errors="replace"))).strip().rpartition("\n")[2][:_MAX_SHOWN]
        raise ScorerFailed(f"it {how}" + (f": {last}" if last else ""))
    return answer


def _read(process: subprocess.Popen[bytes], asking: Asking, mark: str) -> tuple[bytes, bytes]:
    """What it writes to its output, and the end of what it writes to its other output."""
    assert process.stdout is not None and process.stderr is not None  # noqa: S101 - for the type checker: both are pipes
    answer, said = bytearray(), bytearray()
    until = time.monotonic() + asking.timeout
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            if asking.is_over():
                raise ScorerFailed("interrupted")
            if time.monotonic() > until:
                raise ScorerFailed(f"no answer after {asking.timeout:g} s")
            if process.poll() is not None:
                end_marked(f"{MARKER}={mark}", grace_seconds=0)  # One that it left behind may hold the pipes open.
            for key, _ in selector.select(_LOOK_SECONDS):
                piece = os.read(key.fd, _CHUNK)
                if not piece:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    answer += piece
                    if len(answer) > MAX_ANSWER:
                        raise ScorerFailed(f"its answer is longer than {MAX_ANSWER >> 20} MiB")
                else:
                    said += piece
                    del said[:-_MAX_SAID]
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise ScorerFailed(f"it did not end within {asking.timeout:g} s") from None
    return bytes(answer), bytes(said)


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    end_marked(f"{MARKER}={mark}", grace_seconds=0)


def _how(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with {code}"


def folder_variables(run_id: str, benchmark_id: str, output: Path) -> dict[str, str]:
    """The variables about a run that a scorer gets."""
    return {"BENCHMARK_RUN_ID": run_id, "BENCHMARK_ID": benchmark_id, "BENCHMARK_OUTPUT_DIR": str(output)}
