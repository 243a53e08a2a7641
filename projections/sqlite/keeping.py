"""The file of a projection: one writer at a time, and whether it is still as its last writer left it.

Another program may edit the file, or put another in its place, while the ledger stays sound. So the last writer notes
the file's size and times in the lock file beside it. To look at them takes microseconds, whatever the file's size.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ...ledger.errors import ExpectedError, LedgerBusy
from ...ledger.storage import disk
from ...ledger.waiting import LockWait

Notice = Callable[[str], None]
"""It gets a line for the person who uses the program."""

_MAX_BYTES = 1024
_JITTER_NS = 1_000_000


class ProjectionError(ExpectedError):
    """The projection cannot be written; the ledger is untouched."""


class Seal(msgspec.Struct, frozen=True, array_like=True):
    """A file's size in bytes, and when its content and its entry were changed last, in nanoseconds."""

    size: int
    modified_ns: int
    changed_ns: int


def seal_of(path: Path) -> Seal | None:
    """The seal of a file as it is now; None if the path does not lead to a regular file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return Seal(status.st_size, status.st_mtime_ns, status.st_ctime_ns) if stat.S_ISREG(status.st_mode) else None


def seal_left(path: Path) -> Seal | None:
    """The seal that the last writer of a file left; None if there is none. Waits for no lock."""
    try:
        return _seal_in(_lock_of(path).read_bytes()[:_MAX_BYTES])
    except OSError:
        return None


def _seal_in(content: bytes) -> Seal | None:
    """The seal of a lock file: its first line."""
    try:
        return msgspec.json.decode(content.partition(b"\n")[0], type=Seal)
    except msgspec.DecodeError:
        return None


class KeptFile:
    """A projection's file while this process is its only writer."""

    def __init__(self, path: Path, lock: int, notice: Notice | None = None) -> None:
        self.path = path
        self.note = b""
        """What this writer says about the file, in one line of JSON. It is kept beside the seal."""
        self._lock = lock
        self._notice = notice

    @property
    def left(self) -> Seal | None:
        """The seal that the last writer left; None if there was none, or it did not come to its end."""
        return _seal_in(os.pread(self._lock, _MAX_BYTES, 0))

    @property
    def left_note(self) -> bytes:
        """What the last writer said about the file; empty if it said nothing."""
        return os.pread(self._lock, _MAX_BYTES, 0).partition(b"\n")[2]

    def is_untouched(self) -> bool:
        """Whether the file is as its last writer left it."""
        left = self.left
        return left is not None and left == seal_of(self.path)

    def begin(self) -> None:
        """Call it before the first byte of the file changes: a writer that is killed leaves no seal."""
        os.ftruncate(self._lock, 0)

    def make_room(self, path: Path) -> None:
        """Put a folder aside that lies in the place of the file, or of one beside it. Raises OSError."""
        kept = put_folder_aside(path)
        if kept is not None and self._notice is not None:
            self._notice(f"a folder was in the place of {path.name}: it is kept as {kept.name}")

    def remove(self, path: Path) -> None:
        """Remove a file beside the projection; a folder is put aside. Raises OSError."""
        self.make_room(path)
        path.unlink(missing_ok=True)

    def seal(self) -> Seal:
        """Record the file as it is now. Raises OSError."""
        status = self.path.stat()
        # The clock of a file system moves in steps of milliseconds. A time between those steps is never
        # the time of the next write, however soon it comes.
        with contextlib.suppress(PermissionError):  # The file of another owner, whose times only that owner can set.
            modified = status.st_mtime_ns - random.randrange(1, _JITTER_NS)  # noqa: S311 - a mark, not a secret
            os.utime(self.path, ns=(status.st_atime_ns, modified))
        seal = seal_of(self.path)
        if seal is None:
            raise FileNotFoundError(f"{self.path} is not there any more")
        content = msgspec.json.encode(seal) + b"\n" + self.note
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, content, 0)
        return seal


@contextlib.contextmanager
def exclusive(path: Path, *, notice: Notice | None = None) -> Iterator[KeptFile]:
    """One writer of that projection at a time. `notice` gets a line if a folder had to be put aside.

    Raises ProjectionError for a file that cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put_folder_aside(_lock_of(path))
        lock = os.open(_lock_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as problem:
        raise ProjectionError(f"cannot write {path}: {problem.strerror}. The ledger itself is untouched") from problem
    try:
        _wait_for(lock, path)
        yield KeptFile(path, lock, notice)
    except (sqlite3.OperationalError, OSError) as problem:
        raise ProjectionError(f"cannot write {path}: {problem}. The ledger itself is untouched") from problem
    finally:
        os.close(lock)


def put_folder_aside(path: Path) -> Path | None:
    """Rename a folder that lies in the place of a file; its new path. None if it is not a folder. Raises OSError."""
    if path.is_symlink() or not path.is_dir():
        return None
    names = (f"{path.name}.folder{number or ''}" for number in range(1_000))
    kept = next(one for one in map(path.with_name, names) if not os.path.lexists(one))
    return path.rename(kept)


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _wait_for(lock: int, path: Path) -> None:
    """Take the lock of a projection. Raises ProjectionError if another process holds it and writes nothing."""
    wait = LockWait(_lock_of(path), progress=lambda: _sizes(path))
    try:
        while not disk.lock(lock):
            wait.pause()
    except LedgerBusy as problem:
        reason = f"{problem.holder} has held its lock {problem.lock} for {problem.seconds:.0f} s"
        raise ProjectionError(f"cannot write {path}: {reason}. The ledger itself is untouched") from None


def _sizes(path: Path) -> tuple[tuple[str, int], ...]:
    """The files at and beside a projection: they change while another process builds it."""
    sizes = []
    for file in sorted(path.parent.glob(f"{path.name}*")):
        with contextlib.suppress(OSError):
            sizes.append((file.name, file.lstat().st_size))
    return tuple(sizes)


@contextlib.contextmanager
def replacing(file: KeptFile) -> Iterator[Path]:
    """The path of a new file that takes the place of the old one at the end. Raises OSError.

    Unfinished files of killed writers are removed.
    """
    path = file.path
    remove_left_builds(path)
    build = path.with_name(f"{path.name}.build-{os.getpid()}")
    try:
        yield build
        with build.open("rb") as written:
            os.fsync(written.fileno())
        file.begin()
        file.make_room(path)
        build.replace(path)
        file.seal()
    finally:
        build.unlink(missing_ok=True)


def remove_left_builds(path: Path) -> None:
    """Remove the unfinished files that killed writers left beside `path`; call it as the only writer."""
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(f"{path.name}.build-")]
    for name in names:
        with contextlib.suppress(OSError):  # A folder with such a name is not ours.
            path.with_name(name).unlink()
