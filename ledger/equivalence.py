"""Task revisions that a person declared to be equivalent, by all declarations that were not withdrawn.

Equivalent revisions make a class, directly or through others, and all of a class have one comparison key: that of its
smallest digest.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

from .aside import NOTHING, set_aside_in
from .events import EquivalenceDeclared, EquivalenceWithdrawn, Event, Merged
from .judgement import void
from .origins import brought_by
from .store import EventStore

Classes = dict[str, dict[str, str]]
"""By benchmark, the smallest digest of the class of each revision that is equivalent to another one."""


class Statement(NamedTuple):
    """What an event says about two revisions of a benchmark, the smaller one first."""

    benchmark_id: str
    one: str
    other: str
    is_declared: bool


STATEMENTS = (EquivalenceDeclared, EquivalenceWithdrawn)
_TYPES = (*(event.type for event in STATEMENTS), Merged.type)


def statement_of(stream: str, event: Event) -> Statement | None:
    """The statement of an event; None if it is another one, or not about two revisions."""
    if not isinstance(event, STATEMENTS) or len(set(event.revisions)) != 2 or len(event.revisions) != 2:
        return None
    one, other = sorted(event.revisions)
    return Statement(stream, one, other, isinstance(event, EquivalenceDeclared))


def classes_of(statements: Iterable[Statement]) -> Classes:
    """The classes after all statements, in the order of the ledger."""
    standing: dict[tuple[str, str, str], bool] = {}
    for statement in statements:
        standing[statement[:3]] = statement.is_declared
    parents: dict[tuple[str, str], str] = {}

    def root(benchmark_id: str, revision: str) -> str:
        path = []
        while (parent := parents.setdefault((benchmark_id, revision), revision)) != revision:
            path.append(revision)
            revision = parent
        for passed in path:
            parents[benchmark_id, passed] = revision
        return revision

    for (benchmark_id, one, other), is_declared in standing.items():
        if is_declared:
            first, second = sorted((root(benchmark_id, one), root(benchmark_id, other)))
            parents[benchmark_id, second] = first  # So the root of a class is always its smallest digest.
    classes: Classes = {}
    for benchmark_id, revision in list(parents):
        classes.setdefault(benchmark_id, {})[revision] = root(benchmark_id, revision)
    return classes


class Equivalences:
    """Which revisions of a benchmark are equivalent. A declaration from another ledger does not count.

    The ledger is searched at the first question; in a long history that takes a while.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store

    @functools.cached_property
    def _statements(self) -> list[Statement]:
        """Everything that was stated, in the order of the ledger. Raises LedgerDamaged."""
        records = list(self._store.read(types=_TYPES))
        brought = [span for record in records for span in brought_by(record)]
        aside = set_aside_in(self._store) if records else NOTHING
        stated = []
        for record in records:
            statement = statement_of(record.stream, record.data)
            is_foreign = any(first <= record.seq < first + count for first, count in brought)
            if statement is not None and not is_foreign and record.seq not in aside and void(record) is None:
                stated.append(statement)
        return stated

    @functools.cached_property
    def classes(self) -> Classes:
        """The classes of all benchmarks. Raises LedgerDamaged."""
        return classes_of(self._statements)

    def declared(self, benchmark_id: str, one: str, other: str) -> bool:
        """Whether exactly these two are declared to be equivalent."""
        wanted = (benchmark_id, *sorted((one, other)))
        return next((said.is_declared for said in reversed(self._statements) if said[:3] == wanted), False)

    def canonical(self, benchmark_id: str, revision: str) -> str:
        """The revision that stands for all that are equivalent to this one."""
        return self.classes.get(benchmark_id, {}).get(revision, revision)

    def are_same(self, benchmark_id: str, one: str, other: str) -> bool:
        """Whether two revisions are the same or equivalent, directly or through other revisions."""
        return one == other or self.canonical(benchmark_id, one) == self.canonical(benchmark_id, other)
