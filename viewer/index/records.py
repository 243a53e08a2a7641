"""The record of each task as it was when each run ended: kept up to date run by run (the rule: `scores.records`)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ...projections.scores.records import is_better, position
from .row import RunRow, Task


class Records:
    """The runs that compete for the record of each task, in the order in which the ledger closed them."""

    def __init__(self, numbers: dict[Task, array[int]] | None = None) -> None:
        self._numbers: dict[Task, array[int]] = defaultdict(lambda: array("I"), numbers or {})

    def load(self, rows: list[RunRow]) -> None:
        """Begin with all runs, and write their best scores and records into `rows`."""
        competing: dict[Task, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            if row.counts:
                competing[row.task].append(number)
        for task, numbers in competing.items():
            numbers.sort(key=lambda number: position(rows[number]))
            for number, row in _standings(numbers, 0, rows):
                rows[number] = row
            self._numbers[task] = array("I", numbers)

    def put(self, number: int, row: RunRow, rows: Sequence[RunRow]) -> dict[int, RunRow]:
        """Every row that changes when run `number` becomes `row`, by number; the next number is a new run."""
        old = rows[number] if number < len(rows) else None
        changed = {number: row}
        if old is not None and old.counts:
            if row.counts and (row.task, row.score, position(row)) == (old.task, old.score, position(old)):
                return {number: with_standing(row, old)}
            numbers = self._numbers[old.task]
            place = _place(numbers, old, rows)
            del numbers[place]
            changed.update(_standings(numbers, place, rows))
        if row.counts:
            numbers = self._numbers[row.task]
            place = _place(numbers, row, rows)
            numbers.insert(place, number)
            changed.update(_standings(numbers, place, _Changed(rows, changed)))
        return changed

    def all(self) -> dict[Task, array[int]]:
        """Those numbers, for every task."""
        return dict(self._numbers)

    def of(self, task: Task) -> Sequence[int]:
        """The numbers of the runs that compete on a task, in the order in which the ledger closed them."""
        return self._numbers.get(task, ())


def _place(numbers: Sequence[int], row: RunRow, rows: Sequence[RunRow]) -> int:
    return bisect_left(numbers, position(row), key=lambda other: position(rows[other]))


class _Changed:
    """Rows, some of which have changed."""

    def __init__(self, rows: Sequence[RunRow], changed: dict[int, RunRow]) -> None:
        self._rows = rows
        self._changed = changed

    def __getitem__(self, number: int) -> RunRow:
        return self._changed.get(number) or self._rows[number]


def with_standing(row: RunRow, like: RunRow) -> RunRow:
    """The row with the best scores and the record of another."""
    return replace(
        row,
        best_so_far=like.best_so_far,
        previous_best=like.previous_best,
        delta_to_best=like.delta_to_best,
        is_record=like.is_record,
    )


def _standings(numbers: Sequence[int], first: int, rows: Sequence[RunRow] | _Changed) -> Iterator[tuple[int, RunRow]]:
    """The rows from a place on whose best scores or record change."""
    best = rows[numbers[first - 1]].best_so_far if first else None
    for place in range(first, len(numbers)):
        number = numbers[place]
        row = rows[number]
        stood = _beside(row, best)
        best = stood.best_so_far
        if stood is not row:
            yield number, stood


def _beside(row: RunRow, best: float | None) -> RunRow:
    """The row with the best score before it."""
    score = row.score
    assert score is not None  # noqa: S101 - for the type checker: it competes
    is_record = is_better(score, best, upward=row.task[3])
    now = score if is_record else best
    if (row.best_so_far, row.previous_best, row.is_record) == (now, best, is_record):
        return row
    return replace(
        row,
        best_so_far=now,
        previous_best=best,
        delta_to_best=None if best is None else score - best,
        is_record=is_record,
    )
