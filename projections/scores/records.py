"""Is it a record? The one rule, which the viewer, SQL, the leaderboard and the summaries share.

A run that counts is a record if its score is better than those of all runs of its task that the ledger closed before
it. "Before" is the order of the ledger, not that of a clock: after a merge, or if the clocks of two machines disagree,
a later event cannot undo a record, and a wrong clock cannot make one. Of equal scores the first holds the record.

What is *latest* is another question: it goes by the runs' own times (`recency`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

Position = tuple[int, int]
"""The positions in the ledger of the event that ended a run and of its first event."""


class Scored(Protocol):
    """A run with what decides about records: a whole `Run`, or a row of one."""

    @property
    def score(self) -> float | None: ...  # noqa: D102
    @property
    def higher_is_better(self) -> bool | None: ...  # noqa: D102
    @property
    def first_seq(self) -> int: ...  # noqa: D102
    @property
    def ended_seq(self) -> int | None: ...  # noqa: D102


T = TypeVar("T", bound=Scored)


def position(run: Scored) -> Position:
    """Where a run stands among those that may hold a record: in the order in which the ledger closed them."""
    return run.ended_seq or run.first_seq, run.first_seq


def is_upward(run: Scored) -> bool:
    """Whether a higher score of the run is a better one. A run that names no direction is taken for that."""
    return run.higher_is_better is None or bool(run.higher_is_better)  # In a row of a table, false is 0.


def is_better(score: float, best: float | None, *, upward: bool) -> bool:
    """Whether a score beats the best one before it; any score beats none."""
    return best is None or (score > best if upward else score < best)


def beats(run: Scored, best: Scored | None) -> bool:
    """Whether a run takes the record of its task from another, whichever of the two is seen first."""
    if run.score is None:
        return False
    if best is None or best.score is None:
        return True
    if run.score == best.score:
        return position(run) < position(best)
    return is_better(run.score, best.score, upward=is_upward(run))


def best_of(runs: Iterable[T]) -> T:
    """The run of one task that holds the record among these, in any order; at least one, each with a score."""
    best: T | None = None
    for run in runs:
        if best is None or beats(run, best):
            best = run
    if best is None:
        raise ValueError("the list of runs is empty")
    return best
