"""Files of a workspace, opened without waiting: a benchmark may have put a pipe or a device in their place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """A regular file, opened for reading; links are followed. Raises OSError for anything else."""
    if not stat.S_ISREG(path.stat().st_mode):  # Before it is opened: to open a device may already do something.
        raise _not_regular(path)
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise _not_regular(path)
    return file


def read_regular(path: Path, *, most: int) -> bytes:
    """The bytes of a regular file that has at most `most` of them. Raises OSError."""
    with open_regular(path) as file:
        content = read_at_most(file, most)
    if content is None:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return content


def read_at_most(file: BinaryIO, most: int) -> bytes | None:
    """The bytes of an opened file that has at most `most` of them; None if it has more. Raises OSError.

    A file that is too large is not read: its first bytes would take memory for nothing.
    """
    if os.fstat(file.fileno()).st_size > most:
        return None
    content = file.read(most + 1)
    return content if len(content) <= most else None  # It may grow meanwhile.


def _not_regular(path: Path) -> OSError:
    return OSError(errno.EINVAL, "it is not a regular file", str(path))
