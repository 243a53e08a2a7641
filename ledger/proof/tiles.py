"""The hashes of a tree as tiles in a folder, in the layout of C2SP tlog-tiles.

    tile/<level>/<index>          a full tile: 256 hashes
    tile/<level>/<index>.p/<W>    an unfinished tile: W hashes
    tile/entries/<index>[.p/<W>]  the leaves themselves, if the folder is a site; each with its length before it

A full tile never changes, and an unfinished one only gets more hashes. So readers need no lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import LedgerError
from .edge import TILE_HEIGHT, TILE_WIDTH, top_of
from .tree import HASH_BYTES

FULL_BYTES = TILE_WIDTH * HASH_BYTES
ENTRIES = "entries"
_LENGTH = HASH_BYTES.to_bytes(2, "big")


class TilesDamaged(LedgerError):
    """A tile is missing, or is not what it was. The tree can be built anew from the ledger."""

    exit_code = 3


def index_path(index: int) -> str:
    """The path of a tile's index: `1234067` is `x001/x234/067`."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03d}")
    return "/".join(reversed(parts))


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """The path of a tile below its folder. `level` is `entries` for the leaves themselves."""
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{index_path(index)}{partial}"


def width_of(size: int, level: int, index: int) -> int:
    """The number of hashes of a tile in a tree of `size` leaves; 0 or less if it does not have the tile."""
    return min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - index * TILE_WIDTH)


def entry_bundle(leaves: Iterable[bytes]) -> bytes:
    """The content of a tile of entries."""
    return b"".join(_LENGTH + leaf for leaf in leaves)


class TileReader:
    """Reads the hashes of a tree of `size` leaves. `fresh` are tiles that are not in the folder, by (level, index)."""

    def __init__(self, folder: Path | None, size: int, fresh: dict[tuple[int, int], bytes] | None = None) -> None:
        self._folder = folder
        self._size = size
        self._fresh = fresh or {}
        self._seen: dict[tuple[int, int], bytes] = {}

    def hash_of(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree at a level and an index. Raises TilesDamaged."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        first = index << height
        tile = self._tile(tile_level, first // TILE_WIDTH)
        begin = first % TILE_WIDTH * HASH_BYTES
        wanted = tile[begin : begin + (HASH_BYTES << height)]
        if len(wanted) != HASH_BYTES << height:
            raise TilesDamaged(f"a tile of level {tile_level} is too short")
        return top_of([wanted[at : at + HASH_BYTES] for at in range(0, len(wanted), HASH_BYTES)])

    def _tile(self, level: int, index: int) -> bytes:
        key = (level, index)
        if key not in self._seen:
            self._seen[key] = self._fresh.get(key) or self._read(level, index)
        return self._seen[key]

    def _read(self, level: int, index: int) -> bytes:
        width = width_of(self._size, level, index)
        if self._folder is None or width < 1:
            raise TilesDamaged(f"the tree has no tile {index} of level {level}")
        for candidate in (width, TILE_WIDTH):
            with contextlib.suppress(OSError):
                return read_tile(self._folder / tile_path(level, index, candidate))
        # Another process has added leaves meanwhile, and has replaced this tile by a wider one.
        partial = self._folder / f"{tile_path(level, index)}.p"
        with contextlib.suppress(OSError):
            wider = [int(path.name) for path in partial.iterdir() if path.name.isdecimal()]
            if wider and max(wider) > width:
                return read_tile(partial / str(max(wider)))
        raise TilesDamaged(f"the tile {tile_path(level, index, width)} is missing")


def read_tile(path: Path) -> bytes:
    """The content of a tile; a link, a pipe or a larger file is not read. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(fd, FULL_BYTES + 1)
    finally:
        os.close(fd)


def write_tile(folder: Path, path: str, content: bytes) -> None:
    """Write a tile; a reader sees all of it or none. Raises OSError."""
    target = f"{folder}/{path}"
    beside = f"{target}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(beside, flags, 0o644)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - thousands of tiles are written
        fd = os.open(beside, flags, 0o644)
    try:
        if os.write(fd, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)
    finally:
        os.close(fd)
    os.replace(beside, target)  # noqa: PTH105 - the same


def remove_tiles(folder: Path) -> None:
    """Remove all tiles of a folder, and nothing else."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder / "tile")


def remove_partial(folder: Path, level: int | str, index: int, *, keep: int = 0) -> None:
    """Remove the unfinished forms of a tile, but for the one of the width `keep`."""
    partial = folder / f"{tile_path(level, index)}.p"
    with contextlib.suppress(FileNotFoundError):
        for path in partial.iterdir():
            if path.name != str(keep):
                path.unlink(missing_ok=True)
        if not keep:
            partial.rmdir()
