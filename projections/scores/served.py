"""What the API said it served under one model's name, and when that changed.

The tables have an index of it, so the cost goes by the number of different answers, not of runs.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

import msgspec

_FIRST = "SELECT provider, model, served_model FROM benchmark_runs WHERE served_model IS NOT NULL"
_ORDER = "ORDER BY provider, model, served_model LIMIT 1"
_OF = "FROM benchmark_runs WHERE served_model IS NOT NULL AND provider = ? AND model = ? AND served_model = ?"


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A model that answered under the name of another one, and the times of its first and last run."""

    provider: str
    model: str
    served_model: str
    first_at: str
    last_at: str


class ServedChange(msgspec.Struct, frozen=True, kw_only=True):
    """A model's name that another model, or another fingerprint, answers for than before."""

    provider: str
    model: str
    before: str
    now: str
    at: str

    @property
    def sentence(self) -> str:
        """The change in words."""
        name, since = f"{self.provider}:{self.model}", self.at[:10]
        return f"{name} answered as {self.before} before, as {self.now} now (since {since})"


def served_models(connection: sqlite3.Connection) -> Iterator[Served]:
    """Everything that answered, by provider and model."""
    row = connection.execute(f"{_FIRST} {_ORDER}").fetchone()
    while row is not None:
        first, last = connection.execute(f"SELECT min(moment), max(moment) {_OF}", row).fetchone()
        provider, model, served = row
        yield Served(provider=provider, model=model, served_model=served, first_at=first or "", last_at=last or "")
        following = f"{_FIRST} AND (provider, model, served_model) > (?, ?, ?) {_ORDER}"
        row = connection.execute(following, row).fetchone()


def served_changes(
    connection: sqlite3.Connection, models: Collection[tuple[str, str]] | None = None
) -> list[ServedChange]:
    """The changes within a model's name, for all or for these (provider, model), by the time of the last answers."""
    return list(_changes(served_models(connection), models))


def served_before(connection: sqlite3.Connection, provider: str, model: str, run_id: str) -> str | None:
    """What answered for a model's name in the last earlier run, if that is something else than in this run."""
    here = connection.execute("SELECT served_model, moment FROM benchmark_runs WHERE run_id = ?", (run_id,)).fetchone()
    if here is None or here[0] is None:
        return None
    found = []
    for one in served_models(connection):
        if (one.provider, one.model) == (provider, model):
            values = (provider, model, one.served_model, here[1])
            (last,) = connection.execute(f"SELECT max(moment) {_OF} AND moment < ?", values).fetchone()
            if last is not None:
                found.append((last, one.served_model))
    before = max(found, default=None)
    return before[1] if before is not None and before[1] != here[0] else None


def _changes(served: Iterable[Served], models: Collection[tuple[str, str]] | None) -> Iterator[ServedChange]:
    answers: dict[tuple[str, str], list[Served]] = defaultdict(list)
    for one in served:
        if models is None or (one.provider, one.model) in models:
            answers[one.provider, one.model].append(one)
    for (provider, model), some in answers.items():
        ordered = sorted(some, key=lambda one: (one.last_at, one.first_at, one.served_model))
        for before, now in itertools.pairwise(ordered):
            names = {"before": before.served_model, "now": now.served_model}
            yield ServedChange(provider=provider, model=model, **names, at=now.first_at)
