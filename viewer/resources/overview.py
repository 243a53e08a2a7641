"""`/api/overview`: running and finished runs, new bests, regressions and failures."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import falcon
import msgspec

from ...ledger.identity import parse_utc
from ...projections.scores.check import CheckedScore
from ...projections.scores.comparison import Contrast
from ..api.parameters import AS_OF, Form, Parameter
from ..api.site import Site
from ..index.archive import Head, View
from ..index.row import ListedRun, RunRow
from ..index.run_table import RunTable
from ..index.scoreboard import Pairing

_RUNNING = 50
_LISTED = 10


class Counts(msgspec.Struct, frozen=True):
    """Numbers of runs and of names."""

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
    `is_significant` is None if nothing is known of the noise; the test is corrected for all contenders and tasks.
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
    """The number of runs that ended on a day (UTC), by status."""

    date: str
    succeeded: int
    failed: int


class Summary(msgspec.Struct, frozen=True):
    """The start page: what happened since a time, and what stands now.

    `finished`, `records` and `regressions` are the newest ones, the totals count all. A regression stands until a
    newer score of the same agent and model ends it; those that are significant come first.
    """

    counts: Counts
    running: list[ListedRun]
    finished: list[ListedRun]
    records: list[ListedRun]
    records_total: int
    regressions: list[Regression]
    regressions_total: int
    regressions_significant: int
    failures: list[Failures]
    activity: list[Day]
    since: str
    head: Head


class Overview:
    """The history at a glance."""

    about = "Running and finished runs, new records, regressions, failures by reason"
    parameters = Form(
        Parameter("days", "the number of days, back from the last event", "number", 7, minimum=1, maximum=365), AS_OF
    )
    answer = Summary

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The summary."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], lambda view: summarise(view, asked["days"], self._pair(view)))

    on_head = on_get

    def _pair(self, view: View) -> Pairing:
        """The same comparison as `check` makes: sample by sample if both sides have samples."""

        def pair(one: CheckedScore) -> Contrast:
            before, after = (
                [row for run_id in run_ids if (row := view.table.find(run_id)) is not None]
                for run_ids in (one.baseline.run_ids if one.baseline else [], one.run_ids)
            )
            if not before or not after:
                return one.contrast or Contrast(delta=0.0, improvement=0.0)
            return self._site.pairs.contrast(one.task, before, after)

        return pair


def summarise(view: View, days: int, pair: Pairing | None = None) -> Summary:
    """The summary of some days before the last event; `pair` compares regressions sample by sample."""
    table, rows = view.table, view.table.rows
    now = parse_utc(view.head.at).astimezone(UTC) if view.head.at else datetime(1970, 1, 1, tzinfo=UTC)
    since = f"{now - timedelta(days=days):%Y-%m-%dT%H:%M:%S.%fZ}" if view.head.at else ""
    recent = [number for number in table.latest_since(since) if rows[number].ended_at is not None]
    records = [rows[number] for number in recent if _beats_another(rows[number])]
    regressions = _regressions(table, pair)
    running = heapq.nsmallest(_RUNNING, table.having("status", "running"), key=lambda row: row.last_seen_at)
    ended = (row for row in map(rows.__getitem__, table.latest()) if row.ended_at is not None)
    return Summary(
        counts=_counts(view),
        running=view.listed(running),
        finished=view.listed(islice(ended, _LISTED)),
        records=view.listed(records[:_LISTED]),
        records_total=len(records),
        regressions=regressions[:_LISTED],
        regressions_total=len(regressions),
        regressions_significant=sum(one.is_significant is True for one in regressions),
        failures=_failures(table, recent),
        activity=_activity(table, now, days, since) if view.head.at else [],
        since=since,
        head=view.head,
    )


def _counts(view: View) -> Counts:
    table = view.table
    statuses = table.names("status").counts(None)
    return Counts(
        runs=len(table.rows),
        running=statuses.get("running", 0),
        stale=len(view.stale),
        succeeded=statuses.get("succeeded", 0),
        failed=statuses.get("failed", 0),
        **{f"{name}s": len(table.names(name).counts(None)) for name in ("benchmark", "agent", "model")},
    )


def _beats_another(row: RunRow) -> bool:
    return row.is_record and row.previous_best is not None


def _regressions(table: RunTable, pair: Pairing | None) -> list[Regression]:
    """The significant ones first, and then the newest."""

    def row(run_ids: Sequence[str]) -> RunRow:
        found = table.find(run_ids[-1])
        assert found is not None  # noqa: S101 - for the type checker: the scoreboard is made from the table
        return found

    found = [
        Regression(
            run=row(one.score.run_ids),
            before=row(one.baseline.run_ids),
            delta=one.contrast.delta,
            stderr=one.contrast.stderr,
            is_significant=None if one.contrast.verdict == "unknown" else one.contrast.verdict == "worse",
        )
        for one in table.scoreboard.regressions(pair)
        if one.score and one.baseline and one.contrast
    ]
    return sorted(found, key=lambda one: (one.is_significant is True, one.run.moment), reverse=True)


def _failures(table: RunTable, recent: Sequence[int]) -> list[Failures]:
    """By reason, the most frequent first. `recent` are the numbers of runs, the latest first."""
    statuses, reasons, benchmarks = (table.names(name) for name in ("status", "reason", "benchmark"))
    failed = statuses.code("failed")
    of_reason: dict[int, list[int]] = defaultdict(list)
    for number in recent:
        if statuses.codes[number] == failed:
            of_reason[reasons.codes[number]].append(number)
    found = []
    for reason, numbers in of_reason.items():
        latest = table.rows[numbers[0]]
        where = {benchmarks.codes[number] for number in numbers}
        found.append(Failures(reasons.name(reason), len(numbers), len(where), latest.run_id, latest.ended_at or ""))
    return sorted(found, key=lambda failures: (-failures.runs, failures.reason))


def _activity(table: RunTable, now: datetime, days: int, since: str) -> list[Day]:
    """The days up to now; of the first one only the part after `since`, as everywhere on the page."""
    names = table.names("status")
    found: list[Day] = []
    end = len(table.latest_since(f"{now + timedelta(days=1):%Y-%m-%d}"))
    for back in range(days + 1):
        date = f"{now - timedelta(days=back):%Y-%m-%d}"
        latest = table.latest_since(max(date, since))
        ended: Counter[int | None] = Counter(map(names.codes.__getitem__, latest[end:]))
        succeeded, failed = (ended.get(names.code(name), 0) for name in ("succeeded", "failed"))
        found.append(Day(date, succeeded, failed))
        end = len(latest)
    return found[::-1]
