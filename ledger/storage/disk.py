"""The system calls by which a store changes the disk, in one place, so that tests can intercept them.

Each function makes one call (a few combine several) and raises OSError.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from .regular import open_regular

_SYNCED_ABOVE = 4
"""Number of folders above a new one that are synced: up to the results and the workspace."""

_sync_data = getattr(os, "fdatasync", os.fsync)


def open_file(path: Path, flags: int) -> int:
    """A file descriptor of a regular file, which no child process inherits. Raises SpecialFile for anything else."""
    return open_regular(path, flags)


def lock(fd: int) -> bool:
    """Take the lock of a file if no other process holds it. Returns whether it was taken."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def await_lock(fd: int) -> None:
    """Take the lock of a file, and wait in the kernel's queue without a limit if another process holds it."""
    fcntl.flock(fd, fcntl.LOCK_EX)


def unlock(fd: int) -> None:
    """Release the lock of a file."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def write(fd: int, data: bytes | memoryview) -> int:
    """Write some of the bytes; returns their number."""
    return os.write(fd, data)


def sync(fd: int) -> None:
    """Return when every byte that any process wrote to the file before is on disk."""
    _sync_data(fd)


def truncate(fd: int, size: int) -> None:
    """Cut a file to a size in bytes."""
    os.ftruncate(fd, size)


def rename(source: Path, target: Path) -> None:
    """Rename a file; a file that has the new name is replaced."""
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
    """Make a folder, and the missing ones above it, so that they are on disk when this returns.

    Existing folders above it are synced as well: the process that made them may have died before its sync.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for above in list(folder.absolute().parents)[:_SYNCED_ABOVE]:
        # A folder that this user may not read was not made by this program.
        with contextlib.suppress(PermissionError):
            sync_folder(above)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file; a reader sees either the old content or the new, each complete.

    Call it only if no other process writes that file.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)  # A crash left it, or something else has its name.
    fd = open_file(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(fd, content)
        sync(fd)
    finally:
        os.close(fd)
    rename(beside, path)
    sync_folder(path.parent)
