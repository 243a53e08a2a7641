"""Runs one child process: its logs, its time limits, and the end of every process that it started.

The child runs under a shell of one line that notes its exit status in a file beside the logs. So if the orchestrator
is killed, the next one knows whether the child finished by itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from ...adapters.manifest import LOG_BYTES
from ...ledger.run_files import NotReadable, read_inside
from ..machine.logs import BoundedLog
from ..machine.processes import end_marked, kill_started_as
from ..redaction import Redactor
from .stopwatch import Stopwatch

EXIT_STATUS = "exit_status"
"""The file beside the logs that holds the child's exit status after it has ended."""

RUN_ID_VARIABLE = "BENCHMARK_RUN_ID"
"""The variable with the run id of a child."""

# $0 is the file of the exit status, and the arguments are the command. The shell first reads the proof, and the exit
# codes for which it reveals the proof, from its input, because arguments and environment variables are not secret. Then
# it opens the file as its input before the command begins. So if the command replaces the file, the shell neither waits
# for the replacement nor writes to it.
_SHELL = (
    "unset benchmarks_proof benchmarks_codes; IFS=: read -r benchmarks_proof benchmarks_codes; "
    'exec 0<>"$0"; "$@" </dev/null; code=$?; '
    'case " $benchmarks_codes " in *" $code "*) ;; *) benchmarks_proof=- ;; esac; '
    'printf "%s %s" "$code" "$benchmarks_proof" >&0; exit "$code"'
)
_SHELL_ARGV = ("/bin/sh", "-c", _SHELL)
_NOTED = re.compile(rb"(0|[1-9][0-9]{0,2}) (-|[0-9a-f]{64} [0-9a-f]{64})")
_MAX_STATUS = 255
_MAX_STATUS_BYTES = 3 + 1 + 64 + 1 + 64
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 64 * 1024
_TICK_SECONDS = 0.5
GRACE_SECONDS = 5.0
"""How long a process has to end after SIGTERM; then it is killed."""
_MAX_NAMED = 10
"""Maximum number of left processes that are named; there may be thousands."""
_DRAIN_SECONDS = 2.0
"""How long to wait for the end of the output after the child and all processes that it left have ended."""


class Cancellation:
    """Ends every running child process; safe to use in a signal handler."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self.requested = False
        self.is_urgent = False

    def request(self) -> None:
        """End all children, and start no more. A second request kills them without waiting."""
        self.is_urgent = self.requested
        self.requested = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"!")

    def fileno(self) -> int:
        """A file descriptor that is readable after the request."""
        return self._read

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._read)
        os.close(self._write)


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a child ended. `reason` is None if it ended by itself; `notes` are further remarks."""

    return_code: int | None
    duration_seconds: float
    reason: str | None = None
    error: str = ""
    notes: list[str] = []


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A command to start, and the folder for its output. `environment` must hold RUN_ID_VARIABLE.

    The child keeps the files in `inherits` open. It is ended after `timeout_seconds`, and after `stall_seconds` without
    output or progress. Each of its two logs holds at most about `log_bytes`. If it ends by itself with one of
    `proven_codes`, the shell around it notes `proof` beside the exit status.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    folder: Path
    timeout_seconds: float
    stall_seconds: float | None = None
    log_bytes: int = LOG_BYTES
    inherits: Sequence[int] = ()
    grace_seconds: float = GRACE_SECONDS
    proof: str = "-"
    proven_codes: Sequence[int] = ()


def execute(
    child: Child,
    *,
    redactor: Redactor,
    cancellation: Cancellation,
    tick: Callable[[], bool],
    why_cancelled: Callable[[], str | None] = lambda: None,
) -> Exit:
    """Run a child to its end. `tick` is called about twice a second, and returns whether there is progress.

    The child is ended as soon as `why_cancelled`, which is asked as often, returns a text.
    When this returns or raises, no process that the child started is left. If the command cannot be started, the Exit
    has the reason `start`.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        logs = [BoundedLog(child.folder / f"{name}.log", child.log_bytes) for name in ("stdout", "stderr")]
        for log in logs:
            stack.callback(log.close)
        os.close(os.open(child.folder / EXIT_STATUS, _NEW_FILE, 0o644))
        pipes = [os.pipe(), os.pipe()]
        reads, writes = [pipe[0] for pipe in pipes], [pipe[1] for pipe in pipes]
        for fd in reads:
            stack.callback(os.close, fd)
        try:
            process = _start(child, reads, writes)
        except OSError as problem:
            error = f"cannot start in {child.cwd}: {problem.strerror}"
            return Exit(return_code=None, duration_seconds=0.0, reason="start", error=error)
        finally:
            for fd in writes:
                os.close(fd)
        stopwatch = Stopwatch(process.pid, began)
        try:
            pump = _Pump(process, list(zip(reads, logs, strict=True)), redactor, cancellation, stopwatch)
            reason = pump.run(
                deadline=began + child.timeout_seconds,
                stall=child.stall_seconds,
                tick=tick,
                is_cancelled=lambda: why_cancelled() is not None,
            )
            duration, left = _end(process, child, reason, stopwatch, cancellation)
            pump.drain(until=time.monotonic() + _DRAIN_SECONDS)
        except BaseException:
            process.kill()
            _end_family(process, child, cancellation, grace_seconds=0)
            process.wait()
            raise
    notes = [*stopwatch.note(), *([] if reason or not left else [_left_behind(left)]), *_notes_of(logs)]
    return Exit(
        return_code=process.returncode,
        duration_seconds=duration,
        reason=reason,
        error=(why_cancelled() or "") if reason == "cancelled" else _why_ended(child, reason),
        notes=notes,
    )


def _notes_of(logs: Iterable[BoundedLog]) -> Iterator[str]:
    return (f"{log.path.name}: {log.left_out} bytes were left out" for log in logs if log.left_out)


def _start(child: Child, reads: Sequence[int], writes: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start the shell around a child, in its own session. Raises OSError."""
    with _words_for_shell(child) as words:
        return subprocess.Popen(
            [*_SHELL_ARGV, str(child.folder / EXIT_STATUS), *child.argv],
            cwd=child.cwd,
            env=dict(child.environment),
            stdin=words,
            stdout=writes[0],
            stderr=writes[1],
            start_new_session=True,
            # The child keeps the reading ends open too: if this process is killed, the child must not die of a broken
            # pipe at its next output.
            pass_fds=[*reads, *child.inherits],
        )


@contextlib.contextmanager
def _words_for_shell(child: Child) -> Iterator[int]:
    """A pipe with the proof and its exit codes, which the shell reads before the benchmark begins.

    It is written before the shell starts. If this process is killed at any moment after that, the shell can still prove
    how the benchmark ended. A pipe holds at least a page, and there are at most 256 exit codes.
    """
    read, write = os.pipe()
    try:
        try:
            os.write(write, f"{child.proof}:{' '.join(map(str, sorted(set(child.proven_codes))))}\n".encode())
        finally:
            os.close(write)
        yield read
    finally:
        os.close(read)


def _end(
    process: subprocess.Popen[bytes],
    child: Child,
    reason: str | None,
    stopwatch: Stopwatch,
    cancellation: Cancellation,
) -> tuple[float, list[str]]:
    """End all processes of a child. Returns how many seconds it worked, and the processes that it left.

    `reason` says why the child must end; None if it has ended by itself.
    """
    if reason:
        # Kill the shell first, so that it notes no exit status for a child that was ended from outside.
        process.kill()
        _end_family(process, child, cancellation, grace_seconds=child.grace_seconds)
    process.wait()
    end = None if reason else read_end(child.folder)
    duration = stopwatch.worked(end.at if end else None)
    return duration, _end_family(process, child, cancellation, grace_seconds=child.grace_seconds)


def _end_family(
    process: subprocess.Popen[bytes], child: Child, cancellation: Cancellation, *, grace_seconds: float
) -> list[str]:
    """End the child's process group and its processes outside of the group. Returns their names and ids."""
    marker = marker_of(child.environment[RUN_ID_VARIABLE])
    return end_marked(marker, group=process.pid, grace_seconds=grace_seconds, is_urgent=lambda: cancellation.is_urgent)


def _why_ended(child: Child, reason: str | None) -> str:
    errors = {
        "timeout": f"no end after {child.timeout_seconds:g} s",
        "stalled": f"no output and no progress for {child.stall_seconds or 0:g} s",
        "interrupted": "the orchestrator was interrupted",
        None: "",
    }
    return errors[reason]


def _left_behind(left: Sequence[str]) -> str:
    more = f" and {len(left) - _MAX_NAMED} more" if len(left) > _MAX_NAMED else ""
    return f"left processes behind, which were ended: {', '.join(left[:_MAX_NAMED])}{more}"


def marker_of(run_id: str) -> str:
    """The environment assignment by which the processes of a run are found, in every session."""
    return f"{RUN_ID_VARIABLE}={run_id}"


class End(msgspec.Struct, frozen=True):
    """An end that was noted in a run's folder: the exit status, its proof ("-" for none), and the time (Unix seconds).

    Any program that can write to the folder may have noted it; the run's commitment shows whether the proof is valid.
    `changed_at` is the time of the last change of the file.
    """

    status: int
    proof: str
    at: float
    changed_at: float


def read_end(folder: Path) -> End | None:
    """The end of a child that is noted in its run's folder; None if no end is noted."""
    try:
        noted = _NOTED.fullmatch(read_inside(folder, EXIT_STATUS, most=_MAX_STATUS_BYTES))
        status = (folder / EXIT_STATUS).lstat()
    except (NotReadable, OSError):
        return None  # It is missing or cannot be read.
    if noted is None or int(noted[1]) > _MAX_STATUS:
        return None
    # A program can set the time of a file to 2096, but not the time at which it did so.
    return End(int(noted[1]), noted[2].decode(), min(status.st_mtime, status.st_ctime), status.st_ctime)


def end_shell(run_id: str) -> None:
    """End the shell around a run's benchmark, so that no end of the benchmark is noted afterwards."""
    kill_started_as(_SHELL_ARGV, marker_of(run_id))


class _Pump:
    """Copies a child's output to its logs until it ends, a time limit is reached, or the campaign is cancelled."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        pipes: list[tuple[int, BoundedLog]],
        redactor: Redactor,
        cancellation: Cancellation,
        stopwatch: Stopwatch,
    ) -> None:
        self._process = process
        self._stopwatch = stopwatch
        self._selector = selectors.DefaultSelector()
        self._open = {fd: (log, redactor.stream()) for fd, log in pipes}
        for fd in self._open:
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ)
        self._selector.register(cancellation, selectors.EVENT_READ)
        self._cancellation = cancellation
        self._last_sign = time.monotonic()
        self._pidfd = _open_pidfd(process.pid)
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ)

    def run(
        self, *, deadline: float, stall: float | None, tick: Callable[[], bool], is_cancelled: Callable[[], bool]
    ) -> str | None:
        """Returns why the child has to be ended; None if it ended by itself."""
        # Without a pidfd, the end of the child has to be polled.
        step = _TICK_SECONDS if self._pidfd is not None else 0.02
        next_tick = time.monotonic() + _TICK_SECONDS
        while self._process.poll() is None:
            if stood_still := self._stopwatch.look():
                deadline += stood_still
                self._last_sign += stood_still
            now = time.monotonic()
            if self._cancellation.requested:
                return "interrupted"
            if is_cancelled():
                return "cancelled"
            if now >= deadline:
                return "timeout"
            if stall is not None and now >= self._last_sign + stall:
                return "stalled"
            if now >= next_tick:
                if tick():
                    self._last_sign = now
                next_tick = now + _TICK_SECONDS
            self._step(max(0.0, min(step, deadline - now)))
        return None

    def drain(self, *, until: float) -> None:
        """Read the rest of the pipes, then close."""
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
            self._last_sign = time.monotonic()
            log.write(stream.feed(piece))
        else:
            log.write(stream.flush())
            self._selector.unregister(fd)
            del self._open[fd]


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None  # Not a recent Linux, so the pump polls often.
