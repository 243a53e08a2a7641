"""What a report says, before it is laid out: standings, charts, what got worse, what failed, and the proof."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec

from ....ledger.fold import Run
from ...scores.check import Check, best_before, check, last_run
from ...scores.high_scores import HighScore
from ...scores.leaderboard import Doubtful, Standing, Task, is_eligible, leaderboard, task_of
from ...scores.recency import in_order, when
from ...scores.samples import SampleReader
from ...sqlite.database import State
from .charts import Chart, history_chart, score_chart

MAX_CHARTS = 40


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """How often a benchmark failed for one reason, and the newest of those runs."""

    benchmark_id: str
    reason: str
    runs: int
    newest_run_id: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report. `scope` says what it is about; `head` is the ledger's last event when it was made.

    `statuses` counts the runs in scope. `check` measures what was run last against the best before it; None if there
    is nothing to measure. `high_scores` are the references that the deltas are against. `charts_left_out` are those of
    older tasks, beyond the maximum number.
    """

    title: str
    scope: str
    first_at: str | None
    last_at: str | None
    head: State
    statuses: dict[str, int]
    standings: list[Standing]
    high_scores: list[HighScore]
    charts: list[Chart]
    charts_left_out: int
    check: Check | None
    failures: list[Failure]
    included: list[Doubtful]


def build_report(
    runs: Sequence[Run],
    *,
    title: str,
    scope: str,
    history: Sequence[Run],
    high_scores: Mapping[str, HighScore],
    head: State,
    read_samples: SampleReader,
    include: Collection[Doubtful] = (),
) -> Report:
    """The report on `runs`, which are part of `history`.

    Nothing of it depends on the time at which it is made: the same ledger gives the same report.
    """
    standings = leaderboard(runs, high_scores, include=include)
    runs = in_order(runs)
    charts = _charts(standings, [run for run in runs if is_eligible(run, include)])
    return Report(
        title=title,
        scope=scope,
        first_at=min((run.started_at for run in runs), default=None),
        last_at=max((when(run)[0] for run in runs), default=None),
        head=head,
        statuses=dict(sorted(Counter(run.status for run in runs).items())),
        standings=standings,
        high_scores=list({s.task.benchmark_id: s.high_score for s in standings if s.high_score}.values()),
        charts=charts[:MAX_CHARTS],
        charts_left_out=max(0, len(charts) - MAX_CHARTS),
        check=_what_got_worse(runs, history, read_samples, include),
        failures=_failures(runs),
        included=sorted(include),
    )


def _charts(standings: Sequence[Standing], runs: Sequence[Run]) -> list[Chart]:
    """For each task its scores, and their history where somebody ran it again; those that were run last first."""
    by_task: dict[Task, list[Run]] = defaultdict(list)
    for run in runs:
        by_task[task_of(run)].append(run)
    charts = []
    for task in sorted(by_task, key=lambda task: when(by_task[task][-1]), reverse=True):
        own = [standing for standing in standings if standing.task == task]
        charts.append(score_chart(own))
        by_group = {(run.agent, run.provider, run.model, run.run_group_id) for run in by_task[task]}
        if len(by_group) > len(own):
            charts.append(history_chart(own, by_task[task]))
    return charts


def _what_got_worse(
    runs: Sequence[Run], history: Sequence[Run], read_samples: SampleReader, include: Collection[Doubtful]
) -> Check | None:
    """Of each piece of work the runs of its last group, against the best before them."""
    eligible = [run for run in history if is_eligible(run, include)]
    found = check(
        last_run(runs),
        best_before(eligible),
        read_samples,
        checked="what was run last",
        against="the best earlier score of the same agent and model",
        include=include,
    )
    if not found.compared:
        return None
    return msgspec.structs.replace(found, scores=[score for score in found.scores if score.baseline is not None])


def _failures(runs: Sequence[Run]) -> list[Failure]:
    by_reason: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        if run.status == "failed":
            by_reason[run.benchmark_id, run.reason or "unknown"].append(run)
    return [
        Failure(benchmark_id=benchmark_id, reason=reason, runs=len(some), newest_run_id=some[-1].run_id)
        for (benchmark_id, reason), some in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
