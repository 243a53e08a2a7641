"""The start of a verification of new events: what it assumes about the events before them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ..aside import Positions, set_aside_by
from ..events import GroupOpened, Head, Record, SetAside, Started
from ..history import History
from ..index.index import Index
from ..index.keeping import Keeper
from ..index.table import IndexDamaged
from ..storage.chain import GENESIS
from ..store import EventStore


class Start(msgspec.Struct, frozen=True):
    """The event before the first new one, and what the new events are about.

    `history` has the older runs and groups that new events are about, as they were. `versions` and `firsts` are the
    last versions and first positions of their streams. `groups` are the older groups of new runs.
    """

    head: Head
    first_hash: str
    history: History
    versions: dict[str, int]
    firsts: dict[str, int]
    groups: set[str]
    aside: Positions


def start_after(store: EventStore, head: Head) -> Start:
    """The start of a verification of the events after `head`. The ledger must hold that event.

    The index gives the first positions of the older runs and groups that new events are about, so that older events are
    read only from there. Raises LedgerDamaged.
    """
    keeper = Keeper(store)
    while True:
        index = keeper.open()
        try:
            return _start_after(store, head, index)
        except IndexDamaged:
            keeper.throw_away(index)


def _start_after(store: EventStore, head: Head, index: Index) -> Start:
    going_on = _going_on(store.read(head.seq, details=False))
    known = {stream: first for stream in going_on if (first := _first_seq(index, stream)) is not None}
    later = (set_aside_by(record) for record in store.read(index.seq, types=[SetAside.type]))
    aside = index.aside.union(*later)
    history = History(aside=aside)
    versions: dict[str, int] = {}
    firsts: dict[str, int] = {}
    opened: set[str] = set()
    # Streams that the index does not know began after its last event.
    begin = min([*known.values(), index.seq + 1])
    for record in store.read(begin - 1):
        if record.seq > head.seq:
            break
        if record.type == GroupOpened.type:
            opened.add(record.stream)
        if record.stream in going_on:
            firsts.setdefault(record.stream, record.seq)
            versions[record.stream] = record.version
            history.read([record])
    return Start(
        head=head,
        first_hash=_first_hash(store),
        history=history,
        versions=versions,
        firsts=firsts,
        groups=opened.union(name for name in _groups_of(store, head) if index.opened_at(name) is not None),
        aside=aside,
    )


def _groups_of(store: EventStore, head: Head) -> set[str]:
    """The groups of the runs that began after an event."""
    started = store.read(head.seq, types=[Started.type])
    return {record.data.run_group_id for record in started if isinstance(record.data, Started)}


def _going_on(records: Iterable[Record]) -> set[str]:
    """The streams that began before these records."""
    begun: dict[str, bool] = {}
    for record in records:
        begun.setdefault(record.stream, record.version > 1)
    return {stream for stream, is_older in begun.items() if is_older}


def _first_seq(index: Index, stream: str) -> int | None:
    """The position of the first event of a run, group or registered plan; None if the index does not know it."""
    if run := index.run(stream):
        return run.first_seq
    if plan := index.registration(stream):
        return plan.seq
    return index.opened_at(stream)


def _first_hash(store: EventStore) -> str:
    first = next(store.read_lines(), None)
    return GENESIS if first is None else first[-66:-2].decode(errors="replace")
