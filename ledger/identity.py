"""Identities and times that a writer gives to events: UUIDv7, UTC timestamps, and the process that owns a run."""

from __future__ import annotations

import functools
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from .events import Owner

Liveness = Literal["alive", "dead", "unknown"]


def uuid7() -> str:
    """A new UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits."""
    moment, chance = f"{time.time_ns() // 1_000_000:012x}", os.urandom(10).hex()
    # The version stands where it does; the two highest bits of the next digit are the variant's.
    variant = "89ab"[int(chance[3], 16) & 3]
    return f"{moment[:8]}-{moment[8:]}-7{chance[:3]}-{variant}{chance[4:7]}-{chance[7:19]}"


def utc_now() -> str:
    """The current time as an ISO 8601 UTC string with microseconds: `2026-11-23T07:29:16.123456Z`."""
    return _utc(time.time_ns())


def utc_of(seconds: float) -> str:
    """The same of a moment in Unix seconds. What lies outside of the years 1 to 9999 becomes the nearest in them."""
    return _utc(int(min(max(seconds, _FIRST_SECOND), _LAST_SECOND) * 1_000_000_000))


def _utc(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_whole_second(seconds)}.{rest // 1_000:06d}Z"


_FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00Z
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z


@functools.lru_cache(maxsize=2)
def _whole_second(seconds: int) -> str:
    # ISO 8601 has no year of five digits, nor has datetime.
    moment = datetime.fromtimestamp(min(max(seconds, _FIRST_SECOND), _LAST_SECOND), UTC)
    return moment.isoformat().removesuffix("+00:00")


def parse_utc(text: str) -> datetime:
    """The moment that an ISO 8601 string names; a string without an offset is taken as UTC.

    Raises ValueError where the text is no ISO 8601 time.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@functools.cache
def host_name() -> str:
    """The name of this machine, as recorded in owners."""
    return socket.gethostname()


@functools.cache
def boot_id() -> str:
    """What tells one boot of this machine from the next."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return f"boot-{int(psutil.boot_time())}"


def pid_namespace() -> str:
    """The PID namespace of this process: inside containers, equal pids of one host can be different processes."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - the link's target is no path
    except OSError:
        return ""


def process_start(pid: int) -> float | None:
    """When process `pid` started (clock ticks since boot on Linux, else Unix seconds); None if it is gone or a zombie.

    Ticks since boot, unlike a wall-clock start time, do not move when somebody sets the clock.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
        import psutil

        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
        except psutil.NoSuchProcess:
            return None
    # The command name (field 2) may hold spaces and brackets, so fields are counted after its last bracket.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else float(fields[19])


def this_process() -> Owner:
    """The owner to record in what this process starts."""
    pid = os.getpid()
    return Owner(
        host=host_name(),
        boot_id=boot_id(),
        pid=pid,
        process_start=process_start(pid) or 0.0,
        pid_namespace=pid_namespace(),
    )


def liveness(owner: Owner | None) -> Liveness:
    """Whether the owner's process provably lives, is provably dead, or cannot be judged from here."""
    if owner is None or owner.host != host_name():
        return "unknown"
    if owner.boot_id != boot_id():
        return "dead"
    if owner.pid_namespace != pid_namespace():
        return "unknown"
    return "alive" if process_start(owner.pid) == owner.process_start else "dead"
