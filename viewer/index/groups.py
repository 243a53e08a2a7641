"""Rows in groups, each in the order of the runs' own times; and which groups have changed."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from .row import RunRow

K = TypeVar("K", bound=Hashable)


class Groups(Generic[K]):
    """The numbers of rows by a key; a row whose key is None is in no group.

    `changed` are the keys of groups that have another row, or another value in a row, since a reader cleared it.
    """

    def __init__(self, key_of: Callable[[RunRow], K | None]) -> None:
        self._key_of = key_of
        self.members: dict[K, array[int]] = {}
        self.changed: set[K] = set()

    def load(self, rows: Sequence[RunRow]) -> None:
        """Begin with all rows."""
        found: dict[K, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            key = self._key_of(row)
            if key is not None:
                found[key].append(number)
        for key, numbers in found.items():
            if len(numbers) > 1:
                numbers.sort(key=lambda number: (rows[number].moment, number))
            self.members[key] = array("I", numbers)
        self.changed.update(self.members)

    def take_out(self, number: int, rows: Sequence[RunRow]) -> None:
        """Row `number` is about to change: it leaves its group."""
        key = self._key_of(rows[number])
        if key is None:
            return
        numbers = self.members[key]
        del numbers[_place(numbers, number, rows)]
        if not numbers:
            del self.members[key]
        self.changed.add(key)

    def put_in(self, number: int, rows: Sequence[RunRow]) -> None:
        """Row `number`, which is new or has changed, takes its place."""
        key = self._key_of(rows[number])
        if key is None:
            return
        numbers = self.members.setdefault(key, array("I"))
        numbers.insert(_place(numbers, number, rows), number)
        self.changed.add(key)


def _place(numbers: Sequence[int], number: int, rows: Sequence[RunRow]) -> int:
    return bisect_left(numbers, (rows[number].moment, number), key=lambda other: (rows[other].moment, other))
