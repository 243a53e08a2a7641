"""Compressed files, read and written in pieces: a file of another origin may be far larger than it looks."""

from __future__ import annotations

import contextlib
import gzip
import sys
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ..errors import LedgerError

if TYPE_CHECKING:
    from types import ModuleType

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Maximum size of a line; an event usually has a few thousand bytes."""

_MAX_RATIO = 200
"""Maximum ratio of unpacked to packed bytes. A ledger has about 10; a higher one indicates an attack on memory."""

_ALWAYS_FINE = 64 * 1024 * 1024

_PIECE = 1024 * 1024


class UnreadableFile(LedgerError):
    """A file that was given as an export of a ledger, but is not one."""


class _Bounded:
    """The unpacked bytes of a file; raises UnreadableFile if there are more than its size allows."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._max_bytes = max(_ALWAYS_FINE, _MAX_RATIO * path.stat().st_size)
        self._seen = 0

    def read(self, size: int = _PIECE) -> bytes:
        """The next bytes, at most a megabyte of them."""
        piece = self._file.read(min(_PIECE, size) if size >= 0 else _PIECE)
        self._seen += len(piece)
        if self._seen > self._max_bytes:
            raise UnreadableFile(
                f"{self._path} unpacks to more than {self._max_bytes} bytes, too many for its size\n"
                "hint: unpack it yourself, look at it, and import what comes out"
            )
        return piece


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The unpacked bytes of a file; its ending (`.gz`, `.zst`) says how. Only `read(size)` is supported.

    Raises UnreadableFile, also during reading.
    """
    try:
        with _unpacking(path) as file:
            yield cast("BinaryIO", _Bounded(path, file) if path.suffix in (".gz", ".zst") else file)
    except (OSError, EOFError, zlib.error, ValueError) as problem:
        raise _unreadable(path, problem) from problem
    except Exception as problem:
        if path.suffix == ".zst" and isinstance(problem, _zstd().ZstdError):
            raise _unreadable(path, problem) from problem
        raise


def _unreadable(path: Path, problem: Exception) -> UnreadableFile:
    cause = problem.strerror if isinstance(problem, OSError) else None
    return UnreadableFile(f"{path} cannot be read: {cause or problem}")


def _unpacking(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path))
    if path.suffix == ".zst":
        return cast("BinaryIO", _zstd().open(path))
    return path.open("rb")


def packing(path: Path, raw: BinaryIO) -> BinaryIO:
    """A file that compresses what is written to it into `raw`, by the ending of `path`. The caller closes it.

    The output holds neither a name nor a time, so the same bytes give the same file.
    """
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=cast("BufferedIOBase", raw), mtime=0))
    if path.suffix == ".zst":
        return cast("BinaryIO", _zstd().ZstdFile(raw, "wb"))
    return raw


def _zstd() -> ModuleType:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, without their newlines. Raises UnreadableFile, also for a line that is too long."""
    with opened(path) as file:
        rest = b""
        while piece := file.read(_PIECE):
            *whole, last = piece.split(b"\n")
            if whole:
                yield rest + whole[0]
                yield from whole[1:]
                rest = last
            else:
                rest += last
            if len(rest) > MAX_LINE_BYTES:
                raise UnreadableFile(f"{path} has a line of more than {MAX_LINE_BYTES} bytes, so it is not an event")
