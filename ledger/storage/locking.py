"""The lock of a ledger: one writer at a time among threads and processes, also after a fork or a replaced ledger."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Hashable
from pathlib import Path

from ..errors import LedgerMoved, LedgerUnwritable, SpecialFile
from ..waiting import LockWait
from . import disk


class _Turn:
    """A place in the kernel's queue for a lock. Another thread waits in it, so that this one can give up at any time.

    Retrying instead starves a writer among many: the process that has just released the lock is faster.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._has_come = threading.Event()
        self._decided = threading.Lock()
        self._is_wanted = True
        self._fd: int | None = None
        self._problem: OSError | SpecialFile | None = None
        threading.Thread(target=self._queue, name="lock", daemon=True).start()

    def wait(self, wait: LockWait) -> int:
        """A file descriptor that holds the lock. Raises LedgerBusy, SpecialFile and OSError."""
        try:
            wait.wait_for_event(self._has_come)
        except BaseException:
            with self._decided:
                self._is_wanted = False
                if self._fd is not None:
                    os.close(self._fd)
            raise
        if self._fd is None:
            assert self._problem is not None  # noqa: S101 - for the type checker: one of the two is there
            raise self._problem
        return self._fd

    def _queue(self) -> None:
        fd = None
        try:
            fd = disk.open_file(self._path, os.O_RDWR)
            disk.await_lock(fd)
        except (OSError, SpecialFile) as problem:
            self._problem = problem
            if fd is not None:
                os.close(fd)
            fd = None
        with self._decided:
            if self._is_wanted:
                self._fd = fd
            elif fd is not None:
                os.close(fd)
        self._has_come.set()


class LedgerLock:
    """An `flock` on the file `path`, which is made (with its folder) when it is first taken.

    The file's size is a counter: it grows with each change that a writer must notice but cannot see in its own
    segment, such as a new segment. `notice` and `progress` are as for `LockWait`.
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
        """The number of changes when the lock was taken."""
        self.gives_up: Callable[[], bool] = lambda: False
        """Whether a wait for this lock should end now."""
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
        """Take the lock. Returns whether its file is new: not the one of the last time.

        It is new the first time, in a forked child, and after the ledger was moved, removed or repaired. Then the
        caller must drop its open files and all that it knows of the ledger. With `makes=False` a missing file is not
        made.

        Raises LedgerBusy after `patience` seconds (None: `usual_patience`), LedgerMoved, LedgerUnwritable, and
        SpecialFile.
        """
        if not self._threads.acquire(blocking=False):
            self._wait(patience).wait_for_thread(self._threads)
        try:
            if self._pid != os.getpid():
                # A forked child shares its parent's lock, so it must not use it.
                self.close()
            while True:
                if self._fd is None:
                    self._is_new = True
                    self._fd, self._pid = self._open(makes), os.getpid()
                changes = self._take(self._fd, patience)
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
        """Release the lock."""
        try:
            # None if the file was closed meanwhile, which released the lock.
            if self._fd is not None:
                disk.unlock(self._fd)
        except OSError:
            self.close()  # Closing releases the lock, too.
        finally:
            self._threads.release()

    def announce(self) -> None:
        """Count one more change. Call it while the lock is held, and before the change. Raises OSError."""
        assert self._fd is not None  # noqa: S101 - for the type checker: the lock is held
        self.changes += 1
        disk.truncate(self._fd, self.changes)

    def moved(self, what: str) -> LedgerMoved:
        """The error for a ledger that is no longer in its place, with its new place if that is known."""
        return LedgerMoved(what, self._place)

    def _wait(self, patience: float | None) -> LockWait:
        return LockWait(
            self.path, patience, notice=self._notice, progress=self._progress, gives_up=lambda: self.gives_up()
        )

    def _take(self, fd: int, patience: float | None) -> int | None:
        """Wait for the lock of an open file. Returns its number of changes, or None if another file has replaced it."""
        try:
            is_held = disk.lock(fd) or self._take_in_turn(fd, self._wait(patience))
            try:
                status = os.stat(self._name)  # noqa: PTH116 - hot: before each append
            except FileNotFoundError:
                status = None
        except OSError as problem:
            raise LedgerUnwritable(
                f"cannot lock the ledger by {self.path}: {problem.strerror}. Nothing was recorded.\nhint: keep "
                f"the ledger on a file system with locks"
            ) from problem
        if is_held and status is not None and (status.st_ino, status.st_dev) == self._identity:
            return status.st_size
        place = place_of(fd if self._fd is None else self._fd)
        self._place = place.parent if place else None
        return None

    def _take_in_turn(self, fd: int, wait: LockWait) -> bool:
        """Whether the lock was taken; if not, another file has replaced it."""
        while not wait.is_long:
            wait.pause()
            if disk.lock(fd):
                return True
        try:
            locked = _Turn(self.path).wait(wait)
        except FileNotFoundError:
            return False
        status = os.fstat(locked)
        if (status.st_ino, status.st_dev) != self._identity:
            os.close(locked)
            return False
        os.close(fd)
        self._fd = locked
        return True

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
                f"cannot write the ledger in {folder}: {problem.strerror}.\nhint: make the folder writable, "
                f"or choose another with --workspace or --ledger"
            ) from problem
        status = os.fstat(fd)
        self._identity = (status.st_ino, status.st_dev)
        return fd

    def retire(self) -> None:
        """Make every writer, including this one, open the ledger again. Call it while the lock is held."""
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
    """The current path of an open file of this process, by its inode and device; None as in `place_of`."""
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
    """The current path of an open file; None if it was deleted, or the system does not report it."""
    try:
        now = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - as text
    except OSError:
        return None
    return None if now.endswith(" (deleted)") else Path(now)
