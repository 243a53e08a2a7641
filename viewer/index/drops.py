"""Scores that got worse: what each contender scored last on a task, against the level before it dropped.

A drop stays until a later campaign reaches the level again. So the level is that of the last campaign before the drop,
however many campaigns came since.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from ...projections.scores.counting import repetition_of
from ...projections.scores.means import mean
from .row import RunRow

_BELOW = 1.64
"""A campaign that is below the level by this number of standard errors does not become the level.

It decides what is compared, not whether it is significant: that is tested, and corrected for all contenders and tasks.
"""

_MAX_CAMPAIGNS = 200


class Drop(msgspec.Struct, frozen=True):
    """The runs of the newest campaign, those of the campaign that is the level, and those with which it went down.

    Each has one run for each repetition. `first` are the newest ones if the score is not below the level.
    """

    newest: list[RunRow]
    level: list[RunRow]
    first: list[RunRow]
    campaigns: int


def drop_of(rows: Sequence[RunRow]) -> Drop | None:
    """The comparison for the runs of one contender on one task, in the order of their times; None for one campaign."""
    campaigns = list(_campaigns(rows))[-_MAX_CAMPAIGNS:]
    if len(campaigns) < 2:
        return None
    level = before = campaigns[0]
    first: list[RunRow] | None = None
    since = 0
    for one in campaigns[1:]:
        if _is_below(one, level):
            first, since = first or one, since + 1
            before = level
        else:
            before, level, first, since = level, one, None, 0
    return Drop(newest=campaigns[-1], level=before, first=first or campaigns[-1], campaigns=since)


def _campaigns(rows: Sequence[RunRow]) -> Iterator[list[RunRow]]:
    """The runs by campaign, in the order of their newest runs: of each repetition the newest."""
    last = {row.run_group_id: number for number, row in enumerate(rows)}
    of: dict[str, dict[str, RunRow]] = {}
    for number, row in enumerate(rows):
        of.setdefault(row.run_group_id, {})[repetition_of(row)] = row
        if last[row.run_group_id] == number:
            yield list(of.pop(row.run_group_id).values())


def _is_below(one: Sequence[RunRow], level: Sequence[RunRow]) -> bool:
    (score, error), (before, its_error) = _roughly(one), _roughly(level)
    fall = before - score if one[-1].task[3] else score - before
    noise = math.hypot(error, its_error)
    return fall > _BELOW * noise if math.isfinite(noise) else False


def _roughly(rows: Sequence[RunRow]) -> tuple[float, float]:
    """The mean score and about its standard error."""
    scores = [row.score for row in rows if row.score is not None]
    errors = [_error(row) for row in rows]
    return mean(scores), math.sqrt(math.fsum(error * error for error in errors) / len(errors))


def _error(row: RunRow) -> float:
    if row.stderr:
        return row.stderr
    score = row.score or 0.0
    if row.samples and 0 <= score <= 1:
        return math.sqrt(max(score * (1 - score), 1 / row.samples) / row.samples)
    return 0.0
