"""Events that somebody declared to count for nothing: which they are, as `set_aside` events say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .events import Record, SetAside
from .store import EventReader

Positions = frozenset[int]

NOTHING: Positions = frozenset()

_MOST = 10_000_000
"""Positions that are believed: far more than a ledger was ever repaired by, and few enough for memory."""


def set_aside_in(reader: EventReader) -> Positions:
    """The positions of all events of a ledger that are set aside."""
    return frozenset(position for record in reader.read(types=[SetAside.type]) for position in set_aside_by(record))


def set_aside_by(record: Record) -> Iterator[int]:
    """The positions that an event sets aside: none where it was written for another ledger, or names none before it."""
    event = record.data
    if not isinstance(event, SetAside) or event.head_hash != record.prev:
        return
    left = _MOST
    for first, count in event.events:
        if first > 0 and 0 < count <= left and first + count <= record.seq:
            left -= count
            yield from range(first, first + count)


def stretches_of(positions: Iterable[int]) -> list[tuple[int, int]]:
    """Positions as pairs of a first one and a count."""
    stretches: list[tuple[int, int]] = []
    for position in sorted(positions):
        if stretches and sum(stretches[-1]) == position:
            stretches[-1] = (stretches[-1][0], stretches[-1][1] + 1)
        else:
            stretches.append((position, 1))
    return stretches
