"""The lock of a ledger: one writer at a time, over threads and processes, and across a fork or a replaced ledger."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Hashable
from pathlib import Path

from ..errors import LedgerMoved, LedgerUnwritable
from ..waiting import LockWait
from . import disk


class LedgerLock:
    """An `flock` on the file `path`, which is made (with its folder) when it is first taken.

    The file's size is a counter: it grows with each change that a writer has to know and cannot see in the file that
    it writes to, such as a new segment. `notice` and `progress` are those of `LockWait`.
    """

    def __init__(
        self,
        path: Path,
        *,
        notice: Callable[[str], None] = lambda _: None,
        progress: Callable[[], Hashable] = lambda: None,
    ) -> None:
        self.path = path
        self.changes = 0
        """How many there were when the lock was taken."""
        self.gives_up: Callable[[], bool] = lambda: False
        """Whether nobody wants to wait for this lock any longer."""
        self._name = str(path)
        self._notice = notice
        self._progress = progress
        self._threads = threading.Lock()
        self._fd: int | None = None
        self._pid = 0
        self._is_new = True
        self._identity = (0, 0)
        self._place: Path | None = None

    def acquire(self, patience: float | None = None, *, makes: bool = True) -> bool:
        """Take the lock; whether its file is another one than when it was held before.

        It is another one the first time, in a forked child, and after somebody moved, removed or repaired the ledger:
        what the caller knows of it, and its open files, are worth nothing then. With `makes=False` a missing file is
        not made.

        Raises LedgerBusy after `patience` seconds (None: `usual_patience`), LedgerMoved, and LedgerUnwritable.
        """
        waiting = LockWait(
            self.path, patience, notice=self._notice, progress=self._progress, gives_up=lambda: self.gives_up()
        )
        waiting.wait_for_thread(self._threads)
        try:
            if self._pid != os.getpid():
                # A forked child shares its parent's lock, so it must not use it.
                self.close()
            while True:
                if self._fd is None:
                    self._is_new = True
                    self._fd, self._pid = self._open(makes), os.getpid()
                changes = self._take(self._fd, waiting)
                if changes is not None:
                    self.changes = changes
                    # Only now: if the wait was interrupted, the next one must report it.
                    is_new, self._is_new = self._is_new, False
                    return is_new
                self.close()
        except BaseException:
            self._threads.release()
            raise

    def release(self) -> None:
        """Let the next writer in."""
        try:
            # None if it was closed meanwhile, and so released.
            if self._fd is not None:
                disk.unlock(self._fd)
        except OSError:
            self.close()  # That releases it, too.
        finally:
            self._threads.release()

    def announce(self) -> None:
        """Count one more change. Call it while the lock is held, and before the change. Raises OSError."""
        assert self._fd is not None  # noqa: S101 - for the type checker: the lock is held
        self.changes += 1
        disk.truncate(self._fd, self.changes)

    def moved(self, what: str) -> LedgerMoved:
        """The error for a ledger that is not where it was, with its new place if that is known."""
        return LedgerMoved(what, self._place)

    def _take(self, fd: int, waiting: LockWait) -> int | None:
        """Wait for the lock of an open file; how many changes it counts, and None if it is no longer in its place."""
        try:
            while not disk.lock(fd):
                waiting.pause()
            try:
                status = os.stat(self._name)  # noqa: PTH116 - hot: before each append
            except FileNotFoundError:
                status = None
        except OSError as problem:
            raise LedgerUnwritable(
                f"cannot lock the ledger by {self.path}: {problem.strerror}. Nothing was recorded; keep the ledger on "
                f"a file system with locks"
            ) from problem
        if status is not None and (status.st_ino, status.st_dev) == self._identity:
            return status.st_size
        place = place_of(fd)
        self._place = place.parent if place else None
        return None

    def _open(self, makes: bool) -> int:
        folder = self.path.parent
        try:
            if makes:
                disk.make_folder(folder)
            fd = disk.open_file(self.path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError as problem:
            raise self.moved(f"{folder} is gone") from problem
        except OSError as problem:
            raise LedgerUnwritable(
                f"cannot write the ledger in {folder}: {problem.strerror}. Make the folder writable, or "
                f"choose another with --workspace or --ledger"
            ) from problem
        status = os.fstat(fd)
        self._identity = (status.st_ino, status.st_dev)
        return fd

    def retire(self) -> None:
        """Make every writer, also this one, open the ledger anew. Call it while the lock is held."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close the file; a lock that is held on it is released."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def place_of_file(identity: tuple[int, int]) -> Path | None:
    """Where the file with that inode and device is now, which this process has open; None as in `place_of`."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - only the names are needed
    except OSError:
        return None
    for fd in numbers:
        with contextlib.suppress(OSError):  # The descriptor of the listing itself.
            status = os.fstat(fd)
            if (status.st_ino, status.st_dev) == identity:
                return place_of(fd)
    return None


def place_of(fd: int) -> Path | None:
    """Where an open file is now; None if it was deleted, or the system does not say."""
    try:
        now = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - as text
    except OSError:
        return None
    return None if now.endswith(" (deleted)") else Path(now)
