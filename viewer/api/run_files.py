"""Files of a run's folder, opened without ever leaving it, and pieces of them as plain text."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

import falcon

from ...ledger import run_files
from ...ledger.files.elsewhere import Elsewhere, open_recorded
from ...ledger.fold import Run
from ...ledger.run_files import Missing, NotReadable
from .parameters import MAX_NUMBER, Parameter

MAX_BYTES = 1024 * 1024
SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""The policy for text of a benchmark: it can do nothing, whatever type a browser guesses."""

PIECE = (
    Parameter("offset", "the first byte; a negative number counts from the end", "number", 0, minimum=-MAX_NUMBER),
    Parameter("limit", "the number of bytes", "number", MAX_BYTES, minimum=1, maximum=MAX_BYTES),
)


def open_artifact(run: Run, folder: Path, path: str, elsewhere: Elsewhere) -> tuple[BinaryIO, int]:
    """A recorded artifact, opened, and its size: the file here, else that of a store. Raises HTTPNotFound."""
    artifact = next((one for one in run.artifacts if one.path == path), None)
    if artifact is None:
        raise falcon.HTTPNotFound(title="no such artifact", description="the run did not record a file with that name")
    try:
        file = open_recorded(folder, artifact, elsewhere)
    except NotReadable as problem:
        raise _gone(path, problem) from None
    return file, os.fstat(file.fileno()).st_size


def open_log(run: Run, folder: Path, name: str, elsewhere: Elsewhere) -> tuple[BinaryIO, int]:
    """A log of a run, opened, and its size: the one here, else that of a store; empty if it does not exist yet.

    Links may lead within the folder, but not out of it. Raises HTTPNotFound, also if the log of a store is not the one
    that the run recorded.
    """
    try:
        if os.path.lexists(folder / name):
            file = run_files.open_inside(folder, name)
            return file, os.fstat(file.fileno()).st_size
        return elsewhere.open_log(folder, name, next((log for log in run.logs if log.path == name), None))
    except Missing:
        return io.BytesIO(), 0
    except NotReadable as problem:
        raise _gone(name, problem) from None


def log_size(folder: Path, name: str, elsewhere: Elsewhere) -> int | None:
    """The size of a log here or in a store; None if it does not exist or cannot be asked for."""
    if os.path.lexists(folder / name) or not elsewhere.stores:
        return file_size(folder, name)
    try:
        log, size = elsewhere.open_log(folder, name)
    except NotReadable:
        return None
    log.close()
    return size


def _gone(name: str, problem: NotReadable) -> falcon.HTTPNotFound:
    return falcon.HTTPNotFound(title="file gone", description=f"'{name}' belongs to the run, but it {problem}")


def file_size(folder: Path, name: str) -> int | None:
    """The size of a file of the folder; None if it is not a regular file."""
    try:
        found = (folder / name).lstat()
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def send_piece(req: falcon.Request, resp: falcon.Response, file: BinaryIO, size: int, asked: dict[str, Any]) -> None:
    """Give a piece of a file as plain text, by `offset` and `limit`, or by a `Range` header.

    Headers have the size, and the offset of the next piece. Raises HTTPRangeNotSatisfiable.
    """
    offset, count = asked["offset"], asked["limit"]
    if (wanted := req.range) is not None and req.range_unit == "bytes":
        offset, last = wanted
        if last >= 0:
            count = min(count, last + 1 - offset)
        elif offset < 0:
            count = min(count, -offset)
        if offset >= size:
            raise falcon.HTTPRangeNotSatisfiable(
                size, title="range after the end", description=f"the file has {size} bytes"
            )
    begin = max(0, size + offset) if offset < 0 else min(offset, size)
    file.seek(begin)
    piece = file.read(min(count, size - begin))
    if wanted is not None and req.range_unit == "bytes":
        resp.status = falcon.HTTP_206
        resp.content_range = (begin, begin + len(piece) - 1, size)
    resp.data = piece
    resp.content_type = "text/plain; charset=utf-8"
    resp.set_header("Content-Security-Policy", SANDBOX)
    resp.set_header("Accept-Ranges", "bytes")
    resp.set_header("X-Log-Size", str(size))
    resp.set_header("X-Next-Offset", str(begin + len(piece)))
