"""Files of a run's folder, opened without ever leaving it, and pieces of them as plain text."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

import falcon

from ...ledger.fold import Run
from .parameters import MOST_NUMBER, Parameter

MOST_BYTES = 1024 * 1024
SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""The policy of text that a benchmark wrote: whatever a browser takes it for, it can do nothing."""

PIECE = (
    Parameter("offset", "where to begin, in bytes; from the end where negative", "number", 0, least=-MOST_NUMBER),
    Parameter("limit", "how many bytes", "number", MOST_BYTES, least=1, most=MOST_BYTES),
)


def open_artifact(run: Run, folder: Path, path: str) -> tuple[BinaryIO, int]:
    """A recorded artifact, opened, and its size. Raises HTTPNotFound."""
    if path not in {artifact.path for artifact in run.artifacts}:
        raise falcon.HTTPNotFound(title="no such artifact", description="the run recorded no file of that name")
    return open_inside(folder, path)


def open_inside(folder: Path, path: str) -> tuple[BinaryIO, int]:
    """A file of a run's folder, opened, and its size: links may lead about in the folder, but not out of it.

    Raises HTTPNotFound.
    """
    try:
        root = folder.resolve(strict=True)
        file = os.fdopen(_open_below(root, (root / path).resolve(strict=True).relative_to(root)), "rb")
    except (OSError, ValueError, RuntimeError):  # The last for links that lead in a circle.
        raise falcon.HTTPNotFound(
            title="file gone", description=f"'{path}' belongs to the run, but is no file of the run's folder any more"
        ) from None
    return file, os.fstat(file.fileno()).st_size


def _open_below(root: Path, path: Path) -> int:
    """A regular file, opened step by step: a link that somebody put there just now is not followed.

    Raises OSError.
    """
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.parts[:-1]:
            inside = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = inside
        # Not waiting: nobody may ever write to a pipe that lies there.
        file = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(path)
    return file


def file_size(folder: Path, name: str) -> int | None:
    """The size of a file of the folder; None where there is none."""
    try:
        told = (folder / name).lstat()
    except (OSError, ValueError):
        return None
    return told.st_size if stat.S_ISREG(told.st_mode) else None


def send_piece(req: falcon.Request, resp: falcon.Response, file: BinaryIO, size: int, asked: dict[str, Any]) -> None:
    """A piece of a file as plain text, by `offset` and `limit`, or by a `Range` header.

    Headers say the size, and where to go on. Raises HTTPRangeNotSatisfiable.
    """
    offset, most = asked["offset"], asked["limit"]
    if (wanted := req.range) is not None and req.range_unit == "bytes":
        offset, last = wanted
        if last >= 0:
            most = min(most, last + 1 - offset)
        elif offset < 0:
            most = min(most, -offset)
        if offset >= size:
            raise falcon.HTTPRangeNotSatisfiable(size, title="nothing is there", description=f"there are {size} bytes")
    begin = max(0, size + offset) if offset < 0 else min(offset, size)
    file.seek(begin)
    piece = file.read(min(most, size - begin))
    if wanted is not None and req.range_unit == "bytes":
        resp.status = falcon.HTTP_206
        resp.content_range = (begin, begin + len(piece) - 1, size)
    resp.data = piece
    resp.content_type = "text/plain; charset=utf-8"
    resp.set_header("Content-Security-Policy", SANDBOX)
    resp.set_header("Accept-Ranges", "bytes")
    resp.set_header("X-Log-Size", str(size))
    resp.set_header("X-Next-Offset", str(begin + len(piece)))
