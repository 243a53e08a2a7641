"""`/api/benchmarks`: a row for each benchmark; and the history of one: its scores, its references, its records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import falcon
import msgspec

from ...ledger.events import Json
from ...projections.scores.high_scores import HighScore
from ...projections.scores.means import mean, standard_error
from ...projections.scores.recency import in_order, when
from ...projections.scores.records import position
from ..api.parameters import AS_OF, Form, Parameter, limit
from ..api.site import Site
from ..index.archive import Head, View
from ..index.row import RunRow, Task
from ..index.run_table import RunTable
from .high_scores import references, references_that_hold

_RECENT = 20
_MOST_POINTS = 5000
_MOST_ATTEMPTS = 50
_MOST_SCORES = 200


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
    """All benchmarks that were ever run, by id."""

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
        """The summary, with the references that held."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], self._summarise)

    on_head = on_get

    def _summarise(self, view: View) -> BenchmarkList:
        held = references_that_hold(self._site.archive, view.head)
        of: dict[str, list[RunRow]] = defaultdict(list)
        for row in view.table.rows:
            of[row.benchmark_id].append(row)
        return BenchmarkList([_summary(of[id], held.get(id), view.table) for id in sorted(of)], view.head)


def _summary(rows: Sequence[RunRow], reference: HighScore | None, table: RunTable) -> Benchmark:
    latest = max((row for row in rows if row.status != "running"), key=when, default=None) or max(rows, key=when)
    newest = max((row for row in rows if row.counts), key=when, default=None)
    ended = [table.rows[number] for number in table.records.of(newest.task)] if newest else []
    records = [row for row in ended if row.is_record]
    best = records[-1] if records else None
    if reference is not None and best is not None and not _measures(reference, best.task):
        reference = None
    return Benchmark(
        benchmark_id=latest.benchmark_id,
        runs=len(rows),
        succeeded_runs=sum(row.is_success for row in rows),
        failed_runs=sum(row.status == "failed" for row in rows),
        running_runs=sum(row.status == "running" for row in rows),
        best_score=best.score if best else None,
        best_run_id=best.run_id if best else None,
        best_agent=best.agent if best else None,
        best_model=best.model if best else None,
        unit=best.unit if best else latest.unit,
        higher_is_better=best.higher_is_better if best else latest.higher_is_better,
        latest_run_id=latest.run_id,
        latest_started_at=latest.started_at,
        latest_status=latest.status,
        latest_score=latest.score,
        latest_agent=latest.agent,
        latest_provider=latest.provider,
        latest_model=latest.model,
        high_score=reference,
        delta_to_high_score=best.score - reference.value if best and best.score is not None and reference else None,
        recent=[row.score for row in in_order(ended)[-_RECENT:] if row.score is not None],
    )


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
    """A score, when its run ended."""

    run_id: str
    at: str
    score: float
    stderr: float | None
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
    """A published reference, which holds from `at` on."""

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
    """One of several runs of the same work."""

    run_id: str
    attempt: int
    status: str
    reason: str | None
    score: float | None
    started_at: str


class Attempts(msgspec.Struct, frozen=True):
    """The runs of a signature that was run more than once."""

    signature: str
    agent: str
    provider: str
    model: str
    runs: list[AttemptOf]


class Repeats(msgspec.Struct, frozen=True):
    """The spread of what one agent with one model scored; `stderr` is that of the mean: s / sqrt(n)."""

    agent: str
    provider: str
    model: str
    runs: int
    mean: float
    stderr: float | None
    least: float
    most: float
    scores: list[float]


class BenchmarkHistory(msgspec.Struct, frozen=True):
    """The history of a benchmark's scores on one of its tasks."""

    benchmark_id: str
    tasks: list[TaskOfBenchmark]
    task: TaskOfBenchmark | None
    points: list[Point]
    points_total: int
    references: list[ReferenceStep]
    records: list[RecordStep]
    attempts: list[Attempts]
    repeats: list[Repeats]
    head: Head


class OneBenchmark:
    """The score history of a benchmark."""

    about = "The history of a benchmark: scores, reference and record steps, attempts, spread of repeats"
    parameters = Form(
        Parameter("task", "a comparison_key of `tasks`; else that of the newest score"),
        limit(2000, _MOST_POINTS),
        AS_OF,
    )
    answer = BenchmarkHistory

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, benchmark_id: str) -> None:
        """Its newest task, or another. Raises HTTPNotFound."""
        asked = self.parameters.read(req)
        self._site.answer(
            req, resp, asked["as_of"], lambda view: self._history(benchmark_id, asked, view), lambda _: ()
        )

    on_head = on_get

    def _history(self, benchmark_id: str, asked: dict[str, Any], view: View) -> BenchmarkHistory:
        rows = [row for row in view.table.rows if row.benchmark_id == benchmark_id]
        if not rows:
            raise falcon.HTTPNotFound(title="no such benchmark", description=f"'{benchmark_id}' was never run")
        scored: dict[Task, list[RunRow]] = defaultdict(list)
        for row in rows:
            if row.status == "succeeded" and row.score is not None:
                scored[row.task].append(row)
        for some in scored.values():
            some.sort(key=when)
        tasks = sorted(scored, key=lambda task: when(scored[task][-1]), reverse=True)
        chosen = next((task for task in tasks if asked["task"] in (None, task[1])), None)
        if chosen is None and asked["task"] is not None:
            raise falcon.HTTPNotFound(title="no such task", description=f"'{benchmark_id}' has no score on that task")
        points = scored[chosen] if chosen else []
        published = [r for r in references(self._site.archive, view.head) if r.benchmark_id == benchmark_id]
        return BenchmarkHistory(
            benchmark_id=benchmark_id,
            tasks=[_task(task, scored[task]) for task in tasks],
            task=_task(chosen, points) if chosen else None,
            points=[_point(row) for row in points[-asked["limit"] :]],
            points_total=len(points),
            references=[
                ReferenceStep(r.published_at, r.value, r.label, r.source, r.unit, r.higher_is_better)
                for r in published
                if chosen is None or _measures(r, chosen)
            ],
            records=[
                RecordStep(row.run_id, row.ended_at or row.started_at, row.score or 0.0, row.agent, row.model)
                for row in sorted(points, key=position)
                if row.is_record
            ],
            attempts=self._attempts(benchmark_id, view.table),
            repeats=_repeats([row for row in points if row.counts]),
            head=view.head,
        )

    def _attempts(self, benchmark_id: str, table: RunTable) -> list[Attempts]:
        """Signatures with several runs, the one that was run last first."""
        query = (
            "SELECT run_id, signature FROM benchmark_runs WHERE signature IN (SELECT signature FROM benchmark_runs "
            "WHERE benchmark_id = ? AND signature <> '' GROUP BY signature HAVING count(*) > 1) ORDER BY rowid"
        )
        of: dict[str, list[RunRow]] = defaultdict(list)
        with self._site.archive.database() as connection:
            for run_id, signature in connection.execute(query, (benchmark_id,)):
                if row := table.find(run_id):
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
            for signature, some in several[:_MOST_ATTEMPTS]
        ]


def _task(task: Task, rows: Sequence[RunRow]) -> TaskOfBenchmark:
    return TaskOfBenchmark(
        task[1], task[2] or None, task[3], rows[-1].extra_config, len(rows), rows[-1].ended_at or rows[-1].started_at
    )


def _point(row: RunRow) -> Point:
    assert row.score is not None  # noqa: S101 - for the type checker: only scores are points
    return Point(
        run_id=row.run_id,
        at=row.ended_at or row.started_at,
        score=row.score,
        stderr=row.stderr,
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
    of: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.score is not None:
            of[row.agent, row.provider, row.model].append(row.score)
    return [
        Repeats(
            *who,
            runs=len(scores),
            mean=mean(scores),
            stderr=standard_error(scores),
            least=min(scores),
            most=max(scores),
            scores=scores[-_MOST_SCORES:],
        )
        for who, scores in sorted(of.items())
    ]
