"""Ranks among the rows of a published table, so that they follow from the table alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from ...ledger.events import PublishedRow
from ..scores.ranks import Placed, rank_intervals


class Place(NamedTuple):
    """The rank of a row by its score, and the first and the last rank that noise allows."""

    rank: int
    rank_low: int
    rank_high: int


def places_of(rows: Sequence[PublishedRow]) -> list[Place]:
    """The place of each row among those of the same task, in the order given. Equal scores share a rank."""
    tasks: dict[tuple[str, str, str, bool], list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        tasks[row.benchmark_id, row.comparison_key, row.unit, row.higher_is_better].append(at)
    places: dict[int, Place] = {}
    for members in tasks.values():
        placed = [_turned(rows[at]) for at in members]
        # As on the leaderboard: the mean of 0.4 and 0.2 is a little more than 0.3, and no better.
        rounded = [float(f"{one.value:.12g}") for one in placed]
        for at, value, bounds in zip(members, rounded, rank_intervals(placed), strict=True):
            places[at] = Place(1 + sum(other > value for other in rounded), *bounds)
    return [places[at] for at in range(len(rows))]


def _turned(row: PublishedRow) -> Placed:
    """A score and its interval, turned so that more is better."""
    sign = 1 if row.higher_is_better else -1
    if row.low is None or row.high is None:
        return Placed(sign * row.score, None, None)
    return Placed(sign * row.score, *sorted((sign * row.low, sign * row.high)))
