"""`/api/overview`: what runs now, what ended last, what is better or worse than before, and what fails."""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import falcon
import msgspec

from ...ledger.identity import parse_utc
from ...projections.scores.recency import in_order, when
from ..api.parameters import AS_OF, Form, Parameter
from ..api.site import Site
from ..index.archive import Head, View
from ..index.row import RunRow

_Z_95 = 1.96
_RUNNING = 50
_LISTED = 10


class Counts(msgspec.Struct, frozen=True):
    """How many there are."""

    runs: int
    running: int
    stale: int
    succeeded: int
    failed: int
    benchmarks: int
    agents: int
    models: int


class Regression(msgspec.Struct, frozen=True):
    """The newest score of an agent with a model on a task, worse than the one before it; `stderr` of the difference."""

    run: RunRow
    before: RunRow
    delta: float
    stderr: float | None
    is_significant: bool | None


class Failures(msgspec.Struct, frozen=True):
    """The runs that failed for one reason."""

    reason: str
    runs: int
    benchmarks: int
    latest_run_id: str
    latest_at: str


class Day(msgspec.Struct, frozen=True):
    """How many runs ended on a day (UTC), and how."""

    date: str
    succeeded: int
    failed: int


class Summary(msgspec.Struct, frozen=True):
    """The start page; of records and regressions the newest, and how many there are in all."""

    counts: Counts
    running: list[RunRow]
    finished: list[RunRow]
    records: list[RunRow]
    records_total: int
    regressions: list[Regression]
    regressions_total: int
    failures: list[Failures]
    activity: list[Day]
    since: str
    head: Head


class Overview:
    """The history at a glance."""

    about = "What runs now, what ended last, new records, regressions, failures by reason"
    parameters = Form(
        Parameter("days", "how many days back, from the last event", "number", 7, least=1, most=365), AS_OF
    )
    answer = Summary

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The summary."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], lambda view: summarise(view, asked["days"]))

    on_head = on_get


def summarise(view: View, days: int) -> Summary:
    """The summary of some days before the last event."""
    table = view.table
    now = parse_utc(view.head.at).astimezone(UTC) if view.head.at else datetime(1970, 1, 1, tzinfo=UTC)
    since = f"{now - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" if view.head.at else ""
    statuses = table.names("status").counts(None)
    running = [row for row in table.rows if row.status == "running"]
    recent = [row for row in table.rows if row.ended_at is not None and row.ended_at >= since]
    records = [row for row in recent if row.is_record and row.previous_best is not None]
    regressions = _regressions(table.rows, since)
    return Summary(
        counts=Counts(
            runs=len(table.rows),
            running=len(running),
            stale=len(view.stale),
            succeeded=statuses.get("succeeded", 0),
            failed=statuses.get("failed", 0),
            **{f"{name}s": len(table.names(name).counts(None)) for name in ("benchmark", "agent", "model")},
        ),
        running=view.marked(heapq.nsmallest(_RUNNING, running, key=lambda row: row.last_seen_at)),
        finished=_last_ended([row for row in table.rows if row.ended_at is not None]),
        records=_last_ended(records),
        records_total=len(records),
        regressions=heapq.nlargest(_LISTED, regressions, key=lambda regression: regression.run.ended_at or ""),
        regressions_total=len(regressions),
        failures=_failures(recent),
        activity=_activity(recent, now, days) if view.head.at else [],
        since=since,
        head=view.head,
    )


def _last_ended(rows: list[RunRow]) -> list[RunRow]:
    return heapq.nlargest(_LISTED, rows, key=when)


def _regressions(rows: list[RunRow], since: str) -> list[Regression]:
    """Of those whose newest score is of that time."""
    newest: dict[tuple[object, ...], list[RunRow]] = defaultdict(list)
    for row in reversed(in_order(rows)):
        if row.counts and len(some := newest[row.task, row.agent, row.provider, row.model]) < 2:
            some.append(row)
    found = []
    for some in newest.values():
        if len(some) < 2 or (some[0].ended_at or "") < since:
            continue
        run, before = some
        assert run.score is not None and before.score is not None  # noqa: S101 - for the type checker: they compete
        delta = run.score - before.score
        if delta and (delta < 0) == run.task[3]:
            stderr = None if run.stderr is None or before.stderr is None else math.hypot(run.stderr, before.stderr)
            found.append(
                Regression(run, before, delta, stderr, None if stderr is None else abs(delta) > _Z_95 * stderr)
            )
    return found


def _failures(rows: list[RunRow]) -> list[Failures]:
    """By reason, the most frequent first."""
    failed: dict[str, list[RunRow]] = defaultdict(list)
    for row in rows:
        if row.status == "failed":
            failed[row.reason or ""].append(row)
    told = []
    for reason, some in failed.items():
        latest = max(some, key=when)
        told.append(
            Failures(reason, len(some), len({row.benchmark_id for row in some}), latest.run_id, latest.ended_at or "")
        )
    return sorted(told, key=lambda failures: (-failures.runs, failures.reason))


def _activity(rows: list[RunRow], now: datetime, days: int) -> list[Day]:
    ended = Counter((row.ended_at or "")[:10] + row.status for row in rows)
    dates = [f"{now - timedelta(days=back):%Y-%m-%d}" for back in range(days, -1, -1)]
    return [Day(date, ended[date + "succeeded"], ended[date + "failed"]) for date in dates]
