"""The system calls by which a store changes the disk: one seam, at which tests fail, count and kill.

Each function does one call (`replace_file` says which ones it puts together) and raises OSError.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from .regular import open_regular

_SYNCED_ABOVE = 4
"""Number of folders above a new one that are synced: results, workspace, and those between."""

_sync_data = getattr(os, "fdatasync", os.fsync)


def open_file(path: Path, flags: int) -> int:
    """A file descriptor of a regular file, which no child process inherits. Raises SpecialFile for anything else."""
    return open_regular(path, flags)


def lock(fd: int) -> bool:
    """Take the lock of that file if no other process holds it; whether it was taken."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def await_lock(fd: int) -> None:
    """Wait in the kernel's queue until no other process holds the lock of that file, however long that takes."""
    fcntl.flock(fd, fcntl.LOCK_EX)


def unlock(fd: int) -> None:
    """Release the lock of that file."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def write(fd: int, data: bytes | memoryview) -> int:
    """Write some of the bytes; returns their number."""
    return os.write(fd, data)


def sync(fd: int) -> None:
    """Return when every byte that any process wrote to the file before is on disk."""
    _sync_data(fd)


def truncate(fd: int, size: int) -> None:
    """Cut a file."""
    os.ftruncate(fd, size)


def rename(source: Path, target: Path) -> None:
    """Give a file another name, in place of what has that name now."""
    source.rename(target)


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, in as many writes as needed."""
    written = write(fd, data)
    if written < len(data):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[write(fd, rest) :]


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, so that they are on disk when this returns.

    Some that exist are synced as well: the process that made them may have died before its sync.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for above in list(folder.absolute().parents)[:_SYNCED_ABOVE]:
        # What only another user may read was not made on the way here.
        with contextlib.suppress(PermissionError):
            sync_folder(above)


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place of another; a reader sees either the old file or the new one, whole.

    Call it only if no other process writes that file.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)  # A crash left it, or something that is not a file has its name.
    fd = open_file(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(fd, content)
        sync(fd)
    finally:
        os.close(fd)
    rename(beside, path)
    sync_folder(path.parent)
