"""Taking in the ledger of another machine: its events, ids and times stay, and get new places here.

The other chain stays provable: `merged` says where its events stand here, and with what hash it ended. Whoever gives
them back their old numbers, in that order, gets the same lines, and so the same hash.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec
from msgspec.structs import replace

from ..events import Merged, NewEvent, Record
from ..storage import codec
from ..storage.chain import GENESIS, Head, last_of, origin_of
from ..store import EventReader, EventStore, Finding

Stretch = tuple[int, int]

_AT_ONCE = 10_000
"""Events appended together: bounds memory."""


class Source(EventReader, Protocol):
    """Something to import from: a store, or a file of lines."""

    def prove(self) -> Iterator[bytes]:
        """As `EventStore.prove`."""
        ...


class Taken(msgspec.Struct, frozen=True):
    """What an import did: events that were added, that were here before, and whether the chain went on as it was."""

    added: int
    known: int
    is_same_chain: bool


def take_in(store: EventStore, source: Source, *, name: str) -> Taken:
    """Bring the events of another ledger into this one; a second time adds nothing.

    A ledger that continues this one (or that this one continues) is copied line by line, so that the chain goes on.
    Any other is merged. `name` is told in the `merged` event. Raises LedgerDamaged where the other one is damaged, and
    what `EventStore.append` raises.
    """
    origin, end = _identify(source.prove())
    ours = _identify(store.prove())[1]
    if end.seq == 0:
        return Taken(0, 0, is_same_chain=True)
    shared = min(end.seq, ours.seq)
    if _hash_at(source, shared) == _hash_at(store, shared):
        added = store.append_lines(source.read_lines(after=ours.seq)) if end.seq > ours.seq else 0
        return Taken(added, shared, is_same_chain=True)
    added = _merge(store, source, origin, name)
    return Taken(added, end.seq - added, is_same_chain=False)


def _identify(pieces: Iterable[bytes]) -> tuple[str, Head]:
    """The origin and the head of a ledger."""
    first_hash, head = GENESIS, Head()
    for lines in pieces:
        if first_hash == GENESIS:
            first_hash = last_of(lines[: lines.index(b"\n") + 1]).hash
        head = last_of(lines)
    return origin_of(first_hash), head


def _hash_at(reader: EventReader, seq: int) -> str:
    return next(reader.read(after=seq - 1)).hash if seq else GENESIS


def _merge(store: EventStore, source: Source, origin: str, name: str) -> int:
    """Append the events that are not here yet, with `merged` events that say where all of them stand; how many."""
    done = _last_merge(store, source, origin)
    position = done.position if done else 0
    stretches = list(done.stretches) if done else []
    index = _Index(store)
    lines = source.read_lines(after=position)
    added = 0
    while some := list(itertools.islice(lines, _AT_ONCE)):
        position += len(some)
        head = codec.decode(some[-1]).hash
        told = Merged(origin=origin, position=position, head_hash=head, stretches=stretches, source=name)
        more, stretches = _append(store, index, [_as_new(line) for line in some], told)
        added += more
    return added


def _append(store: EventStore, index: _Index, events: list[NewEvent], told: Merged) -> tuple[int, list[Stretch]]:
    """Append the events, and what is told of them with their stretches added; how many were new, all stretches."""
    outcome: list[tuple[int, list[Stretch]]] = []

    def decide(_: Iterator[Record]) -> list[NewEvent]:
        index.catch_up()
        new = [event for event in events if event.id not in index.places]
        places = {event.id: index.seq + number for number, event in enumerate(new, 1)}
        stretches = list(told.stretches)
        for event in events:
            _extend(stretches, places.get(event.id) or index.places[str(event.id)])
        outcome.append((len(new), stretches))
        return [*events, NewEvent(told.origin, replace(told, stretches=stretches))]

    store.append(decide, lambda _: None)
    store.sync()
    return outcome[-1]


class _Index:
    """Where each event stands. To be caught up while nobody can append."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.seq = 0
        self.places: dict[str, int] = {}

    def catch_up(self) -> None:
        for line in self._store.read_lines(after=self.seq):
            envelope = codec.read_envelope(line)
            self.places[envelope.id] = self.seq = envelope.seq


def _extend(stretches: list[Stretch], place: int) -> None:
    if stretches and sum(stretches[-1]) == place:
        stretches[-1] = (stretches[-1][0], stretches[-1][1] + 1)
    else:
        stretches.append((place, 1))


def _as_new(line: bytes) -> NewEvent:
    envelope, data = codec.read_envelope(line), codec.raw_data(line)
    return NewEvent(envelope.stream, data, id=envelope.id, at=envelope.at)


def _last_merge(store: EventStore, source: Source, origin: str) -> Merged | None:
    """The newest `merged` event of which the source is a continuation; a fork of the same origin is none."""
    for record in reversed(_of_this_ledger(list(store.read(types=[Merged.type])))):
        event = record.data
        if not isinstance(event, Merged) or event.origin != origin:
            continue
        there = next(source.read(after=event.position - 1), None)
        if there is not None and there.hash == event.head_hash:
            return event
    return None


def _of_this_ledger(merges: list[Record]) -> list[Record]:
    """Those `merged` events whose places are meant here: one that came along with others speaks of its own ledger."""
    return [
        record for record in merges if not any(_holds(other, record.seq) for other in merges if other is not record)
    ]


def _holds(merge: Record, seq: int) -> bool:
    event = merge.data
    return isinstance(event, Merged) and any(first <= seq < first + count for first, count in event.stretches)


def unlike_origins(store: EventReader, merges: list[Record]) -> Iterator[Finding]:
    """What is not as it was in the ledgers that were merged into this one, whose `merged` events are given."""
    merges = _of_this_ledger(merges)
    for number, record in enumerate(merges):
        if not any(_continues(later, record) for later in merges[number + 1 :]):
            yield from _unlike_origin(store, record)


def _continues(later: Record, earlier: Record) -> bool:
    before, after = earlier.data, later.data
    if not (isinstance(before, Merged) and isinstance(after, Merged)) or before.origin != after.origin:
        return False
    length = len(before.stretches)
    if length == 0 or before.stretches[:-1] != after.stretches[: length - 1] or len(after.stretches) < length:
        return length == 0
    (begin, count), (other, longer) = before.stretches[-1], after.stretches[length - 1]
    return begin == other and count <= longer


def _unlike_origin(store: EventReader, merge: Record) -> Iterator[Finding]:
    """Number the events again as they were, and see whether their chain ends as it did."""
    event = merge.data
    assert isinstance(event, Merged)  # noqa: S101 - for the type checker: only that type is given
    versions: dict[str, int] = {}
    seq, digest = 0, GENESIS
    for first, count in event.stretches:
        for line in itertools.islice(store.read_lines(after=first - 1), count):
            envelope = codec.read_envelope(line)
            seq += 1
            version = versions[envelope.stream] = versions.get(envelope.stream, 0) + 1
            digest = codec.renumber(line, seq=seq, version=version, prev=digest)
    if (seq, digest) != (event.position, event.head_hash):
        told = f"the events that were merged from {event.origin} are not what they were there: their chain ends with "
        yield Finding(merge.seq, f"{told}{digest}, and ended with {event.head_hash}")
