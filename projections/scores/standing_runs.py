"""Which runs a score is made of: the repeats of one campaign, never those of two.

Months may lie between two campaigns, with another version of the model behind the same name. A mean over both would
hide what has changed. So a contender's score on a task is that of one campaign, in every table, page, view and export;
SQL says the same in SQL (`analytics/views.sql`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, Protocol, TypeVar, get_args

from .counting import Repeated, repetition_of
from .recency import Timed, in_order

Runs = Literal["newest", "repeats"]
"""`newest`: the newest run, with the other repeats of its campaign. `repeats`: those of the newest campaign that has
several; without one, as `newest`."""

RUNS: tuple[Runs, ...] = get_args(Runs)


class Candidate(Repeated, Timed, Protocol):
    """What decides whether a run stands for its contender."""

    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def run_group_id(self) -> str: ...  # noqa: D102


R = TypeVar("R", bound=Candidate)


def standing_runs(runs: Iterable[R], which: Runs = "newest") -> list[R]:
    """The runs that stand for a contender on a task, in the order of their own times: one for each repetition.

    `runs` are those that count, at least one, in any order. Of several runs of one repetition in a campaign the newest
    stands. The newest campaign is that of the newest run.
    """
    campaigns: dict[str, dict[str, R]] = defaultdict(dict)
    newest = several = ""
    for run in in_order(runs):
        newest = campaign_of(run)
        campaigns[newest][repetition_of(run)] = run
        if len(campaigns[newest]) > 1:
            several = newest
    return in_order(campaigns[several if which == "repeats" and several else newest].values())


def campaign_of(run: Candidate) -> str:
    """The campaign of a run; a run without one, such as an imported run, is a campaign of its own."""
    return run.run_group_id or run.run_id
