"""`/api/benchmarks`: a row for each benchmark; and the history of one: its scores, published scores, records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import falcon
import msgspec

from ...ledger.events import Json
from ...projections.scores.high_scores import HighScore
from ...projections.scores.leaderboard import ContenderScore, score_of
from ...projections.scores.recency import in_order
from ...projections.scores.records import position
from ...projections.scores.revisions import newest_revisions
from ...projections.scores.standing_runs import standing_runs
from ...projections.scores.uncertainty import uncertainty
from ..api.parameters import AS_OF, Form, Parameter, limit
from ..api.site import Site
from ..index.archive import Head, View
from ..index.row import RunRow, Task
from ..index.run_table import RunTable
from .high_scores import references, references_that_hold

_RECENT = 20
_MAX_POINTS = 5000
_MAX_ATTEMPTS = 50
_MAX_SCORES = 200


class Benchmark(msgspec.Struct, frozen=True):
    """A benchmark at a glance. `best_…`, `recent` and `delta_to_high_score` are about the task of its newest score."""

    benchmark_id: str
    runs: int
    succeeded_runs: int
    failed_runs: int
    running_runs: int
    best_score: float | None
    best_run_id: str | None
    best_agent: str | None
    best_model: str | None
    unit: str | None
    higher_is_better: bool | None
    latest_run_id: str
    latest_started_at: str
    latest_status: str
    latest_score: float | None
    latest_agent: str
    latest_provider: str
    latest_model: str
    high_score: HighScore | None
    delta_to_high_score: float | None
    recent: list[float]


class BenchmarkList(msgspec.Struct, frozen=True):
    """All benchmarks with runs, by id."""

    benchmarks: list[Benchmark]
    head: Head


class Benchmarks:
    """A row for each benchmark: its runs, the best and the latest."""

    about = "A row for each benchmark: its runs, the best and the latest"
    parameters = Form(AS_OF)
    answer = BenchmarkList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The summary, with the published scores that held."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], self._summarise)

    on_head = on_get

    def _summarise(self, view: View) -> BenchmarkList:
        held = references_that_hold(self._site.archive, view.head)
        return BenchmarkList([_row(one, held.get(one.id)) for one in _glances(view.table)], view.head)


class _Glance(msgspec.Struct):
    """A benchmark while its runs are looked through, the latest first.

    `latest` is the latest run that has ended, or the latest of all if none has. `recent` are the latest runs
    that count on the task of the newest score, `best` is the one that holds its record.
    """

    id: str
    runs: int
    succeeded: int
    failed: int
    running: int
    newest: RunRow | None
    latest: RunRow | None = None
    recent: list[RunRow] = []
    best: RunRow | None = None

    def see(self, row: RunRow) -> bool:
        """Take the next run. Returns False if no older one can matter."""
        if self.latest is None or (self.latest.status == "running" and row.status != "running"):
            self.latest = row
        if self.newest is not None and row.counts and row.task == self.newest.task:
            self.recent.append(row)
        has_recent = self.newest is None or len(self.recent) == _RECENT
        return not (has_recent and self.latest.status != "running")


def _glances(table: RunTable) -> list[_Glance]:
    """All benchmarks, by id."""
    names = table.names("benchmark")
    succeeded = names.counts(bytes(row.is_success for row in table.rows))
    failed, running = (names.counts(table.names("status").flags([status])) for status in ("failed", "running"))
    newest: dict[str, ContenderScore] = {}
    for score in table.scoreboard.all():
        known = newest.get(score.task.benchmark_id)
        if known is None or score.latest > known.latest:
            newest[score.task.benchmark_id] = score
    glances = {
        id: _Glance(
            id,
            runs,
            succeeded.get(id, 0),
            failed.get(id, 0),
            running.get(id, 0),
            table.find(newest[id].latest_run_id) if id in newest else None,
        )
        for id, runs in names.counts(None).items()
    }
    unfinished = {names.code(id): glance for id, glance in glances.items()}
    for number in table.latest():
        glance = unfinished.get(names.codes[number])
        if glance is not None and not glance.see(table.rows[number]):
            del unfinished[names.codes[number]]
            if not unfinished:
                break
    for glance in glances.values():
        if glance.newest is not None:
            competing = map(table.rows.__getitem__, reversed(table.records.of(glance.newest.task)))
            glance.best = next(row for row in competing if row.is_record)
    return [glances[id] for id in sorted(glances)]


def _row(glance: _Glance, reference: HighScore | None) -> Benchmark:
    latest, best = glance.latest, glance.best
    assert latest is not None  # noqa: S101 - for the type checker: a benchmark has at least one run
    if reference is not None and best is not None and not _measures(reference, best.task):
        reference = None
    known = best or latest
    return Benchmark(
        benchmark_id=glance.id,
        runs=glance.runs,
        succeeded_runs=glance.succeeded,
        failed_runs=glance.failed,
        running_runs=glance.running,
        best_score=best.score if best else None,
        best_run_id=best.run_id if best else None,
        best_agent=best.agent if best else None,
        best_model=best.model if best else None,
        unit=known.unit,
        higher_is_better=known.higher_is_better,
        latest_run_id=latest.run_id,
        latest_started_at=latest.started_at,
        latest_status=latest.status,
        latest_score=latest.score,
        latest_agent=latest.agent,
        latest_provider=latest.provider,
        latest_model=latest.model,
        high_score=reference,
        delta_to_high_score=best.score - reference.value if best and best.score is not None and reference else None,
        recent=[row.score for row in reversed(glance.recent) if row.score is not None],
    )


def _left_out(benchmark_id: str, table: RunTable) -> list[str]:
    scores = [one for one in table.scoreboard.all() if one.task.benchmark_id == benchmark_id]
    return newest_revisions(scores)[1]


def _measures(reference: HighScore, task: Task) -> bool:
    return reference.measures(task[2] or None, task[3])


class TaskOfBenchmark(msgspec.Struct, frozen=True):
    """Runs whose scores can be compared: one configuration, one unit, one direction."""

    comparison_key: str
    unit: str | None
    higher_is_better: bool
    config: Json
    runs: int
    latest_at: str


class Point(msgspec.Struct, frozen=True):
    """A score, when its run ended, and its 95% interval (`scores.uncertainty`)."""

    run_id: str
    at: str
    score: float
    stderr: float | None
    low: float | None
    high: float | None
    agent: str
    provider: str
    model: str
    attempt: int
    synthetic: bool
    imported: bool
    retracted: bool
    is_record: bool
    best_so_far: float | None
    high_score_value: float | None


class ReferenceStep(msgspec.Struct, frozen=True):
    """A published score, which holds from `at` on."""

    at: str
    value: float
    label: str
    source: str
    unit: str | None
    higher_is_better: bool


class RecordStep(msgspec.Struct, frozen=True):
    """An own record, which holds from `at` on."""

    run_id: str
    at: str
    score: float
    agent: str
    model: str


class AttemptOf(msgspec.Struct, frozen=True):
    """One of several runs of a signature."""

    run_id: str
    attempt: int
    status: str
    reason: str | None
    score: float | None
    started_at: str


class Attempts(msgspec.Struct, frozen=True):
    """The runs of a signature with several runs."""

    signature: str
    agent: str
    provider: str
    model: str
    runs: list[AttemptOf]


class Repeats(msgspec.Struct, frozen=True):
    """What one agent with one model scored, as on the leaderboard: the mean of the newest run of each repetition.

    `min` and `max` are those of all runs.
    """

    agent: str
    provider: str
    model: str
    runs: int
    mean: float
    stderr: float | None
    low: float | None
    high: float | None
    min: float
    max: float
    scores: list[float]


class BenchmarkHistory(msgspec.Struct, frozen=True):
    """The history of a benchmark's scores on one of its tasks.

    `left_out` are sentences about runs of earlier task revisions, which tables do not show.
    """

    benchmark_id: str
    tasks: list[TaskOfBenchmark]
    task: TaskOfBenchmark | None
    points: list[Point]
    points_total: int
    references: list[ReferenceStep]
    records: list[RecordStep]
    attempts: list[Attempts]
    repeats: list[Repeats]
    left_out: list[str]
    head: Head


class OneBenchmark:
    """The score history of a benchmark."""

    about = "The history of a benchmark: scores, published scores, records, re-runs, distribution"
    parameters = Form(
        Parameter("task", "a comparison_key of `tasks`; default: that of the newest score"),
        limit(2000, _MAX_POINTS),
        AS_OF,
    )
    answer = BenchmarkHistory

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, benchmark_id: str) -> None:
        """The newest task, or another one. Raises HTTPNotFound."""
        asked = self.parameters.read(req)
        self._site.answer(
            req, resp, asked["as_of"], lambda view: self._history(benchmark_id, asked, view), lambda _: ()
        )

    on_head = on_get

    def _history(self, benchmark_id: str, asked: dict[str, Any], view: View) -> BenchmarkHistory:
        rows = view.table.having("benchmark", benchmark_id)
        if not rows:
            raise falcon.HTTPNotFound(title="no such benchmark", description=f"no run of benchmark '{benchmark_id}'")
        scored = _by_task(rows)
        chosen = next((task for task in scored if asked["task"] in (None, task[1])), None)
        if chosen is None and asked["task"] is not None:
            raise falcon.HTTPNotFound(
                title="no such task", description=f"no score of benchmark '{benchmark_id}' on that task"
            )
        points = scored[chosen] if chosen else []
        return BenchmarkHistory(
            benchmark_id=benchmark_id,
            tasks=[_task(task, some) for task, some in scored.items()],
            task=_task(chosen, points) if chosen else None,
            points=[_point(row) for row in points[-asked["limit"] :]],
            points_total=len(points),
            references=self._references(benchmark_id, chosen, view.head),
            records=_records(points),
            attempts=self._attempts(benchmark_id, view.table, chosen),
            repeats=_repeats([row for row in points if row.counts]),
            left_out=_left_out(benchmark_id, view.table),
            head=view.head,
        )

    def _references(self, benchmark_id: str, task: Task | None, head: Head) -> list[ReferenceStep]:
        return [
            ReferenceStep(r.published_at, r.value, r.label, r.source, r.unit, r.higher_is_better)
            for r in references(self._site.archive, head)
            if r.benchmark_id == benchmark_id and (task is None or _measures(r, task))
        ]

    def _attempts(self, benchmark_id: str, table: RunTable, task: Task | None) -> list[Attempts]:
        """Signatures of a task with several runs, the one that was run last first."""
        query = (
            "SELECT run_id, signature FROM benchmark_runs WHERE signature IN (SELECT signature FROM benchmark_runs "
            "WHERE benchmark_id = ? AND signature <> '' GROUP BY signature HAVING count(*) > 1) ORDER BY rowid"
        )
        of: dict[str, list[RunRow]] = defaultdict(list)
        with self._site.archive.database() as connection:
            for run_id, signature in connection.execute(query, (benchmark_id,)):
                row = table.find(run_id)
                if row is not None and (task is None or row.comparison_key == task[1]):
                    of[signature].append(row)
        several = sorted((item for item in of.items() if len(item[1]) > 1), key=lambda item: -item[1][-1].first_seq)
        return [
            Attempts(
                signature,
                some[0].agent,
                some[0].provider,
                some[0].model,
                [AttemptOf(*(getattr(row, name) for name in AttemptOf.__struct_fields__)) for row in some],
            )
            for signature, some in several[:_MAX_ATTEMPTS]
        ]


def _by_task(rows: Sequence[RunRow]) -> dict[Task, list[RunRow]]:
    """The runs with a score on each task in the order of their times; the task of the newest score first."""
    scored: dict[Task, list[RunRow]] = defaultdict(list)
    for row in in_order(rows):
        if row.status == "succeeded" and row.score is not None:
            scored[row.task].append(row)
    return dict(sorted(scored.items(), key=lambda item: item[1][-1].moment, reverse=True))


def _records(points: Sequence[RunRow]) -> list[RecordStep]:
    return [
        RecordStep(row.run_id, row.ended_at or row.started_at, row.score or 0.0, row.agent, row.model)
        for row in sorted(points, key=position)
        if row.is_record
    ]


def _task(task: Task, rows: Sequence[RunRow]) -> TaskOfBenchmark:
    return TaskOfBenchmark(
        task[1], task[2] or None, task[3], rows[-1].extra_config, len(rows), rows[-1].ended_at or rows[-1].started_at
    )


def _point(row: RunRow) -> Point:
    assert row.score is not None  # noqa: S101 - for the type checker: only scores are points
    found = uncertainty([row])
    return Point(
        run_id=row.run_id,
        at=row.ended_at or row.started_at,
        score=row.score,
        stderr=found.stderr,
        low=found.low,
        high=found.high,
        agent=row.agent,
        provider=row.provider,
        model=row.model,
        attempt=row.attempt,
        synthetic=row.synthetic,
        imported=row.imported is not None,
        retracted=row.retracted is not None,
        is_record=row.is_record,
        best_so_far=row.best_so_far,
        high_score_value=row.high_score_value,
    )


def _repeats(rows: Sequence[RunRow]) -> list[Repeats]:
    of: dict[tuple[str, str, str], list[RunRow]] = defaultdict(list)
    for row in rows:
        of[row.agent, row.provider, row.model].append(row)
    return [_spread(who, some) for who, some in sorted(of.items())]


def _spread(who: tuple[str, str, str], rows: Sequence[RunRow]) -> Repeats:
    found = score_of(standing_runs(rows))
    scores = [row.score for row in rows if row.score is not None]
    return Repeats(
        *who,
        runs=len(scores),
        mean=found.mean,
        stderr=found.stderr,
        low=found.low,
        high=found.high,
        min=min(scores),
        max=max(scores),
        scores=scores[-_MAX_SCORES:],
    )
