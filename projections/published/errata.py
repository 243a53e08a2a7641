"""Errata: what happened after a table was published to the runs that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from ...ledger.events import (
    Event,
    PublishedRow,
    Record,
    Reinstated,
    Rescored,
    Retracted,
    SamplesExcluded,
    SamplesIncluded,
)

ErratumKind = Literal["retracted", "reinstated", "samples_excluded", "samples_included", "rescored"]

CORRECTIONS = (Retracted, Reinstated, SamplesExcluded, SamplesIncluded, Rescored)


class Erratum(msgspec.Struct, frozen=True, kw_only=True):
    """A correction of a run after it was published, at position `seq` and time `at`.

    `rows` are the numbers of the rows that show the run, from 1. `score` is the run's score since then, if the
    correction changes it.
    """

    kind: ErratumKind
    run_id: str
    rows: list[int]
    seq: int
    at: str
    author: str
    reason: str
    score: float | None = None


def errata_of(rows: Sequence[PublishedRow], position: int, records: Iterable[Record]) -> list[Erratum]:
    """The errata of rows that were made from the first `position` events, among records of their runs."""
    shown: dict[str, list[int]] = {}
    for number, row in enumerate(rows, 1):
        for run in row.runs:
            shown.setdefault(run.run_id, []).append(number)
    return [
        Erratum(
            kind=record.data.type,  # type: ignore[arg-type]  # one of CORRECTIONS
            run_id=record.stream,
            rows=shown[record.stream],
            seq=record.seq,
            at=record.at,
            author=record.data.author,
            reason=record.data.reason,
            score=_score(record.data),
        )
        for record in records
        if record.seq > position and record.stream in shown and isinstance(record.data, CORRECTIONS)
    ]


def _score(event: Event) -> float | None:
    if isinstance(event, SamplesExcluded | SamplesIncluded):
        return event.anew.score
    return event.score if isinstance(event, Rescored) else None
