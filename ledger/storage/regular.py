"""Opens files of a ledger without waiting: a pipe or a device may have their name.

A link is not followed: a file with two names would have two locks. The ledger's folder may be a link.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from ..errors import SpecialFile
from ..run_files import kind_of

_NEVER_WAITS = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


def open_regular(path: Path, flags: int) -> int:
    """A file descriptor of a regular file. Raises SpecialFile for anything else, and OSError."""
    refuse_special(path)  # Check first: opening a device may already have an effect.
    try:
        fd = os.open(path, flags | _NEVER_WAITS, 0o644)
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            refuse_special(path)  # It was created after the first check.
        raise
    if (kind := kind_of(os.fstat(fd).st_mode)) is not None:
        os.close(fd)
        raise SpecialFile(path, kind)
    return fd


def open_for_reading(path: Path) -> BinaryIO:
    """A regular file, opened for reading. Raises SpecialFile for anything else, and OSError."""
    return os.fdopen(open_regular(path, os.O_RDONLY), "rb")


def refuse_special(path: Path) -> None:
    """Raises SpecialFile if a pipe, device, folder or link has that name."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if (kind := kind_of(mode)) is not None:
        raise SpecialFile(path, kind)
