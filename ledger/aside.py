"""Events that do not count, because a `set_aside` event says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .events import Record, SetAside
from .store import EventReader

Positions = frozenset[int]

NOTHING: Positions = frozenset()

_MAX_POSITIONS = 10_000_000
"""Maximum number of positions in one event: far more than a repair needs, and few enough for memory."""


def set_aside_in(reader: EventReader) -> Positions:
    """The positions of all events of a ledger that are set aside."""
    return frozenset(position for record in reader.read(types=[SetAside.type]) for position in set_aside_by(record))


def set_aside_by(record: Record) -> Iterator[int]:
    """The positions that an event sets aside: only earlier ones, and none if it was written for another ledger."""
    event = record.data
    if not isinstance(event, SetAside) or event.head_hash != record.prev:
        return
    left = _MAX_POSITIONS
    for first, count in event.events:
        if first > 0 and 0 < count <= left and first + count <= record.seq:
            left -= count
            yield from range(first, first + count)


def ranges_of(positions: Iterable[int]) -> list[tuple[int, int]]:
    """Positions as ranges: pairs of a first position and a count."""
    ranges: list[tuple[int, int]] = []
    for position in sorted(positions):
        extend(ranges, position)
    return ranges


def extend(ranges: list[tuple[int, int]], position: int) -> None:
    """Add one more position, which comes after all of them."""
    if ranges and sum(ranges[-1]) == position:
        ranges[-1] = (ranges[-1][0], ranges[-1][1] + 1)
    else:
        ranges.append((position, 1))
