"""Processes of other programs: which belong to a run, and how they are brought to an end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from ..ledger.identity import process_start

_POLL_SECONDS = 0.01
_ROUNDS = 20
"""A process that forks faster than it can be found is given up after so many rounds."""
_PROC = "/proc"


def marked_processes(marker: str, *, group: int | None = None) -> set[int]:
    """The processes whose environment holds `marker` (as `NAME=value`), or that belong to the process group `group`.

    A process that left its group and session is found by the marker: an environment is inherited across both.
    Zombies and this process itself are left out.
    """
    found = _by_proc(marker.encode(), group) if Path(_PROC, "self").exists() else _by_psutil(marker, group)
    return found - {os.getpid()}


def end_marked(marker: str, *, group: int | None = None, grace_seconds: float) -> list[str]:
    """End every process of a run, also those that were born while others were being ended; their names and ids."""
    ended: list[str] = []
    for _ in range(_ROUNDS):
        pids = marked_processes(marker, group=group)
        if not pids:
            break
        ended += [f"{_name(pid)} ({pid})" for pid in sorted(pids)]
        end_processes(pids, grace_seconds=grace_seconds)
        grace_seconds = 0
    return ended


def _name(pid: int) -> str:
    try:
        return Path(f"{_PROC}/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "process"


def end_processes(pids: Iterable[int], *, grace_seconds: float) -> int:
    """Ask processes to end, and kill those that have not after `grace_seconds`; how many there were.

    Returns when all of them are gone or out of reach.
    """
    waiting = {pid: start for pid in pids if (start := process_start(pid)) is not None}
    count = len(waiting)
    if grace_seconds > 0:
        _signal(waiting, signal.SIGTERM)
        _await_end(waiting, time.monotonic() + grace_seconds)
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
            del waiting[pid]  # It became another user's process: not ours to end.


def _await_end(waiting: dict[int, float], until: float) -> None:
    while waiting and time.monotonic() < until:
        for pid, start in list(waiting.items()):
            # A number that was given to another process in between names a new start time.
            if process_start(pid) != start:
                del waiting[pid]
        if waiting:
            time.sleep(_POLL_SECONDS)


def _by_proc(marker: bytes, group: int | None) -> set[int]:
    # This runs at the end of every run, over every process of the machine: plain system calls, and no more of them
    # than it takes.
    needle = b"\0" + marker + b"\0"
    found = set()
    for name in os.listdir(_PROC):  # noqa: PTH208 - names are all that is needed, and there are hundreds
        if not name.isdigit():
            continue
        pid = int(name)
        with contextlib.suppress(OSError):  # It ended meanwhile, or belongs to another user.
            is_ours = os.getpgid(pid) == group or needle in b"\0" + _environment(name) + b"\0"
            # A zombie stays in its group until its parent looks; there is nothing left to end.
            if is_ours and process_start(pid) is not None:
                found.add(pid)
    return found


def _environment(pid: str) -> bytes:
    file = os.open(f"{_PROC}/{pid}/environ", os.O_RDONLY)
    try:
        pieces = []
        while piece := os.read(file, 65536):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(file)


def _by_psutil(marker: str, group: int | None) -> set[int]:
    import psutil

    name, _, value = marker.partition("=")
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if os.getpgid(process.pid) == group or process.environ().get(name) == value:
                found.add(process.pid)
    return found
