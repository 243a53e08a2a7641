"""The lock of a ledger: one writer at a time, over threads and processes, and across a fork or a replaced ledger."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ..errors import LedgerUnwritable
from . import disk


class LedgerLock:
    """An `flock` on the file `path`, which is made (with its folder) when it is first taken.

    The file's size counts the changes of which a writer has to know and can't see in the file that it writes to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changes = 0
        """How many there were when the lock was taken."""
        self._threads = threading.Lock()
        self._fd: int | None = None
        self._pid = 0
        self._is_new = True

    def acquire(self) -> bool:
        """Take the lock; whether this may be another ledger than when it was held before.

        It may be one the first time, in a forked child, and after somebody removed the ledger or repaired it: what the
        caller knows of it, and its open files, are worth nothing then. Raises LedgerUnwritable.
        """
        self._threads.acquire()
        try:
            if self._pid != os.getpid():
                # A forked child shares its parent's lock, so it must not use it.
                self.close()
            while True:
                if self._fd is None:
                    self._is_new = True
                    self._fd, self._pid = self._open(), os.getpid()
                status = self._take(self._fd)
                if status.st_nlink:
                    self.changes = status.st_size
                    # Only now: whoever is interrupted while he waits must be told the next time.
                    is_new, self._is_new = self._is_new, False
                    return is_new
                self.close()
        except BaseException:
            self._threads.release()
            raise

    def release(self) -> None:
        """Let the next one in."""
        try:
            # None where it was closed meanwhile, and so let go of.
            if self._fd is not None:
                disk.unlock(self._fd)
        except OSError:
            self.close()  # That lets go of it, too.
        finally:
            self._threads.release()

    def announce(self) -> None:
        """Count one more change. Call it while the lock is held, and before the change. Raises OSError."""
        assert self._fd is not None  # noqa: S101 - for the type checker: the lock is held
        self.changes += 1
        disk.truncate(self._fd, self.changes)

    def _take(self, fd: int) -> os.stat_result:
        try:
            disk.lock(fd)
            return os.fstat(fd)
        except OSError as problem:
            raise LedgerUnwritable(
                f"cannot lock the ledger by {self.path}: {problem.strerror}. Nothing was recorded; keep the ledger on "
                f"a file system with locks"
            ) from problem

    def _open(self) -> int:
        folder = self.path.parent
        try:
            disk.make_folder(folder)
            return disk.open_file(self.path, os.O_RDWR | os.O_CREAT)
        except OSError as problem:
            raise LedgerUnwritable(
                f"cannot write the ledger in {folder}: {problem.strerror}. Make the folder writable, or "
                f"choose another with --workspace or --ledger"
            ) from problem

    def retire(self) -> None:
        """Make everybody, this process too, open the ledger anew. Call it while the lock is held."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close the file; a lock that is held on it is let go of."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __del__(self) -> None:
        self.close()
