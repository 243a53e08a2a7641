"""Imports the ledger of another machine: its events keep ids and times, and get new positions here.

The other chain stays provable: `merged` gives the positions of its events here, and its last hash. With their original
positions, in that order, they give the same lines, and so the same hash (`origins`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from ..aside import Positions, extend, ranges_of, set_aside_in
from ..events import LEDGER_STREAM, Merged, NewEvent, Record, SetAside
from ..origins import origins_of
from ..storage import codec
from ..storage.chain import GENESIS, Head, last_of, origin_of
from ..storage.numbering import pieces_of
from ..store import EventReader, EventStore
from .admission import Source, judge_continuation, judge_other
from .places import Places

_BYTES_AT_ONCE = 4 * 1024 * 1024
"""Maximum size of the events that are appended together; it limits memory."""


class Taken(msgspec.Struct, frozen=True):
    """The result of an import: the numbers of added and of known events, and whether the chain was continued."""

    added: int
    known: int
    is_same_chain: bool


def take_in(store: EventStore, source: Source, *, name: str, by: str = "") -> Taken:
    """Import the events of another ledger, all of them or none; a second import adds nothing.

    A ledger that continues this one (or that this one continues) is copied line by line, so that the chain goes on.
    Any other is merged. `name` is recorded in the `merged` event, `by` is its author. Raises RefusedLedger if it holds
    events that cannot have happened, LedgerDamaged if it is damaged, and what `EventStore.append` raises.
    """
    first_hash, end = _identify(source.prove())
    ours = _identify(store.prove())[1]
    if end.seq == 0:
        return Taken(0, 0, is_same_chain=True)
    shared = min(end.seq, ours.seq)
    if _hash_at(source, shared) == _hash_at(store, shared):
        if end.seq == shared:
            return Taken(0, shared, is_same_chain=True)
        judge_continuation(store, source, shared=shared)
        added = store.append_lines(source.read_lines(after=shared))
        return Taken(added, shared, is_same_chain=True)
    origin = origin_of(first_hash)
    places = Places(store)
    places.catch_up()
    admitted = judge_other(store, source, origin=origin, places=places)
    added = _merge(store, source, origin, name, places)
    if admitted.aside:
        _set_aside(store, source, admitted.aside, origin, by)
    return Taken(added, end.seq - added, is_same_chain=False)


def _identify(pieces: Iterable[bytes]) -> tuple[str, Head]:
    """The first hash and the head of a ledger."""
    first_hash, head = GENESIS, Head()
    for lines in pieces:
        if first_hash == GENESIS:
            first_hash = last_of(lines[: lines.index(b"\n") + 1]).hash
        head = last_of(lines)
    return first_hash, head


def _hash_at(reader: EventReader, seq: int) -> str:
    return next(reader.read(after=seq - 1)).hash if seq else GENESIS


def _merge(store: EventStore, source: Source, origin: str, name: str, places: Places) -> int:
    """Append the events that are not here yet, with `merged` events about their positions. Returns their number."""
    done = _last_merge(store, source, origin)
    latest = done or Merged(origin=origin, position=0, head_hash=GENESIS, stretches=[])
    added = 0
    for piece in pieces_of(source.read_lines(after=latest.position), _BYTES_AT_ONCE):
        end = Merged(
            origin=origin,
            position=latest.position + len(piece),
            head_hash=piece[-1][-66:-2].decode(),
            stretches=latest.stretches,
            source=name,
        )
        more, latest = _append(store, places, [_as_new(line) for line in piece], latest, end)
        added += more
    return added


def _append(
    store: EventStore, places: Places, events: list[NewEvent], begin: Merged, end: Merged
) -> tuple[int, Merged]:
    """Append the events between an announcement and `end`. Returns the number of new ones, and the new `end`."""
    outcome: list[tuple[int, Merged]] = []
    origin = end.origin

    def decide(_: Iterator[Record]) -> list[NewEvent]:
        places.catch_up()
        new = [event for event in events if event.id not in places.of_id]
        # If a crash cuts the append short, the announcement says where the events that were written came from.
        announced = [replace(begin, source=end.source, added=0, coming=len(new))] if new else []
        begun = places.seq + len(announced)
        fresh = {event.id: begun + number for number, event in enumerate(new, 1)}
        stretches = list(end.stretches)
        for event in events:
            extend(stretches, fresh.get(event.id) or places.of_id[str(event.id)])
        claimed = replace(end, stretches=stretches, added=len(new))
        outcome.append((len(new), claimed))
        return [*(NewEvent(origin, event) for event in announced), *new, NewEvent(origin, claimed)]

    store.append(decide, lambda _: None)
    store.sync()
    return outcome[-1]


def _set_aside(store: EventStore, source: Source, aside: Positions, origin: str, by: str) -> None:
    """Set aside here the events that the other ledger has set aside."""
    places = Places(store)

    def decide(_: Iterator[Record]) -> list[NewEvent]:
        places.catch_up()
        brought = _brought_from(store, origin)
        wanted = {
            place
            for seq, line in enumerate(source.read_lines(), 1)
            if seq in aside and (place := places.of_id[codec.read_envelope(line).id]) in brought
        }
        if not (fresh := wanted - set_aside_in(store)):
            return []
        head = next(store.read(after=places.seq - 1)).hash
        reason = f"set aside in {origin}"
        event = SetAside(author=by, reason=reason, head_hash=head, events=ranges_of(fresh))
        return [NewEvent(LEDGER_STREAM, event)]

    store.append(decide, lambda _: None)
    store.sync()


def _brought_from(store: EventStore, origin: str) -> set[int]:
    """The positions of the events that came from a ledger."""
    origins = origins_of(store)
    return {
        place
        for first, count in origins.brought()
        for place in range(first, first + count)
        if origin in origins.way_of(place)[:1]
    }


def _as_new(line: bytes) -> NewEvent:
    envelope, data = codec.read_envelope(line), codec.raw_data(line)
    return NewEvent(envelope.stream, data, id=envelope.id, at=envelope.at)


def _last_merge(store: EventStore, source: Source, origin: str) -> Merged | None:
    """The newest `merged` event that the source continues; a fork of the same origin does not count."""
    for claim in reversed(origins_of(store).claims):
        event = claim.event
        if event.origin != origin or claim.fault is not None:
            continue
        record = next(source.read(after=event.position - 1), None)
        if record is not None and record.hash == event.head_hash:
            return event
    return None
