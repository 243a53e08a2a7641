"""Resources that only one run of this machine may use at a time, across orchestrators: a kernel lock for each name.

A lock is held as long as any process has its file open: the orchestrator, or the benchmark that inherits it. So it
outlives an orchestrator that is killed, ends with the last process of the run, and needs no cleanup.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from ...adapters.cache import cache_folder


def lock_folder() -> Path:
    """The folder of the locks, for every workspace of this user. Raises OSError if it cannot be made."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def lock_of(folder: Path, name: str) -> Path:
    """The lock file of a name, which may be any text."""
    return folder / sha256(name.encode()).hexdigest()[:32]


class Reservation:
    """A set of locked names. A process that inherits `fds` holds the locks too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = contextlib.ExitStack()
        self.fds: list[int] = []

    def add(self, names: Iterable[str], *, number: int) -> list[str]:
        """Lock up to `number` free names. Returns the names that it locked."""
        got: list[str] = []
        for name in names:
            if len(got) == number:
                break
            if self._lock(name):
                got.append(name)
        return got

    def release(self) -> None:
        """Release all locks."""
        self._held.close()

    def _lock(self, name: str) -> bool:
        fd = os.open(lock_of(self._folder, name), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._held.callback(os.close, fd)
        self.fds.append(fd)
        return True
