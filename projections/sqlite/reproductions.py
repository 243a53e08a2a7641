"""Reproductions in `orchestrator.sqlite`: which runs were run again by whom, and with what verdict."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from ..scores.attempts import Work

_ORDER = ("same", "within_noise", "differs")


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """A `reproduced` event: `run_id` ran the work of the run `of` again. `seq` is the position of the event."""

    of: str
    run_id: str
    verdict: str
    by: str
    seq: int


class Reproductions(msgspec.Struct, frozen=True, kw_only=True):
    """The reproductions of some runs together: the number of people, the worst verdict, and the new runs."""

    people: int
    verdict: str
    run_ids: list[str]

    def __str__(self) -> str:
        return f"by {self.people}, {self.verdict.replace('_', ' ')}"


def reproductions_of(connection: sqlite3.Connection, run_ids: Sequence[str]) -> list[Reproduction]:
    """The reproductions of some runs that were not retracted, in the order of the ledger."""
    query = (
        "SELECT of_run, r.run_id, verdict, by, r.seq FROM reproductions r JOIN benchmark_runs b ON b.run_id = r.run_id "
        "WHERE of_run IN (SELECT value FROM json_each(?)) AND b.retracted_json IS NULL ORDER BY r.seq"
    )
    values = (msgspec.json.encode(list(run_ids)).decode(),)
    return [
        Reproduction(of=of, run_id=run_id, verdict=verdict, by=by, seq=seq)
        for of, run_id, verdict, by, seq in connection.execute(query, values)
    ]


def summed(found: Iterable[Reproduction]) -> Reproductions | None:
    """Reproductions together; None if there are none."""
    every = list(found)
    if not every:
        return None
    return Reproductions(
        people=len({one.by for one in every}),
        verdict=max((one.verdict for one in every), key=_ORDER.index),
        run_ids=[one.run_id for one in every],
    )


def reproductions_by_work(connection: sqlite3.Connection) -> dict[Work, Reproductions]:
    """The reproductions of all runs, by the work that these did."""
    columns = ", ".join(f"o.{name}" for name in Work._fields)
    query = (
        f"SELECT {columns}, of_run, r.run_id, verdict, by, r.seq FROM reproductions r "  # noqa: S608 - our names
        "JOIN benchmark_runs o ON o.run_id = r.of_run JOIN benchmark_runs b ON b.run_id = r.run_id "
        "WHERE b.retracted_json IS NULL ORDER BY r.seq"
    )
    of: dict[Work, list[Reproduction]] = defaultdict(list)
    for *work, run, run_id, verdict, by, seq in connection.execute(query):
        of[Work(*work)].append(Reproduction(of=run, run_id=run_id, verdict=verdict, by=by, seq=seq))
    return {work: together for work, some in of.items() if (together := summed(some)) is not None}
