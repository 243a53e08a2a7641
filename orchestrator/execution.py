"""One child process from start to end: its logs, its time limit, and that nothing of it stays behind.

The child runs under a shell of one line that notes its exit status in a file beside the logs. So the next
orchestrator can tell a child that finished after its own orchestrator was killed from one that did not.
"""

from __future__ import annotations

import contextlib
import functools
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from .processes import end_marked
from .redaction import Redactor

EXIT_STATUS = "exit_status"
"""The file beside the logs that holds the child's exit status once it has ended."""

RUN_ID_VARIABLE = "BENCHMARK_RUN_ID"
"""The variable that names its run to a child."""

# $0 is the file of the exit status, the arguments are the command.
_SHELL = '"$@"; code=$?; printf %s "$code" >"$0"; exit "$code"'
_CHUNK = 64 * 1024
_TICK_SECONDS = 0.5
_DRAIN_SECONDS = 2.0
"""How long to wait for the end of the output when the child is gone and everything it left was ended."""


class Cancellation:
    """Asks every child process under way to end; safe to use in a signal handler."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self.requested = False

    def request(self) -> None:
        """End all of them, and let none begin."""
        self.requested = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"!")

    def fileno(self) -> int:
        """Readable from the request on, for ever."""
        return self._read

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._read)
        os.close(self._write)


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a child ended. `reason` is None for an end of its own; `left_behind` counts processes that were ended."""

    return_code: int | None
    duration_seconds: float
    reason: str | None = None
    error: str = ""
    left_behind: int = 0


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """What to start, and where its output goes. `environment` names the run by RUN_ID_VARIABLE."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    folder: Path
    timeout_seconds: float
    grace_seconds: float = 5.0


def execute(child: Child, *, redactor: Redactor, cancellation: Cancellation, tick: Callable[[], None]) -> Exit:
    """Run a child to its end; `tick` is called about twice a second meanwhile.

    When this returns or raises, no process that the child started is left. A command that can't be started is an
    Exit with reason `start`.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context((child.folder / f"{name}.log").open("wb")) for name in ("stdout", "stderr")]
        pipes = [os.pipe(), os.pipe()]
        reads, writes = [pipe[0] for pipe in pipes], [pipe[1] for pipe in pipes]
        for fd in reads:
            stack.callback(os.close, fd)
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _SHELL, str(child.folder / EXIT_STATUS), *child.argv],
                cwd=child.cwd,
                env=dict(child.environment),
                stdin=subprocess.DEVNULL,
                stdout=writes[0],
                stderr=writes[1],
                start_new_session=True,
                # The child keeps the reading ends open too: should this process be killed, its next print must not
                # kill the child with a broken pipe.
                pass_fds=reads,
            )
        except OSError as problem:
            error = f"cannot start in {child.cwd}: {problem.strerror}"
            return Exit(return_code=None, duration_seconds=0.0, reason="start", error=error)
        finally:
            for fd in writes:
                os.close(fd)
        # The child's process group, and those of its processes that left the group.
        end_family = functools.partial(end_marked, marker_of(child.environment[RUN_ID_VARIABLE]), group=process.pid)
        try:
            pump = _Pump(process, list(zip(reads, logs, strict=True)), redactor, cancellation)
            reason = pump.run(deadline=began + child.timeout_seconds, tick=tick)
            if reason:
                end_family(grace_seconds=child.grace_seconds)
            return_code = process.wait()
            duration = time.monotonic() - began
            left = end_family(grace_seconds=child.grace_seconds)
            pump.drain(until=time.monotonic() + _DRAIN_SECONDS)
        except BaseException:
            end_family(grace_seconds=0)
            process.wait()
            raise
    errors = {
        "timeout": f"no end after {child.timeout_seconds:g} s",
        "interrupted": "the orchestrator was interrupted",
        None: "",
    }
    return Exit(
        return_code=return_code,
        duration_seconds=duration,
        reason=reason,
        error=errors[reason],
        left_behind=0 if reason else left,
    )


def marker_of(run_id: str) -> str:
    """The assignment that tells the processes of a run from all others, in whatever session they are."""
    return f"{RUN_ID_VARIABLE}={run_id}"


def read_exit_status(folder: Path) -> int | None:
    """The exit status that a child noted in its run's folder; None where it did not come to its end."""
    try:
        return int((folder / EXIT_STATUS).read_text())
    except (OSError, ValueError):
        return None  # Not there, or torn by a crash: no proof of an end.


def last_lines(log: Path, *, lines: int = 5, limit: int = 2000) -> str:
    """The end of a log, for an error text."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - limit))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])


class _Pump:
    """Moves a child's output into its logs until it ends, its time is up, or somebody asks for its end."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        pipes: list[tuple[int, BinaryIO]],
        redactor: Redactor,
        cancellation: Cancellation,
    ) -> None:
        self._process = process
        self._selector = selectors.DefaultSelector()
        self._open = {fd: (log, redactor.stream()) for fd, log in pipes}
        for fd in self._open:
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ)
        self._selector.register(cancellation, selectors.EVENT_READ)
        self._cancellation = cancellation
        self._pidfd = _open_pidfd(process.pid)
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ)

    def run(self, *, deadline: float, tick: Callable[[], None]) -> str | None:
        """Returns why the child has to be ended; None when it ended by itself."""
        # Without a pidfd the end of the child is only seen by looking.
        step = _TICK_SECONDS if self._pidfd is not None else 0.02
        next_tick = time.monotonic() + _TICK_SECONDS
        while self._process.poll() is None:
            now = time.monotonic()
            if self._cancellation.requested:
                return "interrupted"
            if now >= deadline:
                return "timeout"
            if now >= next_tick:
                tick()
                next_tick = now + _TICK_SECONDS
            self._step(max(0.0, min(step, deadline - now)))
        return None

    def drain(self, *, until: float) -> None:
        """Take what is left in the pipes, then close."""
        self._selector.unregister(self._cancellation)
        if self._pidfd is not None:
            self._selector.unregister(self._pidfd)
            os.close(self._pidfd)
        while self._open and (left := until - time.monotonic()) > 0:
            self._step(left)
        for log, stream in self._open.values():
            log.write(stream.flush())
        self._selector.close()

    def _step(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            if key.fd in self._open:
                self._read(key.fd)

    def _read(self, fd: int) -> None:
        log, stream = self._open[fd]
        try:
            piece = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        if piece:
            log.write(stream.feed(piece))
            log.flush()
        else:
            log.write(stream.flush())
            self._selector.unregister(fd)
            del self._open[fd]


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None  # Not a Linux of today: the pump looks often instead.
