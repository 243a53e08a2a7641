"""Output files that are written completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file to write to. It replaces `path` at the end of the context, unless an error ends it.

    A link is followed. A device or a pipe, such as /dev/null or /dev/stdout, is written to directly: a rename would
    replace it by a file, for every program of the machine. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    try:
        is_replaced = stat.S_ISREG(target.stat().st_mode)
    except FileNotFoundError:
        is_replaced = True
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not is_replaced:
        yield target
        return
    beside = target.with_name(f".{target.name[:200]}.{os.getpid()}")
    try:
        yield beside
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
