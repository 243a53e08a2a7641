"""Finds and ends the processes of a run."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ...ledger import procfs
from ...ledger.identity import process_start

_POLL_SECONDS = 0.01
_GIVE_UP_SECONDS = 5.0
"""Maximum time of repeated kills, since processes may fork as fast as they are found."""
_CLEAN_LOOKS = 3
"""Number of searches that must find no process before the processes of a run count as ended."""
_NEWEST = 16
_AT_ONCE = 64 * 1024


def marked_processes(marker: str, *, group: int | None = None) -> set[int]:
    """The processes whose environment holds `marker` (as `NAME=value`), or that belong to the process group `group`.

    A process that left its group and session is found by the marker, because it inherits the environment.
    Zombies and this process itself are left out.
    """
    return {pid for pid in _find(marker, group, lambda _: None) if process_start(pid) is not None}


def end_marked(
    marker: str, *, group: int | None = None, grace_seconds: float, is_urgent: Callable[[], bool] = lambda: False
) -> list[str]:
    """End every process of a run, including new ones that start meanwhile. Returns their names and ids.

    They get SIGTERM, and are killed after `grace_seconds` or as soon as `is_urgent` returns true.
    """
    seen = _find(marker, group, lambda _: None)
    # Some may have ended by themselves meanwhile.
    ended = {pid: name for pid in sorted(seen) if (name := _name(pid))}
    end_processes(seen, grace_seconds=grace_seconds, is_urgent=is_urgent)
    if group is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    # A process that forks and exits continuously is gone when a list is complete, so it is killed when it is seen.
    until = time.monotonic() + _GIVE_UP_SECONDS
    clean = 0 if seen else _CLEAN_LOOKS
    while clean < _CLEAN_LOOKS and time.monotonic() < until:
        killed = _find(marker, group, _kill)
        if killed <= ended.keys():
            time.sleep(_POLL_SECONDS if killed else 0)
        ended |= dict.fromkeys(killed - ended.keys(), "process")
        clean = 0 if killed else clean + 1
    return [f"{name} ({pid})" for pid, name in ended.items()]


def kill_started_as(argv: Sequence[str], marker: str) -> None:
    """Kill the processes of a run whose command line begins with `argv`. Returns when they are gone."""
    wanted = b"\0".join(part.encode() for part in argv) + b"\0"
    found = [pid for pid in _find(marker, None, lambda _: None) if _command_line(pid).startswith(wanted)]
    end_processes(found, grace_seconds=0)


def _command_line(pid: int) -> bytes:
    """The arguments of a process, each followed by NUL; empty if it is gone or belongs to another user."""
    if sys.platform == "linux":
        try:
            return Path(f"{procfs.folder_of(pid)}/cmdline").read_bytes()
        except OSError:
            return b""
    import psutil

    try:
        return b"".join(part.encode() + b"\0" for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return b""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _name(pid: int) -> str | None:
    if process_start(pid) is None:
        return None
    try:
        name = Path(f"{procfs.folder_of(pid)}/comm").read_text(errors="replace").removesuffix("\n")
    except OSError:
        return "process"
    # A process can choose any bytes as its name, but a terminal shows it in one line.
    return "".join(letter if letter.isprintable() else "?" for letter in name) or "process"


def end_processes(pids: Iterable[int], *, grace_seconds: float, is_urgent: Callable[[], bool] = lambda: False) -> int:
    """Send SIGTERM to processes, and kill those that still run after `grace_seconds`. Returns their number.

    Stops waiting as soon as `is_urgent` returns true. Returns when all are gone or belong to other users.
    """
    waiting = {pid: start for pid in pids if (start := process_start(pid)) is not None}
    count = len(waiting)
    if grace_seconds > 0:
        _signal(waiting, signal.SIGTERM)
        _await_end(waiting, time.monotonic() + grace_seconds, is_urgent)
    _signal(waiting, signal.SIGKILL)
    _await_end(waiting, time.monotonic() + 5.0)
    return count


def _signal(waiting: dict[int, float], number: signal.Signals) -> None:
    for pid in list(waiting):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            del waiting[pid]
        except PermissionError:
            del waiting[pid]  # It now belongs to another user.


def _await_end(waiting: dict[int, float], until: float, is_urgent: Callable[[], bool] = lambda: False) -> None:
    while waiting and time.monotonic() < until and not is_urgent():
        for pid, start in list(waiting.items()):
            # If another process has the id now, the start time differs.
            if process_start(pid) != start:
                del waiting[pid]
        if waiting:
            time.sleep(_POLL_SECONDS)


def _find(marker: str, group: int | None, act: Callable[[int], None]) -> set[int]:
    """The processes of a run, some of which may have ended; `act` is called with each as soon as it is found."""
    search = _by_proc(marker.encode(), group) if sys.platform == "linux" else _by_psutil(marker, group)
    seen = set()
    for pid in search:
        if pid != os.getpid() and pid not in seen:
            act(pid)
            seen.add(pid)
    return seen


def _by_proc(marker: bytes, group: int | None) -> Iterator[int]:
    # This looks at every process of the machine at the end of every run, so it makes as few system calls as possible.
    needle = b"\0" + marker + b"\0"
    for pid, folder in _processes():
        try:
            is_ours = _is_ours(pid, folder, needle, group)
        except OSError:
            continue  # It ended meanwhile, or belongs to another user.
        if is_ours:
            yield pid


def _is_ours(pid: int, folder: str, needle: bytes, group: int | None) -> bool:
    if os.getpgid(pid) == group:
        # A zombie stays in its group until its parent waits for it, but it has already ended.
        return procfs.start_of(folder) is not None
    return needle in _environment(folder)


def _processes() -> Iterator[tuple[int, str]]:
    """All processes. The newest, which may be short-lived, come before and after the others."""
    if not procfs.is_own():
        yield from procfs.processes()
        return
    yield from _newest()
    yield from procfs.processes()
    yield from _newest()


def _newest() -> Iterator[tuple[int, str]]:
    last = int(Path(procfs.PROC, "loadavg").read_text().split()[-1])
    for pid in range(last + _NEWEST, last - _NEWEST, -1):
        yield pid, f"{procfs.PROC}/{pid}"


def _environment(folder: str) -> bytes:
    """A process's environment as /proc shows it, with a NUL before and after each assignment."""
    file = os.open(f"{folder}/environ", os.O_RDONLY)
    try:
        text = piece = os.read(file, _AT_ONCE)
        while len(piece) == _AT_ONCE:
            text += (piece := os.read(file, _AT_ONCE))
    finally:
        os.close(file)
    return b"\0" + text + b"\0"


def _by_psutil(marker: str, group: int | None) -> Iterator[int]:
    import psutil

    name, _, value = marker.partition("=")
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if os.getpgid(process.pid) == group or process.environ().get(name) == value:
                yield process.pid
