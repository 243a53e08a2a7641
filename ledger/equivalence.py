"""Task revisions that a person declared to be equivalent, by all declarations that were not withdrawn."""

from __future__ import annotations

import functools
from collections import defaultdict

from .events import EquivalenceDeclared, EquivalenceWithdrawn, Merged
from .judgement import void
from .origins import brought_by
from .store import EventStore

_TYPES = (EquivalenceDeclared.type, EquivalenceWithdrawn.type, Merged.type)


class Equivalences:
    """Which revisions of a benchmark are equivalent. A declaration from another ledger does not count.

    The ledger is searched at the first question; in a long history that takes a while.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store

    @functools.cached_property
    def _pairs(self) -> dict[str, set[frozenset[str]]]:
        """The declared pairs of each benchmark. Raises LedgerDamaged."""
        records = list(self._store.read(types=_TYPES))
        brought = [span for record in records for span in brought_by(record)]
        pairs: dict[str, set[frozenset[str]]] = defaultdict(set)
        for record in records:
            event = record.data
            if any(first <= record.seq < first + count for first, count in brought) or void(record) is not None:
                continue
            if isinstance(event, EquivalenceDeclared):
                pairs[record.stream].add(frozenset(event.revisions))
            elif isinstance(event, EquivalenceWithdrawn):
                pairs[record.stream].discard(frozenset(event.revisions))
        return pairs

    def declared(self, benchmark_id: str, one: str, other: str) -> bool:
        """Whether exactly these two are declared to be equivalent."""
        return frozenset((one, other)) in self._pairs.get(benchmark_id, ())

    def are_same(self, benchmark_id: str, one: str, other: str) -> bool:
        """Whether two revisions are the same or equivalent, directly or through other revisions."""
        return one == other or other in self.same_as(benchmark_id, one)

    def same_as(self, benchmark_id: str, revision: str) -> set[str]:
        """The revision and all that are equivalent to it."""
        same, waiting = {revision}, [revision]
        while waiting:
            here = waiting.pop()
            for pair in self._pairs.get(benchmark_id, ()):
                if here in pair:
                    waiting += pair - same
                    same |= pair
        return same
