"""The orders of rows: each is sorted when it is first needed, and then kept current row by row."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from .row import RunRow

COLUMNS: dict[str, str] = {
    "run_id": "run_id",
    "group": "run_group_id",
    "benchmark": "benchmark_id",
    "status": "status",
    "reason": "reason",
    "agent": "agent",
    "provider": "provider",
    "model": "model",
    "attempt": "attempt",
    "started": "started_at",
    "ended": "ended_at",
    "duration": "duration_seconds",
    "score": "score",
    "stderr": "stderr",
    "high_score": "high_score_value",
    "delta": "delta_to_high_score",
    "best": "best_so_far",
    "delta_to_best": "delta_to_best",
    "samples": "samples",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "tokens": "total_tokens",
    "calls": "call_count",
    "cost": "cost_usd",
}
"""The columns by which rows can be sorted, and the field of a row for each."""

LATEST = "latest"
"""The order of the runs' own times, for our own use."""

_FIELDS = {**COLUMNS, LATEST: "moment"}

TEXTS = frozenset({"run_id", "group", "benchmark", "status", "reason", "agent", "provider", "model"})
"""Columns that are read from A to Z; in all others the largest value comes first."""

Sort = tuple[tuple[str, bool], ...]
"""Columns, the most important first, and whether each is descending."""

NEWEST: Sort = (("started", True),)

_MAX_KEPT = 32


class Orders:
    """The orders of a list of rows. Missing values come last; among equal ones the highest number comes first."""

    def __init__(self, rows: Sequence[RunRow], kept: Mapping[Sort, array[int]] | None = None) -> None:
        self._rows = rows
        self._kept: OrderedDict[Sort, array[int]] = OrderedDict(kept or {})

    def forget(self) -> None:
        """Drop all orders, because many rows have changed."""
        self._kept.clear()

    def order(self, sort: Sort) -> array[int]:
        """The numbers of all rows in that order. It changes with the rows."""
        kept = self._kept.get(sort)
        if kept is None:
            turned = self._kept.get(tuple((name, not is_descending) for name, is_descending in sort))
            kept = self._kept[sort] = _sorted(self._rows, sort, turned)
            if len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(sort)
        return kept

    def take_out(self, number: int, new: RunRow) -> list[Sort]:
        """Row `number` is about to become `new`: remove it from the orders in which its place changes. Returns them."""
        old = self._rows[number]
        left = []
        for sort, order in self._kept.items():
            of = fields(sort)
            if of(old) != of(new):
                del order[place_of(self._rows, order, sort, old, number)]
                left.append(sort)
        return left

    def put_in(self, number: int, sorts: Sequence[Sort] | None = None) -> None:
        """Insert row `number` into some orders, or into all."""
        row = self._rows[number]
        for sort in self._kept if sorts is None else sorts:
            order = self._kept[sort]
            order.insert(place_of(self._rows, order, sort, row, number), number)


def fields(sort: Sort) -> Callable[[Any], Any]:
    """A function for the values of a row in the columns of an order: one value, or a tuple."""
    return attrgetter(*(_FIELDS[name] for name, _ in sort))


def place_of(rows: Sequence[RunRow], order: Sequence[int], sort: Sort, row: Any, number: int) -> int:
    """The number of rows of an order before one with the columns of `row` and that number."""
    columns = [(attrgetter(_FIELDS[name]), is_descending) for name, is_descending in sort]
    wanted = [get(row) for get, _ in columns]
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        other = order[middle]
        if _stands_before(rows[other], other, columns, wanted, number):
            low = middle + 1
        else:
            high = middle
    return low


def _stands_before(
    row: RunRow, its: int, columns: list[tuple[attrgetter[Any], bool]], wanted: list[Any], number: int
) -> bool:
    for (get, is_descending), value in zip(columns, wanted, strict=True):
        here = get(row)
        if here == value:
            continue
        if here is None or value is None:
            return value is None
        return bool(here > value if is_descending else here < value)
    return its > number


def _sorted(rows: Sequence[RunRow], sort: Sort, turned: Sequence[int] | None = None) -> array[int]:
    """Sort by the least important column first: Python's sort keeps the order of equal rows.

    It is many times faster if the rows are in order already, or in the opposite one: `turned` is that order.
    """
    is_alone = len(sort) == 1 and turned is not None  # Then `turned` has equal rows in the right order.
    numbers = list(turned or ()) if is_alone else list(range(len(rows) - 1, -1, -1))
    for name, is_descending in reversed(sort):
        values = list(map(attrgetter(_FIELDS[name]), rows))
        value_of = values.__getitem__
        some = [number for number in numbers if values[number] is not None]
        some.sort(key=value_of, reverse=is_descending)  # This keeps the order of equal rows, too.
        if len(some) < len(numbers):
            some += [number for number in numbers if values[number] is None]
        numbers = some
    return array("I", numbers)
