"""Files that a run left: opened so that they cannot block or mislead a reader, or exhaust its memory.

A benchmark may leave anything under any name: a pipe without a writer, a link to a device, a sparse file of a
terabyte. So all code that reads a file of a run's folder opens it here: without waiting, only if it is a regular file,
and without following a link that was created at the last moment.

Links: a link may lead to a file or folder inside the run's own folder, since benchmarks keep names such as
`latest -> run-3`. A link that leads out of that folder is not followed. The run's folder itself must not be a link.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO

LOGS = ("stdout.log", "stderr.log")
"""The names of a run's logs in its folder."""

_CHUNK = 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
}


class NotReadable(Exception):
    """A file of a run cannot be read. The message continues a sentence that begins with its name: "is a named pipe"."""


class Missing(NotReadable):
    """The file does not exist."""


def open_inside(root: Path, path: str | PurePosixPath) -> BinaryIO:
    """The regular file at `path` below the run's folder `root`, opened for reading.

    Raises NotReadable, or Missing if nothing of that name is there.
    """
    inner = PurePosixPath(path)
    if inner.is_absolute() or ".." in inner.parts or not inner.parts:
        raise NotReadable("leads out of the run's folder")
    try:
        if root.is_symlink():
            raise NotReadable("lies in a folder that is a link")
        real = Path(os.path.realpath(root, strict=True))
        target = Path(os.path.realpath(root / inner, strict=True))
        if target == real or not target.is_relative_to(real):
            raise NotReadable("is a link that leads out of the run's folder")
        return os.fdopen(_open_below(real, target.relative_to(real)), "rb")
    except (FileNotFoundError, NotADirectoryError):
        if os.path.lexists(root / inner):
            raise NotReadable("is a link that leads nowhere") from None
        raise Missing("is missing") from None
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise NotReadable("is a link that leads in a circle") from problem
        raise NotReadable(f"cannot be read: {problem.strerror}") from problem
    except ValueError as problem:  # The name contains a NUL, or is not text.
        raise NotReadable("is not the name of a file") from problem


def _open_below(root: Path, path: Path) -> int:
    """The file, opened folder by folder, so that a link that is created meanwhile is not followed."""
    here = os.open(root, _FOLDER)
    try:
        for part in path.parts[:-1]:
            inside = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = inside
        # Check the type before opening: opening a device may already have an effect.
        _refuse_special(os.stat(path.name, dir_fd=here, follow_symlinks=False).st_mode)
        file = os.open(path.name, _FILE, dir_fd=here)
    finally:
        os.close(here)
    try:
        _refuse_special(os.fstat(file).st_mode)
    except NotReadable:
        os.close(file)
        raise
    return file


def _refuse_special(mode: int) -> None:
    if (kind := kind_of(mode)) is not None:
        raise NotReadable(f"is {kind}")


def kind_of(mode: int) -> str | None:
    """The kind of a file, by its mode: "a named pipe"; None for a regular file."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "a special file")


def read_inside(root: Path, path: str | PurePosixPath, *, most: int) -> bytes:
    """The content of a run's file; its maximum size is `most` bytes.

    Raises NotReadable, or Missing if nothing of that name is there.
    """
    with open_inside(root, path) as file:
        try:
            # A file that is too large is not read, but it may grow meanwhile.
            is_larger = os.fstat(file.fileno()).st_size > most
            if is_larger or len(content := file.read(most + 1)) > most:
                raise NotReadable(f"has {os.fstat(file.fileno()).st_size} bytes, and at most {most} are read")
        except OSError as problem:
            raise NotReadable(f"cannot be read: {problem.strerror}") from problem
    return content


def digest(file: BinaryIO, *, is_over: Callable[[], bool] = lambda: False) -> str | None:
    """The SHA-256 of an opened file, as hex; None if `is_over` returned true before the end of the file.

    Raises OSError.
    """
    seen = sha256()
    while not is_over():
        piece = file.read(_CHUNK)
        if not piece:
            return seen.hexdigest()
        seen.update(piece)
    return None
