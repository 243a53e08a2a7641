"""The rows of a table by its rules, from the leaderboard and its runs: no figure is computed a second time."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from ...ledger.events import PublishedRow, PublishedRun
from ...ledger.fold import Run
from ...ledger.usage import cost_in
from ..scores.attempts import Attempts, is_attempt_of
from ..scores.counting import RETRACTED, doubts
from ..scores.high_scores import holding, read_history
from ..scores.leaderboard import Standing, leaderboard_of
from ..scores.revisions import newest_revisions
from ..sqlite.following import read_runs
from ..sqlite.tallies import read_board
from .ranking import places_of
from .rules import TableRules

HashOf = Callable[[int], str]
"""Gives the hash of the event at a position."""

_AT_ONCE = 500


class TableRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it would be published, with the standing and the runs that it was made from.

    `retracted` are the runs of this work that were taken back, and `running` is the number that have not ended.
    """

    row: PublishedRow
    standing: Standing
    runs: list[Run]
    retracted: list[str] = []
    running: int = 0


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a table, and sentences about rows that the rules leave out."""

    rows: list[TableRow]
    left_out: list[str] = []


def select_rows(connection: sqlite3.Connection, rules: TableRules, hash_of: HashOf) -> Selected:
    """The rows of a table in an open `orchestrator.sqlite`."""
    board, held = read_board(connection, works=False), holding(read_history(connection))

    def meant(min_completion: float = 0.0) -> list[Standing]:
        found = leaderboard_of(board, held, include=rules.include, min_completion=min_completion, which=rules.runs)
        return [one for one in found if _is_meant(one, rules)]

    every, standings = meant(), meant(rules.min_completion)
    left_out = []
    if fewer := len(every) - len(standings):
        left_out.append(f"{fewer} {_rows(fewer)} fewer than {rules.min_completion:.0%} successful attempts")
    if rules.revision == "newest":
        standings, sentences = newest_revisions(standings)
        left_out += sentences
    known = _runs_of(connection, [run_id for one in standings for run_id in one.score.run_ids])
    rows = [_row(connection, rules, one, [known[i] for i in one.score.run_ids], hash_of) for one in standings]
    places = places_of([one.row for one in rows])
    ranked = [replace(one, row=replace(one.row, **at._asdict())) for one, at in zip(rows, places, strict=True)]
    return Selected(rows=ranked, left_out=left_out)


def _rows(count: int) -> str:
    return "row has" if count == 1 else "rows have"


def _is_meant(one: Standing, rules: TableRules) -> bool:
    if one.task.benchmark_id not in rules.benchmarks:
        return False
    if any(one.config.get(name, _ABSENT) != value for name, value in rules.options.items()):
        return False
    model = f"{one.provider}:{one.model}"
    wanted = rules.contenders
    return not wanted or any(each.model == model and each.agent in (None, one.agent) for each in wanted)


_ABSENT = object()


def _runs_of(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Run]:
    found: dict[str, Run] = {}
    for first in range(0, len(ids), _AT_ONCE):
        some = tuple(ids[first : first + _AT_ONCE])
        marks = ", ".join("?" * len(some))
        found |= {run.run_id: run for run in read_runs(connection, f"WHERE run_id IN ({marks})", some)}
    return found


_OF_WORK = (
    "SELECT run_id, kind FROM benchmark_runs WHERE work_id = ("
    "SELECT id FROM works WHERE benchmark_id = ? AND comparison_key = ? AND agent = ? AND provider = ? AND model = ?"
    ") AND benchmark_id = ? ORDER BY first_seq"
)


def _row(
    connection: sqlite3.Connection, rules: TableRules, one: Standing, runs: list[Run], hash_of: HashOf
) -> TableRow:
    work = (one.task.benchmark_id, one.task.comparison_key, one.agent, one.provider, one.model)
    every = connection.execute(_OF_WORK, (*work, one.task.benchmark_id)).fetchall()
    tried = [run_id for run_id, kind in every if is_attempt_of(kind, rules.include)]
    counted = one.attempts or Attempts()
    score = one.score
    row = PublishedRow(
        benchmark_id=one.task.benchmark_id,
        comparison_key=one.task.comparison_key,
        config=one.config,
        revision=runs[-1].revision,
        agent=one.agent,
        provider=one.provider,
        model=one.model,
        rank=one.rank,
        score=score.mean,
        unit=one.task.unit,
        higher_is_better=one.task.higher_is_better,
        stderr=score.stderr,
        low=score.low,
        high=score.high,
        interval_method=score.interval_method,
        samples=score.samples,
        repeats=score.repeats,
        attempts=counted.attempts,
        successes=counted.successes,
        own_failures=counted.own_failures,
        infrastructure_failures=counted.infrastructure_failures,
        completion=counted.completion,
        cost_usd=total(cost_in(run.usage) for run in runs),
        seconds=total(run.duration_seconds for run in runs),
        registered=score.registered,
        doubts=sorted({doubt for run in runs for doubt in doubts(run)}),
        runs=[_run(run, hash_of) for run in runs],
        attempt_ids=tried,
    )
    return TableRow(
        row=row,
        standing=one,
        runs=runs,
        retracted=[run_id for run_id, kind in every if kind & RETRACTED],
        running=counted.running,
    )


def _run(run: Run, hash_of: HashOf) -> PublishedRun:
    seq = run.ended_seq or run.first_seq
    return PublishedRun(run_id=run.run_id, score=run.score, samples=run.samples, seq=seq, hash=hash_of(seq))


def total(amounts: Iterable[float | None]) -> float | None:
    """The sum of amounts; None if one of them is unknown."""
    every = list(amounts)
    known = [one for one in every if one is not None]
    return math.fsum(known) if len(known) == len(every) else None
