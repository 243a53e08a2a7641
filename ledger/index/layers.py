"""The files of an index: tables in layers. Each covers a range of the ledger, and its name gives the two ends.

The newest layer that has a key gives its value. A new layer is merged with those before it that are not much larger, so
the number of layers, and of copies of each entry, grows with the logarithm of the history. A file never changes, and
gets its name after it is complete. So readers need no lock, and two writers at once do no harm: both write correct
layers, and the chain takes those that reach furthest.
"""

from __future__ import annotations

import contextlib
import heapq
import re
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec

from ..storage.chain import Head
from .meta import Meta, read_meta, write_meta
from .table import Entry, IndexDamaged, Table, write_table

_NAME = re.compile(r"(\d{20})-(\d{20})\.table")
_UNFINISHED = re.compile(r"\d{20}-\d{20}\.table\.\d+\.new")
_ABANDONED_SECONDS = 3600.0
"""An unfinished file of this age counts as left behind by a crash."""
_GROWTH = 4
"""A layer is not merged while it is at least this many times as large as all newer layers together."""
_MAX_ATTEMPTS = 5


class Layer(msgspec.Struct, frozen=True):
    """A table, and the metadata of its range of the ledger."""

    table: Table
    meta: Meta


class Layers:
    """A chain of layers that begins with the first event. Reading it never changes a file."""

    def __init__(self, layers: Sequence[Layer] = ()) -> None:
        self.layers = list(layers)

    @property
    def meta(self) -> Meta:
        """The metadata at the last position."""
        return self.layers[-1].meta if self.layers else Meta()

    def get(self, key: bytes) -> tuple[bytes, Path] | None:
        """The value of a key, and the file it is in. Raises IndexDamaged."""
        for layer in reversed(self.layers):
            if (value := layer.table.get(key)) is not None:
                return value, layer.table.path
        return None

    def entries(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The entries whose keys begin with `prefix`, in the order of their keys. Raises IndexDamaged."""
        return _merged([layer.table for layer in self.layers], prefix)

    def without_last(self) -> Layers:
        """The chain up to the layer before the last."""
        return Layers(self.layers[:-1])

    def remove(self) -> None:
        """Remove the files of this chain."""
        for layer in self.layers:
            _remove(layer.table.path)


def _merged(tables: Sequence[Table], prefix: bytes = b"") -> Iterator[Entry]:
    """The entries of several tables, the newest table last; for each key, the newest entry."""
    return _newest([table.entries(prefix) for table in tables])


def _newest(sources: Sequence[Iterator[Entry]]) -> Iterator[Entry]:
    """Merge the sorted entries of several sources; for each key, the last source that has it wins."""
    numbered = [_numbered(entries, -number) for number, entries in enumerate(sources)]
    for key, same in groupby(heapq.merge(*numbered), itemgetter(0)):
        yield key, next(same)[2]


def _numbered(entries: Iterator[Entry], number: int) -> Iterator[tuple[bytes, int, bytes]]:
    return ((key, number, value) for key, value in entries)


def open_layers(folder: Path) -> Layers:
    """The longest chain of complete layers in a folder; it may be empty. Damaged files are removed."""
    for _ in range(_MAX_ATTEMPTS):
        try:
            return Layers(_chain(folder))
        except FileNotFoundError:
            continue  # Another process has just merged it with others.
    return Layers()


def _chain(folder: Path) -> list[Layer]:
    ranges = _ranges(folder)
    layers: list[Layer] = []
    head = Head()
    while candidates := sorted((last for first, last in ranges if first == head.seq and last > first), reverse=True):
        path = folder / _name(head.seq, candidates[0])
        ranges.remove((head.seq, candidates[0]))
        try:
            table = Table(path)
            meta = read_meta(table)
        except IndexDamaged:
            _remove(path)
            continue
        if meta.after == head and meta.head.seq == candidates[0]:
            layers.append(Layer(table, meta))
            head = meta.head
        else:
            _remove(path)  # It belongs to another history.
    return layers


def _ranges(folder: Path) -> set[tuple[int, int]]:
    if folder.is_symlink():
        return set()  # A link could lead to other people's files, and files that do not fit are removed.
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return set()
    matches = [match for name in names if (match := _NAME.fullmatch(name))]
    return {(int(match[1]), int(match[2])) for match in matches}


def add_layer(folder: Path, layers: Layers, entries: dict[bytes, bytes], meta: Meta, *, is_last: bool = True) -> Layers:
    """The chain with one more layer, merged with those before it that are not much larger. Raises OSError.

    Without `is_last`, more layers follow at once, so nothing is merged yet. Raises IndexDamaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        raise NotADirectoryError(f"{folder} is a link")
    size = sum(len(key) + len(value) for key, value in entries.items())
    number = _number_to_keep([layer.table.size for layer in layers.layers], size) if is_last else len(layers.layers)
    kept, merged = layers.layers[:number], layers.layers[number:]
    sorted_entries: Iterator[Entry] = iter(sorted(entries.items()))
    if merged:
        meta = msgspec.structs.replace(meta, after=merged[0].meta.after)
        sorted_entries = _newest([_merged([layer.table for layer in merged]), sorted_entries])
    for layer in layers.layers:
        layer.table.forget()  # Otherwise, the layers would hold a large part of the index in memory while it is built.
    path = folder / _name(meta.after.seq, meta.head.seq)
    write_table(path, sorted_entries, write_meta(meta), is_compressed=is_last)
    for layer in merged:
        if layer.table.path != path:
            _remove(layer.table.path)
    if is_last:
        _clean(folder, meta)
    return Layers([*kept, Layer(Table(path), meta)])


def _number_to_keep(sizes: Sequence[int], newest: int) -> int:
    """The number of layers to keep: those before the first that is not much larger than all newer ones together."""
    newer = newest + sum(sizes)
    for number, size in enumerate(sizes):
        newer -= size
        if size < _GROWTH * newer:
            return number
    return len(sizes)


def _clean(folder: Path, meta: Meta) -> None:
    """Remove layers within the one that was just written, and files that a killed writer left behind."""
    for first, last in _ranges(folder):
        if meta.after.seq <= first and last <= meta.head.seq and (first, last) != (meta.after.seq, meta.head.seq):
            _remove(folder / _name(first, last))
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()


def _name(first: int, last: int) -> str:
    return f"{first:020d}-{last:020d}.table"


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # Another process was faster, or nothing can be written here.
        path.unlink()
