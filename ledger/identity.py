"""Identities and times that a writer gives to events: UUIDv7, UTC timestamps, and the process that owns a run."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
import sys
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from . import procfs
from .events import Owner

Liveness = Literal["alive", "dead", "unknown"]

_MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def uuid7() -> str:
    """A new UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits."""
    moment, chance = f"{time.time_ns() // 1_000_000:012x}", os.urandom(10).hex()
    # The version is the digit 7; the two highest bits of the digit three places later are the variant's.
    variant = "89ab"[int(chance[3], 16) & 3]
    return f"{moment[:8]}-{moment[8:]}-7{chance[:3]}-{variant}{chance[4:7]}-{chance[7:19]}"


def utc_now() -> str:
    """The current time as an ISO 8601 UTC string with microseconds: `2026-11-23T07:29:16.123456Z`."""
    return _utc(time.time_ns())


def utc_of(seconds: float) -> str:
    """The same for a time in Unix seconds. A time outside the years 1 to 9999 is moved to the nearest limit."""
    return _utc(round(min(max(seconds, _FIRST_SECOND), _LAST_SECOND) * 1_000_000) * 1000)


def _utc(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_whole_second(seconds)}.{rest // 1_000:06d}Z"


_FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00Z
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z


@functools.lru_cache(maxsize=2)
def _whole_second(seconds: int) -> str:
    # ISO 8601 and datetime do not allow a year of five digits.
    moment = datetime.fromtimestamp(min(max(seconds, _FIRST_SECOND), _LAST_SECOND), UTC)
    return moment.isoformat().removesuffix("+00:00")


def parse_utc(text: str) -> datetime:
    """The time that an ISO 8601 string names; a string without an offset is taken as UTC.

    Raises ValueError if the text is not an ISO 8601 time.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@functools.cache
def host_name() -> str:
    """The name of this machine, for people: two machines may have the same one."""
    return socket.gethostname()


@functools.cache
def boot_id() -> str:
    """An id of this boot that no other boot of any machine has."""
    with contextlib.suppress(OSError):
        if text := Path("/proc/sys/kernel/random/boot_id").read_text().strip():
            return text
    import psutil

    return f"boot-{int(psutil.boot_time())}"


@functools.cache
def machine_id() -> str:
    """An id of this installation that a reboot does not change; empty if there is none, as in many containers.

    It is a digest: the id itself should stay on the machine. Copies of a machine have the same id.
    """
    for path in _MACHINE_IDS:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = Path(path).read_text().strip()
            if re.fullmatch(r"[0-9a-f]{32}", text) and text.strip("0"):
                return sha256(f"benchmark-orchestrator {text}".encode()).hexdigest()[:32]
    return ""


def pid_namespace() -> str:
    """The PID namespace of this process: inside containers, equal pids of one host can be different processes."""
    try:
        return procfs.namespace_of("/proc/self")
    except OSError:
        return ""


def process_start(pid: int) -> float | None:
    """When process `pid` started (clock ticks since boot on Linux, else Unix seconds); None if it is gone or a zombie.

    Ticks since boot, unlike a wall-clock start time, do not change when the clock is set. None also if this
    system does not show its processes: see `can_see_processes`.
    """
    if sys.platform == "linux":
        try:
            folder = procfs.folder_of(pid)
            return None if folder is None else procfs.start_of(folder)
        except OSError:
            return None
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def can_see_processes() -> bool:
    """Whether a process that is not found has ended: without /proc, no process is found."""
    return process_start(os.getpid()) is not None


def this_process() -> Owner:
    """The owner to record for what this process starts."""
    pid = os.getpid()
    return Owner(
        host=host_name(),
        boot_id=boot_id(),
        pid=pid,
        process_start=process_start(pid) or 0.0,
        pid_namespace=pid_namespace(),
        machine_id=machine_id(),
    )


def liveness(owner: Owner | None, seen_at: str = "", now: float | None = None) -> Liveness:
    """Whether the owner's process is provably alive, provably dead, or cannot be judged from here.

    `seen_at` is its last sign of life, and `now` the time in Unix seconds by the same clock; without it, this machine's
    clock is used. A machine's name proves nothing: the boot id identifies one boot of one
    kernel; within it, PID namespace, number and start time identify a process.
    """
    if owner is None:
        return "unknown"
    if owner.boot_id != boot_id():
        return "dead" if _was_before_this_boot(owner, seen_at, now) else "unknown"
    if owner.pid_namespace != pid_namespace():
        return "alive" if _is_seen_elsewhere(owner) else "unknown"
    if not can_see_processes():
        return "unknown"
    return "alive" if process_start(owner.pid) == owner.process_start else "dead"


def shares_processes(owner: Owner | None) -> bool:
    """Whether the owner's process numbers are valid here: other processes must not be ended by number or name.

    Events without an owner are from older versions; their processes ran on this machine.
    """
    return owner is None or (owner.boot_id, owner.pid_namespace) == (boot_id(), pid_namespace())


def _was_before_this_boot(owner: Owner, seen_at: str, now: float | None) -> bool:
    """Whether an owner of another boot ran on this machine, and its last sign of life is older than the current boot.

    Copied machines share an id and often a name, but a sign of life after this boot must be another machine's.
    """
    if owner.host != host_name() or (owner.machine_id is not None and owner.machine_id != (machine_id() or None)):
        return False
    try:
        return not seen_at or parse_utc(seen_at).timestamp() <= _booted_at(time.time() if now is None else now)
    except (ValueError, OverflowError):
        return False


def _booted_at(now: float) -> float:
    """When this machine booted, in Unix seconds by the clock that shows `now`."""
    try:
        return now - time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        import psutil

        return now - (time.time() - psutil.boot_time())


def _is_seen_elsewhere(owner: Owner) -> bool:
    try:
        return procfs.lives_elsewhere(owner.pid_namespace, owner.pid, owner.process_start)
    except OSError:
        return False
