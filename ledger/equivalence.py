"""Task revisions that a person declared to measure the same: declarations that were not withdrawn, step by step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from .events import EquivalenceDeclared, EquivalenceWithdrawn, Record
from .judgement import void
from .store import EventStore

TYPES = (EquivalenceDeclared.type, EquivalenceWithdrawn.type)


class Equivalences:
    """Which revisions of a benchmark measure the same. A declaration that came from another ledger does not count."""

    def __init__(self, records: Iterable[Record], brought: Sequence[tuple[int, int]] = ()) -> None:
        self._pairs: dict[str, set[frozenset[str]]] = defaultdict(set)
        for record in records:
            if any(first <= record.seq < last for first, last in brought) or void(record) is not None:
                continue
            event = record.data
            if isinstance(event, EquivalenceDeclared):
                self._pairs[record.stream].add(frozenset(event.revisions))
            elif isinstance(event, EquivalenceWithdrawn):
                self._pairs[record.stream].discard(frozenset(event.revisions))

    @classmethod
    def of(cls, store: EventStore, brought: Sequence[tuple[int, int]] = ()) -> Equivalences:
        """Those of a ledger; `brought` are the positions of events from other ledgers, as (first, after the last)."""
        return cls(store.read(types=TYPES), brought)

    def declared(self, benchmark_id: str, one: str, other: str) -> bool:
        """Whether exactly these two are declared to be equivalent."""
        return frozenset((one, other)) in self._pairs.get(benchmark_id, ())

    def are_same(self, benchmark_id: str, one: str, other: str) -> bool:
        """Whether two revisions are one, or are equivalent: directly, or over others between them."""
        return other in self.same_as(benchmark_id, one)

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
