"""One child process from start to end: its logs, its time limit, and that nothing of it stays behind.

The child runs under a shell of one line that notes its exit status in a file beside the logs. So the next
orchestrator can tell a child that finished after its own orchestrator was killed from one that did not.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from ...adapters.manifest import LOG_BYTES
from ...ledger.run_files import NotReadable, read_inside
from ..machine.logs import BoundedLog
from ..machine.processes import end_marked, kill_started_as
from ..redaction import Redactor
from .stopwatch import Stopwatch

EXIT_STATUS = "exit_status"
"""The file beside the logs that holds the child's exit status once it has ended."""

RUN_ID_VARIABLE = "BENCHMARK_RUN_ID"
"""The variable that names its run to a child."""

# $0 is the file of the exit status, the arguments are the command. The shell first reads from its input what it will
# reveal, and after which exit codes: what stands in arguments or variables of the environment is no secret. Then its
# input is the file, opened before the command begins: whatever the command puts in the file's place, the shell neither
# waits for it nor writes to it.
_SHELL = (
    "unset benchmarks_proof benchmarks_codes; IFS=: read -r benchmarks_proof benchmarks_codes; "
    'exec 0<>"$0"; "$@" </dev/null; code=$?; '
    'case " $benchmarks_codes " in *" $code "*) ;; *) benchmarks_proof=- ;; esac; '
    'printf "%s %s" "$code" "$benchmarks_proof" >&0; exit "$code"'
)
_SHELL_ARGV = ("/bin/sh", "-c", _SHELL)
_NOTED = re.compile(rb"(0|[1-9][0-9]{0,2}) (-|[0-9a-f]{64} [0-9a-f]{64})")
_LARGEST_STATUS = 255
_LONGEST_STATUS = 3 + 1 + 64 + 1 + 64
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 64 * 1024
_TICK_SECONDS = 0.5
GRACE_SECONDS = 5.0
"""What has to end is asked to, and has so long before it is killed."""
_NAMED = 10
"""So many processes that were left behind are named; there may be thousands."""
_DRAIN_SECONDS = 2.0
"""How long to wait for the end of the output when the child is gone and everything it left was ended."""


class Cancellation:
    """Asks every child process under way to end; safe to use in a signal handler."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self.requested = False
        self.is_urgent = False

    def request(self) -> None:
        """End all of them, and let none begin. Asked for once more, they are given no time to end by themselves."""
        self.is_urgent = self.requested
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
    """How a child ended. `reason` is None for an end of its own; `notes` tell what else there is to know."""

    return_code: int | None
    duration_seconds: float
    reason: str | None = None
    error: str = ""
    notes: list[str] = []


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """What to start, and where its output goes. `environment` names the run by RUN_ID_VARIABLE.

    It keeps the files open that it `inherits`. It is ended after `timeout_seconds`, and after `stall_seconds` without
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


def execute(child: Child, *, redactor: Redactor, cancellation: Cancellation, tick: Callable[[], bool]) -> Exit:
    """Run a child to its end; `tick` is called about twice a second meanwhile, and says whether there is progress.

    When this returns or raises, no process that the child started is left. A command that can't be started is an
    Exit with reason `start`.
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
            process = subprocess.Popen(
                [*_SHELL_ARGV, str(child.folder / EXIT_STATUS), *child.argv],
                cwd=child.cwd,
                env=dict(child.environment),
                stdin=subprocess.PIPE,
                stdout=writes[0],
                stderr=writes[1],
                start_new_session=True,
                # The child keeps the reading ends open too: should this process be killed, its next print must not
                # kill the child with a broken pipe.
                pass_fds=[*reads, *child.inherits],
            )
        except OSError as problem:
            error = f"cannot start in {child.cwd}: {problem.strerror}"
            return Exit(return_code=None, duration_seconds=0.0, reason="start", error=error)
        finally:
            for fd in writes:
                os.close(fd)
        # The child's process group, and those of its processes that left the group.
        end_family = functools.partial(
            end_marked,
            marker_of(child.environment[RUN_ID_VARIABLE]),
            group=process.pid,
            is_urgent=lambda: cancellation.is_urgent,
        )
        try:
            _hand_over(process, child)
            stopwatch = Stopwatch(process.pid, began)
            pump = _Pump(process, list(zip(reads, logs, strict=True)), redactor, cancellation, stopwatch)
            reason = pump.run(deadline=began + child.timeout_seconds, stall=child.stall_seconds, tick=tick)
            if reason:
                # The shell first: of a child that was ended, no exit status is ever noted.
                process.kill()
                end_family(grace_seconds=child.grace_seconds)
            return_code = process.wait()
            end = None if reason else read_end(child.folder)
            duration = stopwatch.worked(end.at if end else None)
            left = end_family(grace_seconds=child.grace_seconds)
            pump.drain(until=time.monotonic() + _DRAIN_SECONDS)
        except BaseException:
            process.kill()
            end_family(grace_seconds=0)
            process.wait()
            raise
    errors = {
        "timeout": f"no end after {child.timeout_seconds:g} s",
        "stalled": f"no output and no progress for {child.stall_seconds or 0:g} s",
        "interrupted": "the orchestrator was interrupted",
        None: "",
    }
    return Exit(
        return_code=return_code,
        duration_seconds=duration,
        reason=reason,
        error=errors[reason],
        notes=[
            *stopwatch.note(),
            *([] if reason or not left else [_left_behind(left)]),
            *(f"{log.path.name}: {log.left_out} bytes were left out" for log in logs if log.left_out),
        ],
    )


def _left_behind(left: Sequence[str]) -> str:
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    return f"left processes behind, which were ended: {', '.join(left[:_NAMED])}{more}"


def marker_of(run_id: str) -> str:
    """The assignment that tells the processes of a run from all others, in whatever session they are."""
    return f"{RUN_ID_VARIABLE}={run_id}"


class End(msgspec.Struct, frozen=True):
    """An end that was noted in a run's folder: the exit status, what proves it ("-": nothing), and when (Unix seconds).

    Whoever can write to the folder may have noted it: the run's commitment says whether the proof is one. `changed_at`
    is when the file was touched last.
    """

    status: int
    proof: str
    at: float
    changed_at: float


def read_end(folder: Path) -> End | None:
    """What is noted of a child's end in its run's folder; None if it did not come to its end."""
    try:
        noted = _NOTED.fullmatch(read_inside(folder, EXIT_STATUS, most=_LONGEST_STATUS))
        told = (folder / EXIT_STATUS).lstat()
    except (NotReadable, OSError):
        return None  # Not there, torn by a crash, or something else than the file.
    if noted is None or int(noted[1]) > _LARGEST_STATUS:
        return None
    # Anybody may set the time of a file to 2096, but not the time at which that was done.
    return End(int(noted[1]), noted[2].decode(), min(told.st_mtime, told.st_ctime), told.st_ctime)


def end_shell(run_id: str) -> None:
    """End the shell around a run's benchmark: from now on, no end of the benchmark is noted."""
    kill_started_as(_SHELL_ARGV, marker_of(run_id))


def _hand_over(process: subprocess.Popen[bytes], child: Child) -> None:
    """Give the shell what it reveals later. It reads all of it before the benchmark begins."""
    assert process.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:  # The shell may have been killed already.
        pipe.write(f"{child.proof}:{' '.join(map(str, child.proven_codes))}\n".encode())


class _Pump:
    """Moves a child's output into its logs until it ends, its time is up, or somebody asks for its end."""

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

    def run(self, *, deadline: float, stall: float | None, tick: Callable[[], bool]) -> str | None:
        """Returns why the child has to be ended; None when it ended by itself."""
        # Without a pidfd the end of the child is only seen by looking.
        step = _TICK_SECONDS if self._pidfd is not None else 0.02
        next_tick = time.monotonic() + _TICK_SECONDS
        while self._process.poll() is None:
            if stood_still := self._stopwatch.look():
                deadline += stood_still
                self._last_sign += stood_still
            now = time.monotonic()
            if self._cancellation.requested:
                return "interrupted"
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
        return None  # Not a Linux of today: the pump looks often instead.
