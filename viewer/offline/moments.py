"""The earlier moments that a file holds: the ends of campaigns, corrections, and moments between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import msgspec

from ...ledger.store import EventReader

_ROWS = 15_000
"""Rows of runs in all moments together: a page of a long history has few of them, or none."""

_OF_A_CAMPAIGN = frozenset(
    {"group_opened", "started", "heartbeat", "finished", "failed", "recovered", "skipped", "incompatible"}
)
_ENDS = frozenset({"finished", "failed", "recovered"})
T = TypeVar("T")


class Moment(msgspec.Struct, frozen=True):
    """A state of the ledger: that after the event at `position`, from the time `at` up to `until`, the next event."""

    position: int
    at: str
    until: str


def moments_of(store: EventReader, runs: int, most: int) -> list[Moment]:
    """The moments of a history, the earliest first; not the present. `most` is their maximum number."""
    most = min(most, _ROWS // max(1, runs))
    events = [(record.seq, record.type, record.at) for record in store.read(details=False)]
    if most < 2 or not events:
        return []
    nexts = {one[0]: other[2] for one, other in pairwise(events)}
    times = {seq: at for seq, _, at in events}
    known = [Moment(0, "", events[0][2])]
    return known + [Moment(seq, times[seq], nexts[seq]) for seq in _chosen(events[:-1], most - 1)]


def _chosen(events: Sequence[tuple[int, str, str]], most: int) -> list[int]:
    """Positions: of what belongs to no run of a campaign, then of runs that end, then all, as far as there is room."""
    streaks = [one for one, other in pairwise([*events, (0, "", "")]) if one[1] != other[1]]
    telling = _spread([seq for seq, kind, _ in streaks if kind not in _OF_A_CAMPAIGN], most)
    found = dict.fromkeys(telling)
    for some in (
        [seq for seq, kind, _ in events if kind in _ENDS],
        [seq for seq, _, _ in events],
    ):
        others = [seq for seq in some if seq not in found]
        found |= dict.fromkeys(_spread(others, most - len(found)))
    return sorted(found)


def _spread(some: Sequence[T], most: int) -> list[T]:
    """Some of them, evenly, the last one among them. `most` is their maximum number."""
    if len(some) <= most:
        return list(some)
    return [some[(place + 1) * len(some) // most - 1] for place in range(most)]
