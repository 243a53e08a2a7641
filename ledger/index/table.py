"""A table: one file of sorted keys with values. It never changes after it is written.

The file begins with a magic text. Blocks of entries follow, then the directory of the blocks, and at the end the
place of the directory. The directory holds the SHA-256 of each block, and the end holds that of the directory: so every
byte is checked before it is used, and only the blocks that are needed are read.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec

from ..errors import SpecialFile
from ..storage import disk
from ..storage.regular import open_regular

MAGIC = b"ledger index 1\n\x00"
_END = struct.Struct(">QQ32s16s")
_BLOCK_BYTES = 8 * 1024
"""A block ends when its entries reach this size; compressed, it takes a third of that."""
_MAX_BLOCK_BYTES = 1 << 30
"""Larger than any real block: the longest value is one run or one group."""
_KEPT_BLOCKS = 512
"""Number of blocks that stay decoded: a campaign of ten thousand cells reads the same ones again and again."""

T = TypeVar("T")
Entry = tuple[bytes, bytes]
"""A key and its value."""


class IndexDamaged(Exception):
    """A file of the index was changed or damaged. The index is then removed; nothing else is lost."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}")


class _Block(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A block: its first key, its offset, its sizes in the file and decompressed, and its SHA-256."""

    first: bytes
    offset: int
    size: int
    full_size: int
    digest: bytes


class _Directory(msgspec.Struct, frozen=True, array_like=True):
    """The blocks, the metadata of the table, and a Bloom filter: most keys that are looked up are in another table."""

    blocks: list[_Block]
    about: bytes
    filter: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_entries = msgspec.msgpack.Decoder(list[Entry]).decode
_decode_directory = msgspec.msgpack.Decoder(_Directory).decode


_LAST_BYTES = struct.Struct("<4I")
_BITS_OF_A_KEY = 10
"""With four bits set for each key, the filter lets through one in a hundred of the missing keys."""


def _bits_of(key: bytes | bytearray, size: int) -> tuple[int, int, int, int]:
    """The bits of a key in a filter of `size` bits. Keys end with a digest, so their last bytes are random."""
    first, second, third, fourth = _LAST_BYTES.unpack_from(key, len(key) - 16)
    kind = key[0] * 0x9E3779B1
    return (first + kind) % size, (second + kind) % size, (third + kind) % size, (fourth + kind) % size


_KEY_BYTES = 17
"""The part of a key that the filter uses: its kind (1 byte), and the digest at its end (16)."""


def _filter_of(keys: bytearray) -> bytes:
    """The filter of keys, of which each takes _KEY_BYTES."""
    size = max(1, len(keys) // _KEY_BYTES * _BITS_OF_A_KEY // 8) * 8
    bits = bytearray(size // 8)
    for begin in range(0, len(keys), _KEY_BYTES):
        for place in _bits_of(keys[begin : begin + _KEY_BYTES], size):
            bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def write_table(path: Path, entries: Iterable[Entry], about: bytes, *, is_compressed: bool = True) -> None:
    """Write a table with these entries, in the order of their keys, and its metadata. Raises OSError.

    A key ends with 16 bytes of a digest. A table that is soon merged need not be compressed. The file gets its name
    only after it is complete and on disk.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    blocks: list[_Block] = []
    keys = bytearray()
    offset = len(MAGIC)
    try:
        with os.fdopen(open_regular(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(MAGIC)
            for block, content in _blocks_of(entries):
                packed = zlib.compress(content, 1 if is_compressed else 0)
                blocks.append(_Block(block[0][0], offset, len(packed), len(content), sha256(packed).digest()))
                file.write(packed)
                offset += len(packed)
                for key, _ in block:
                    keys += key[:1] + key[-16:]
            directory = _encode(_Directory(blocks, about, _filter_of(keys)))
            file.write(directory)
            file.write(_END.pack(offset, len(directory), sha256(directory).digest(), MAGIC))
            file.flush()
            disk.sync(file.fileno())
        disk.rename(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def _blocks_of(entries: Iterable[Entry]) -> Iterator[tuple[list[Entry], bytes]]:
    """The entries in blocks, each with its bytes."""
    block: list[Entry] = []
    size = 0
    for entry in entries:
        block.append(entry)
        size += len(entry[0]) + len(entry[1])
        if size >= _BLOCK_BYTES:
            yield block, _encode(block)
            block, size = [], 0
    if block:
        yield block, _encode(block)


class Table:
    """A table, opened for reading. It can still be read after its file was removed."""

    def __init__(self, path: Path) -> None:
        """Raises IndexDamaged, also if the file cannot be opened, and FileNotFoundError."""
        self.path = path
        self._blocks: dict[int, dict[bytes, bytes]] = {}
        try:
            self._fd = open_regular(path, os.O_RDONLY)
        except FileNotFoundError:
            raise
        except (OSError, SpecialFile) as problem:
            raise IndexDamaged(path, f"it cannot be opened: {problem}") from problem
        try:
            directory = self._read_directory()
        except BaseException:
            os.close(self._fd)
            raise
        self._directory = directory.blocks
        self._firsts = [block.first for block in directory.blocks]
        self.about = directory.about
        self._filter = directory.filter
        self._filter_size = 8 * len(directory.filter)

    def __del__(self) -> None:
        if hasattr(self, "_directory"):
            os.close(self._fd)

    def _read_directory(self) -> _Directory:
        self.size = os.fstat(self._fd).st_size
        if self.size < len(MAGIC) + _END.size or self._read(0, len(MAGIC)) != MAGIC:
            raise IndexDamaged(self.path, "it is not a table of this version")
        offset, length, digest, magic = _END.unpack(self._read(self.size - _END.size, _END.size))
        if magic != MAGIC or offset + length + _END.size != self.size:
            raise IndexDamaged(self.path, "it does not end as a table")
        content = self._read(offset, length)
        if sha256(content).digest() != digest:
            raise IndexDamaged(self.path, "its directory was changed")
        try:
            return _decode_directory(content)
        except (msgspec.MsgspecError, ValueError) as problem:
            raise IndexDamaged(self.path, f"its directory cannot be read: {problem}") from problem

    def _read(self, offset: int, size: int) -> bytes:
        try:
            content = os.pread(self._fd, size, offset)
        except OSError as problem:
            raise IndexDamaged(self.path, f"it cannot be read: {problem.strerror}") from problem
        if len(content) < size:
            raise IndexDamaged(self.path, "it is shorter than it was")
        return content

    def _block(self, number: int) -> dict[bytes, bytes]:
        known = self._blocks.get(number)
        if known is None:
            if len(self._blocks) >= _KEPT_BLOCKS:
                self._blocks.pop(next(iter(self._blocks)), None)
            known = self._blocks[number] = dict(self._entries_of(number))
        return known

    def _entries_of(self, number: int) -> list[Entry]:
        block = self._directory[number]
        packed = self._read(block.offset, block.size)
        if sha256(packed).digest() != block.digest or block.full_size > _MAX_BLOCK_BYTES:
            raise IndexDamaged(self.path, "a block was changed")
        try:
            return _decode_entries(zlib.decompress(packed, bufsize=block.full_size))
        except (zlib.error, msgspec.MsgspecError, ValueError) as problem:
            raise IndexDamaged(self.path, f"a block cannot be read: {problem}") from problem

    def get(self, key: bytes) -> bytes | None:
        """The value of a key. Raises IndexDamaged."""
        bits = self._filter
        if not self._filter_size:
            return None
        for place in _bits_of(key, self._filter_size):
            if not bits[place >> 3] & 1 << (place & 7):
                return None
        number = bisect_right(self._firsts, key) - 1
        return None if number < 0 else self._block(number).get(key)

    def forget(self) -> None:
        """Free the blocks that are kept decoded."""
        self._blocks.clear()

    def entries(self, prefix: bytes = b"") -> Iterator[Entry]:
        """The entries whose keys begin with `prefix`, in order. Raises IndexDamaged."""
        first = max(0, bisect_right(self._firsts, prefix) - 1)
        for number in range(first, len(self._directory)):
            for entry in self._entries_of(number):
                if entry[0].startswith(prefix):
                    yield entry
                elif entry[0] > prefix:
                    return


def decode(decoder: msgspec.msgpack.Decoder[T], value: bytes, path: Path) -> T:
    """Decode a value of a table. Raises IndexDamaged."""
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, ValueError) as problem:
        raise IndexDamaged(path, f"a value cannot be read: {problem}") from problem
