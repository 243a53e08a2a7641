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
_PROC = Path("/proc")


def marked_processes(marker: str, *, group: int | None = None) -> set[int]:
    """The processes whose environment holds `marker` (as `NAME=value`), or that belong to the process group `group`.

    A process that left its group and session is found by the marker: an environment is inherited across both.
    Zombies and this process itself are left out.
    """
    found = _by_proc(marker.encode(), group) if _PROC.joinpath("self").exists() else _by_psutil(marker, group)
    return found - {os.getpid()}


def end_marked(marker: str, *, group: int | None = None, grace_seconds: float) -> int:
    """End every process of a run, also those that were born while others were being ended; how many there were."""
    count = 0
    for _ in range(_ROUNDS):
        pids = marked_processes(marker, group=group)
        if not pids:
            break
        count += end_processes(pids, grace_seconds=grace_seconds)
        grace_seconds = 0
    return count


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
    needle = b"\0" + marker + b"\0"
    found = set()
    for entry in os.scandir(_PROC):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # It ended meanwhile, or belongs to another user.
            folder = Path(entry.path)
            state, process_group = _state(folder)
            if state in "ZX":
                continue
            if process_group == group or needle in b"\0" + (folder / "environ").read_bytes() + b"\0":
                found.add(int(entry.name))
    return found


def _state(folder: Path) -> tuple[str, int]:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[2])


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
