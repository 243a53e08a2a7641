"""Processes in /proc, by the numbers that system calls of this process use.

In a PID namespace that still has the /proc of its host, the two are different numbers: what /proc calls 4711 may be 3
here, and 4711 here may be another process. A signal to a number from such a /proc would hit the wrong process.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator

PROC = "/proc"


def is_there() -> bool:
    """Whether /proc shows this process."""
    return os.path.exists(f"{PROC}/self/stat")  # noqa: PTH110 - hot


def is_own() -> bool:
    """Whether the numbers in /proc are those of this process's own PID namespace."""
    return _is_own(os.getpid())


@functools.lru_cache(maxsize=4)
def _is_own(pid: int) -> bool:
    try:
        return os.readlink(f"{PROC}/self") == str(pid)  # noqa: PTH115 - the target is a number
    except OSError:
        return False


def folder_of(pid: int) -> str | None:
    """The folder of a process in /proc; None if /proc does not show it."""
    if is_own():
        return f"{PROC}/{pid}"
    if pid == os.getpid():
        return f"{PROC}/self" if is_there() else None
    return next((folder for number, folder in processes() if number == pid), None)


def processes() -> Iterator[tuple[int, str]]:
    """Every process of this PID namespace: its number here and its folder in /proc."""
    if is_own():
        # This includes processes of nested PID namespaces.
        for name in os.listdir(PROC):  # noqa: PTH208 - only the names are needed
            if name.isdigit():
                yield int(name), f"{PROC}/{name}"
        return
    try:
        own = namespace_of(f"{PROC}/self")
    except OSError:
        return  # /proc does not even show this process.
    for name in os.listdir(PROC):  # noqa: PTH208 - only the names are needed
        folder = f"{PROC}/{name}"
        with contextlib.suppress(OSError):  # It ended meanwhile, or belongs to another user.
            if name.isdigit() and namespace_of(folder) == own and (numbers := numbers_of(folder)):
                yield numbers[-1], folder


def namespace_of(folder: str) -> str:
    """The PID namespace of a process, as `pid:[4026531836]`. Raises OSError."""
    return os.readlink(f"{folder}/ns/pid")  # noqa: PTH115 - the link's target is not a path


def numbers_of(folder: str) -> list[int]:
    """The numbers of a process: first in the PID namespace of /proc, last in its own. Raises OSError."""
    with open(f"{folder}/status", "rb") as file:  # noqa: PTH123 - hot
        for line in file:
            if line.startswith(b"NSpid:"):
                return [int(number) for number in line.split()[1:]]
    return []


def start_of(folder: str) -> float | None:
    """When a process started, in clock ticks since boot; None for a zombie. Raises OSError."""
    with open(f"{folder}/stat", "rb") as file:  # noqa: PTH123 - hot
        stat = file.read()
    # The command name (field 2) may hold spaces and brackets, so fields are counted after its last bracket.
    fields = stat.rpartition(b")")[2].split()
    return None if fields[0] in (b"Z", b"X") else float(fields[19]) - _ticks_ahead()


@functools.cache
def _ticks_ahead() -> float:
    """The offset of the time since boot in this time namespace, so that values of all namespaces can be compared."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"{PROC}/self/timens_offsets") as file:  # noqa: PTH123
        for line in file:
            name, seconds, nanoseconds = line.split()
            if name in ("boottime", "7"):
                return (int(seconds) + int(nanoseconds) // 1_000_000_000) * float(os.sysconf("SC_CLK_TCK"))
    return 0.0


def lives_elsewhere(namespace: str, pid: int, start: float) -> bool:
    """Whether a process of another PID namespace is visible from here, by its number there and its start."""
    for name in os.listdir(PROC):  # noqa: PTH208 - only the names are needed
        folder = f"{PROC}/{name}"
        with contextlib.suppress(OSError):
            if name.isdigit() and namespace_of(folder) == namespace and numbers_of(folder)[-1:] == [pid]:
                return start_of(folder) == start
    return False
