"""`/api/attention`: what needs a person: open regressions, failures by their message, and what was spent."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import falcon
import msgspec

from ...ledger.identity import parse_utc
from ...projections.scores.attempts import ending, is_attempt, work_of
from ...projections.scores.comparison import Contrast, adjust
from ...projections.scores.leaderboard import Task, score_of
from ..api.parameters import AS_OF, Form, Parameter
from ..api.site import Site
from ..index.archive import Head, View
from ..index.board import choose
from ..index.commands import retry_commands
from ..index.drops import Drop
from ..index.messages import message_of, pattern_of
from ..index.pairing import Pairs
from ..index.row import RunRow
from ..index.run_table import RunTable

DAYS = Parameter("days", "the number of days, back from the last event", "number", 7, minimum=1, maximum=365)
_LISTED = 50
_MAX_PAIRED = 60
_MAX_COMMANDS = 5


class OpenRegression(msgspec.Struct, frozen=True):
    """A score that is below its level before, until a later campaign reaches it again.

    `run` and `before` are the newest runs of the two campaigns that are compared, `score` and `level` what these came
    to. `since` is when it went down first, `campaigns` the number of campaigns since then. `contrast` is the test,
    sample by sample if both have samples, with Holm's correction over all that were looked at.
    """

    run: RunRow
    before: RunRow
    score: float
    level: float
    since: str
    campaigns: int
    contrast: Contrast


class FailureGroup(msgspec.Struct, frozen=True):
    """Runs that failed for one reason with one message.

    `attempted` counts the runs of the same benchmarks and models in this time that ended. `open` counts the pieces of
    work that have not succeeded since; `commands` run these again.
    """

    message: str
    reason: str
    runs: int
    attempted: int
    open: int
    benchmarks: list[str]
    models: list[str]
    latest_run_id: str
    latest_at: str
    commands: list[str]


class Spent(msgspec.Struct, frozen=True):
    """What the runs cost that ended on a day (UTC), in US dollars. `unpriced` runs have no known cost."""

    date: str
    cost_usd: float
    runs: int
    failed: int
    unpriced: int


class AttentionAnswer(msgspec.Struct, frozen=True):
    """What needs a person. `looked_at` scores were compared with their level; `within_noise` of them are below it.

    `attempted` runs ended since `since`, and `failed` of them failed.
    """

    regressions: list[OpenRegression]
    looked_at: int
    within_noise: int
    failures: list[FailureGroup]
    attempted: int
    failed: int
    spend: list[Spent]
    since: str
    head: Head


class _Gathered(msgspec.Struct, frozen=True):
    drops: list[Drop]
    failures: list[FailureGroup]
    attempted: int
    failed: int
    spend: list[Spent]
    since: str


class Attention:
    """What needs a person."""

    about = "Open regressions, failures by message with the command that retries them, spend by day"
    parameters = Form(DAYS, AS_OF)
    answer = AttentionAnswer

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """All open regressions; failures and spend of the days before the last event."""
        asked = self.parameters.read(req)
        self._site.answer_in_two(req, resp, asked["as_of"], lambda view: _gather(asked, view), self._build)

    on_head = on_get

    def _build(self, gathered: _Gathered, head: Head) -> AttentionAnswer:
        regressions, within = _regressions(gathered.drops, self._site.pairs)
        return AttentionAnswer(
            regressions=regressions[:_LISTED],
            looked_at=len(gathered.drops),
            within_noise=within,
            failures=gathered.failures,
            attempted=gathered.attempted,
            failed=gathered.failed,
            spend=gathered.spend,
            since=gathered.since,
            head=head,
        )


def warm_up(site: Site) -> None:
    """Test what the start page and the leaderboard ask for, before someone waits for it."""
    with site.archive.look() as view:
        drops = _drops(view.table)
    _regressions(drops, site.pairs)
    site.notable.until(view.head.position)


def since_of(view: View, days: int) -> str:
    """The time of those days before the last event."""
    return f"{last_of(view) - timedelta(days=days):%Y-%m-%dT%H:%M:%S.%fZ}" if view.head.at else ""


def last_of(view: View) -> datetime:
    """The time of the last event."""
    return parse_utc(view.head.at).astimezone(UTC) if view.head.at else datetime(1970, 1, 1, tzinfo=UTC)


def _gather(asked: dict[str, Any], view: View) -> _Gathered:
    table, since = view.table, since_of(view, asked["days"])
    recent = [row for number in table.latest_since(since) if (row := table.rows[number]).ended_at is not None]
    recent = [row for row in recent if is_attempt(row) and row.status != "running"]
    return _Gathered(
        drops=_drops(table),
        failures=_failures(table, recent),
        attempted=len(recent),
        failed=sum(row.status == "failed" for row in recent),
        spend=_spend(recent, last_of(view), asked["days"]) if view.head.at else [],
        since=since,
    )


def _drops(table: RunTable) -> list[Drop]:
    """The comparison of each contender on each task of today: a task that has a newer revision is over."""
    board = table.scoreboard
    works = [
        ((*msgspec.structs.astuple(one.task),), chosen.agent, chosen.provider, chosen.model)
        for one in choose(table)
        for chosen in one.chosen
    ]
    return [found for task, *who in works if (found := board.drop((task, *who))) is not None]  # type: ignore[arg-type]


def _regressions(drops: Sequence[Drop], pairs: Pairs) -> tuple[list[OpenRegression], int]:
    """Those that are significant, the newest first; and how many others are below their level."""
    tasks = [Task(*one.newest[-1].task) for one in drops]
    tests = [pairs.contrast(task, one.level, one.newest, paired=False) for task, one in zip(tasks, drops, strict=True)]
    worse = sorted(
        (place for place, test in enumerate(tests) if test.improvement < 0), key=lambda place: _clearness(tests[place])
    )
    sampled = pairs.with_samples(
        [row for place in worse[:_MAX_PAIRED] for row in (*drops[place].level, *drops[place].newest)]
    )
    for place in worse[:_MAX_PAIRED]:
        one = drops[place]
        if all(row.run_id in sampled for row in (*one.level, *one.newest)):
            tests[place] = pairs.contrast(tasks[place], one.level, one.newest)
    found = []
    for one, test in zip(drops, adjust(tests), strict=True):
        if test is not None and test.verdict == "worse":
            first = one.first[0]
            found.append(
                OpenRegression(
                    run=one.newest[-1],
                    before=one.level[-1],
                    score=score_of(one.newest).mean,
                    level=score_of(one.level).mean,
                    since=first.ended_at or first.started_at,
                    campaigns=one.campaigns,
                    contrast=test,
                )
            )
    return sorted(found, key=lambda one: one.run.moment, reverse=True), len(worse) - len(found)


def _clearness(test: Contrast) -> float:
    return test.p_value if test.p_value is not None else 2.0


def _failures(table: RunTable, recent: Sequence[RunRow]) -> list[FailureGroup]:
    """The most frequent first; within one number the newest. `recent` are attempts that ended, the latest first."""
    of: dict[tuple[str, str], list[RunRow]] = defaultdict(list)
    for row in recent:
        if row.status == "failed":
            of[row.reason or "", pattern_of(message_of(row.error))].append(row)
    tried = Counter((row.benchmark_id, row.provider, row.model) for row in recent)
    groups = []
    for (reason, _), rows in of.items():
        still = [row for row in rows if _is_open(table, row)]
        commands = retry_commands(still)
        groups.append(
            FailureGroup(
                message=message_of(rows[0].error),
                reason=reason,
                runs=len(rows),
                attempted=sum(tried[key] for key in {(row.benchmark_id, row.provider, row.model) for row in rows}),
                open=len({work_of(row) for row in still}),
                benchmarks=sorted({row.benchmark_id for row in rows}),
                models=sorted({f"{row.provider}:{row.model}" for row in rows}),
                latest_run_id=rows[0].run_id,
                latest_at=rows[0].ended_at or rows[0].started_at,
                commands=commands[:_MAX_COMMANDS],
            )
        )
    groups.sort(key=lambda one: one.latest_at, reverse=True)
    groups.sort(key=lambda one: (-one.open, -one.runs))
    return groups[:_LISTED]


def _is_open(table: RunTable, row: RunRow) -> bool:
    """Whether the newest attempt at the work of a run that has ended is a failure."""
    numbers = table.scoreboard.tried.members.get(work_of(row), ())
    endings = (ending(table.rows[number]) for number in reversed(numbers))
    return next((how for how in endings if how != "running"), "succeeded") != "succeeded"


def _spend(recent: Iterable[RunRow], last: datetime, days: int) -> list[Spent]:
    of: dict[str, list[RunRow]] = defaultdict(list)
    for row in recent:
        of[row.moment[0][:10]].append(row)
    dates = [f"{last - timedelta(days=back):%Y-%m-%d}" for back in range(days, -1, -1)]
    return [_spent(date, of.get(date, [])) for date in dates]


def _spent(date: str, rows: Sequence[RunRow]) -> Spent:
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    return Spent(
        date=date,
        cost_usd=round(math.fsum(costs), 9),
        runs=len(rows),
        failed=sum(row.status == "failed" for row in rows),
        unpriced=len(rows) - len(costs),
    )
