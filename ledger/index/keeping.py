"""Keeping an index beside a ledger: open it, prove it, update it, and remove it if it does not fit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from ..aside import Positions, set_aside_in
from ..errors import LedgerDamaged
from ..events import Record
from ..history import History
from ..storage import codec
from ..storage.chain import BadLine
from ..store import EventStore, read_to_end
from .index import NO_INDEX, Index, Tally, entries_of, meta_of, says_the_same
from .layers import Layers, add_layer, open_layers
from .meta import Meta
from .table import IndexDamaged

BEHIND = 4_000
"""An index that is more than this number of events behind is updated. Reading them takes about ten milliseconds."""

MAX_POSITION = 2**63 - 1
"""As `behind`, a limit that is never exceeded: the keeper then never writes an index."""

_EVENTS_OF_A_LAYER = 40_000
"""Maximum number of events of which a layer is made in memory."""


_LINES_AT_ONCE = 256
"""The records of this number of lines stay in the processor's cache."""


class SetAsideSince(Exception):
    """Events that are in the index were set aside later, so the index must be rebuilt."""


class Keeper:
    """Keeps the index of a store. `behind` is the maximum number of events by which it may be behind."""

    def __init__(self, store: EventStore, *, behind: int = BEHIND) -> None:
        self._store = store
        self._behind = behind
        self._attempts = 2

    @property
    def behind(self) -> int:
        """The maximum number of events by which an index may be behind the ledger."""
        return self._behind

    @property
    def folder(self) -> Path | None:
        """The folder of the index; None if the store has no place for them."""
        return self._store.index_folder

    def open(self) -> Index:
        """An index that is proven to belong to this ledger, and at most `behind` events behind it if it can be written.

        It may be empty.
        """
        index = self._open_proven()
        try:
            is_far_behind = self._store.head().seq - index.seq > self._behind
        except LedgerDamaged:
            return index  # The next reader or writer of these events reports it with its place.
        return self._follow(index) if is_far_behind else index

    def throw_away(self, index: Index) -> None:
        """Remove the files of a damaged or outdated index. After the third removal, no new index is written."""
        self._attempts -= 1
        index.layers.remove()

    def _follow(self, index: Index) -> Index:
        """The index, updated as far as the ledger is sound; the same index if it cannot be written."""
        if self.folder is None or self._attempts < 0:
            return index
        try:
            return _follow(self.folder, self._store, index)
        except (SetAsideSince, IndexDamaged):
            self.throw_away(index)
            return self._follow(NO_INDEX)
        except (LedgerDamaged, BadLine):
            return index
        except OSError:
            self._attempts = -1  # Nothing can be written here, so the new events are read each time.
            return index

    def _open_proven(self) -> Index:
        if self.folder is None or self._attempts < 0:
            return NO_INDEX
        layers = open_layers(self.folder)
        while layers.layers and not self._store.holds(layers.meta.head):
            # The ledger was cut, repaired or replaced; an earlier layer may still belong to it.
            last = Layers(layers.layers[-1:])
            layers = layers.without_last()
            last.remove()
        return Index(layers)


def is_wrong(store: EventStore, history: History) -> bool:
    """Whether the index beside a ledger disagrees with the ledger's events; such an index is removed."""
    keeper = Keeper(store, behind=MAX_POSITION)
    index = keeper.open()
    try:
        if not index.seq or index.seq > history.seq or says_the_same(index, history):
            return False
    except IndexDamaged:
        pass
    keeper.throw_away(index)
    return True


def read_stream(store: EventStore, stream: str, *, after: int) -> Iterator[Record]:
    """The events of a stream after position `after`, in order.

    An index, if there is one, says how many there are: then the reading ends with the last one, not with the ledger.
    Raises LedgerDamaged.
    """
    index = Keeper(store, behind=MAX_POSITION).open()
    try:
        number = index.version(stream)
    except IndexDamaged:
        number = 0
    if number and after < index.seq:
        for record in store.read(after, stream=stream):
            yield record
            number -= 1
            after = record.seq
            if number == 0 or after > index.seq:
                break
        after = max(after, index.seq)
    yield from store.read(after, stream=stream)


def survey(store: EventStore) -> Meta:
    """The counts of a ledger at its last event: from its index, and from the events after the index.

    Raises LedgerDamaged.
    """
    keeper = Keeper(store)
    index = keeper.open()
    history, tally = _read_on(store, index, index.aside)
    if history.is_outdated:
        keeper.throw_away(index)
        index = NO_INDEX
        history, tally = _read_on(store, index, set_aside_in(store))
    return meta_of(history, index, tally)


def _read_on(store: EventStore, index: Index, aside: Positions) -> tuple[History, Tally]:
    history, tally = _begin(index, aside)
    lines = store.read_lines(index.seq)
    try:
        while piece := list(itertools.islice(lines, _LINES_AT_ONCE)):
            _take(b"\n".join(piece) + b"\n", history, tally)
    except BadLine:
        read_to_end(store.read(index.seq))  # It raises LedgerDamaged, with the place.
        raise
    return history, tally


def _follow(folder: Path, store: EventStore, index: Index) -> Index:
    """Write the new events as layers. Raises OSError, LedgerDamaged, BadLine, SetAsideSince, and IndexDamaged."""
    aside = index.aside if index.seq else set_aside_in(store)
    history, tally = _begin(index, aside)
    for lines in store.prove(index.head):
        _take(lines, history, tally)
        if history.is_outdated:
            raise SetAsideSince
        if history.seq - index.seq >= _EVENTS_OF_A_LAYER:
            index = _write(folder, index, history, tally, is_last=False)
            history, tally = _begin(index, aside)
    if history.seq > index.seq:
        index = _write(folder, index, history, tally, is_last=True)
    return index


def _begin(index: Index, aside: Positions) -> tuple[History, Tally]:
    history = History(base=index, aside=aside)
    return history, Tally(index.layers.meta)


def _take(lines: bytes, history: History, tally: Tally) -> None:
    records = codec.decode_lines(lines)
    history.read(records)
    tally.take(lines, records)


def _write(folder: Path, index: Index, history: History, tally: Tally, *, is_last: bool) -> Index:
    entries = entries_of(history, index, tally)
    meta = meta_of(history, index, tally)
    return Index(add_layer(folder, index.layers, entries, meta, is_last=is_last))
