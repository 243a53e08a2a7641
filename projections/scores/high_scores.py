"""Published reference scores: which were published when, and which hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec


class HighScore(msgspec.Struct, frozen=True, kw_only=True):
    """A reference for the scores of a benchmark, in their unit; `date` is when it was reached, as the source says.

    `author` is the person who published it; None: it stands in the benchmark's manifest. `merged`: it came with a
    ledger that was merged into this one.
    """

    benchmark_id: str
    label: str
    value: float
    unit: str | None
    higher_is_better: bool
    source: str
    date: str | None
    author: str | None
    published_at: str
    merged: bool = False

    def measures(self, unit: str | None, higher_is_better: bool) -> bool:
        """Whether scores of that unit and direction can be measured against it.

        A reference without a unit, as others may publish it, is taken for one in the unit of the scores.
        """
        return self.unit in (None, unit) and self.higher_is_better == higher_is_better


def read_history(connection: sqlite3.Connection) -> list[HighScore]:
    """Every reference that was ever published, in the order of publication; from an open `orchestrator.sqlite`."""
    names = ", ".join(HighScore.__struct_fields__)
    rows = connection.execute(f"SELECT {names} FROM high_scores ORDER BY seq")  # noqa: S608
    return [
        msgspec.convert(dict(zip(HighScore.__struct_fields__, row, strict=True)), HighScore, strict=False)
        for row in rows
    ]


def holding(history: Iterable[HighScore]) -> dict[str, HighScore]:
    """The reference that holds for each benchmark: the one published last. By benchmark id, in its order.

    One that came with another ledger holds only where none was published here.
    """
    held = {}
    for score in sorted(history, key=lambda score: not score.merged):
        held[score.benchmark_id] = score
    return dict(sorted(held.items()))
