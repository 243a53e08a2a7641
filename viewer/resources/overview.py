"""`/api/overview`: what runs now, what ended last, what is better or worse than before, and what fails."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import falcon
import msgspec

from ...ledger.identity import parse_utc
from ...projections.scores.check import check, last_before, last_run
from ...projections.scores.recency import in_order, when
from ...projections.scores.samples import SampleScores
from ..api.parameters import AS_OF, Form, Parameter
from ..api.site import Site
from ..index.archive import Head, View
from ..index.row import RunRow, as_run

_NOT_READ = SampleScores(problem="samples are not read here")
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
    """The score of an agent with a model on a task in its last group of runs, worse than that in the group before.

    `run` and `before` are the newest runs of the two; `delta` is between the scores, `stderr` that of the difference.
    """

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
    """What got worse in that time, as `check --baseline last` finds it; the files of samples are not read for it."""
    by_work: dict[tuple[object, ...], list[RunRow]] = defaultdict(list)
    for row in in_order(rows):
        if row.counts:
            by_work[row.task, row.agent, row.provider, row.model].append(row)
    of_that_time = (some for some in by_work.values() if (some[-1].ended_at or "") >= since)
    by_id = {row.run_id: row for some in of_that_time for row in _last_two_groups(some)}
    runs = [as_run(row) for row in by_id.values()]
    found = check(last_run(runs), last_before(runs), lambda _: _NOT_READ, checked="", against="")
    return [
        Regression(
            run=by_id[one.score.run_ids[-1]],
            before=by_id[one.baseline.run_ids[-1]],
            delta=one.contrast.delta,
            stderr=one.contrast.stderr,
            is_significant=None if one.contrast.verdict == "unknown" else one.contrast.verdict == "worse",
        )
        for one in found.scores
        if one.result == "worse" and one.score and one.baseline and one.contrast
    ]


def _last_two_groups(rows: Sequence[RunRow]) -> list[RunRow]:
    """All that the check of a long history asks of it: the last group, and the one that was last before it began."""
    last = rows[-1].run_group_id
    first = next(place for place, row in enumerate(rows) if row.run_group_id == last)
    before = rows[first - 1].run_group_id if first else last
    return [row for row in rows[:first] if row.run_group_id == before] + [
        row for row in rows[first:] if row.run_group_id == last
    ]


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
