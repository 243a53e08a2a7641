"""Two scorers side by side: the scores of the same runs by each of them, and whose rank moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from ...ledger.events import Json, Scorer
from ...ledger.fold import Run, fenced
from ...ledger.suggestions import did_you_mean
from .counting import DOUBTFUL
from .leaderboard import Score, Standing, leaderboard
from .selection import SelectionError

PREFIX = "scorer:"
RECORDED = "recorded"
"""The name of the scorer of the benchmark itself, whose score a run recorded when it ended."""

_MIN_DIGEST = 4


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A contender on a task by both scorers. `moved` is by how many ranks it went up; below 0, down.

    `unit` is that of the score after. If the score before is in another one (`unit_before`), `delta` is None.
    """

    benchmark_id: str
    task_options: Json
    agent: str
    provider: str
    model: str
    unit_before: str
    unit: str
    before: Score
    after: Score
    delta: float | None
    rank_before: int
    rank_after: int
    moved: int


class Scorers(msgspec.Struct, frozen=True):
    """Two scorers, and a row for each contender whose runs both have scored.

    `left_out` runs have a score by only one of them. From `uneven` runs, samples were excluded after one of them: its
    score is still with them.
    """

    before: str
    after: str
    rows: list[Moved]
    left_out: int
    uneven: int


def compare_scorers(runs: Iterable[Run], before: str, after: str) -> Scorers:
    """Compare two scorers: `recorded`, a name, or the beginning of a digest. `runs` are those that count.

    Raises SelectionError for a name that is unknown or ambiguous.
    """
    every = list(runs)
    known = {one.scorer.sha256: one.scorer for run in every for one in run.rescores}
    first, second = _find(before, known), _find(after, known)
    if first == second:
        raise SelectionError(f"{before} and {after} are one scorer")
    pairs, left_out, uneven = [], 0, 0
    for run in every:
        one, other = _by(run, first), _by(run, second)
        if one is not None and other is not None:
            pairs.append((one, other))
            uneven += bool(run.excluded)
        elif one is not None or other is not None:
            left_out += 1
    boards = [{_place(row): row for row in leaderboard(some, include=DOUBTFUL)} for some in zip(*pairs, strict=True)]
    rows = [_row(row, boards[1][place]) for place, row in boards[0].items()] if boards else []
    return Scorers(_named(first), _named(second), rows, left_out, uneven)


def _find(text: str, known: dict[str, Scorer]) -> Scorer | None:
    """The scorer; None for the recorded one."""
    name = text.removeprefix(PREFIX)
    if name == RECORDED:
        return None
    found = [one for one in known.values() if one.name == name]
    if not found and len(name) >= _MIN_DIGEST:
        found = [one for digest, one in known.items() if digest.startswith(name)]
    if len(found) > 1:
        digests = ", ".join(one.sha256[:12] for one in found)
        raise SelectionError(f"several scorers are called '{name}'", f"name one by its digest: {digests}")
    if not found:
        names = [RECORDED, *dict.fromkeys(one.name for one in known.values())]
        raise SelectionError(f"unknown scorer '{name}'", did_you_mean(name, names))
    return found[0]


def _by(run: Run, scorer: Scorer | None) -> Run | None:
    """The run with the score of a scorer; None if it has none. All scorers' runs have one comparison key."""
    key = fenced(run.options_key, run.revision)
    if run.scorer == scorer:
        return replace(run, comparison_key=key)
    if scorer is None:
        return replace(
            run,
            comparison_key=key,
            score=run.original_score,
            unit=run.original_unit,
            higher_is_better=run.original_higher_is_better,
            stderr=None,
        )
    for one in reversed(run.rescores):
        if one.scorer.sha256 == scorer.sha256:
            upward = run.higher_is_better if one.higher_is_better is None else one.higher_is_better
            return replace(
                run,
                comparison_key=key,
                score=one.score,
                unit=one.unit,
                higher_is_better=upward,
                samples=one.samples,
                stderr=one.stderr,
            )
    return None


def _place(row: Standing) -> Sequence[str]:
    return row.task.benchmark_id, row.task.comparison_key, row.agent, row.provider, row.model


def _row(before: Standing, after: Standing) -> Moved:
    return Moved(
        benchmark_id=before.task.benchmark_id,
        task_options=before.task_options,
        agent=before.agent,
        provider=before.provider,
        model=before.model,
        unit_before=before.task.unit,
        unit=after.task.unit,
        before=before.score,
        after=after.score,
        delta=after.score.mean - before.score.mean if before.task.unit == after.task.unit else None,
        rank_before=before.rank,
        rank_after=after.rank,
        moved=before.rank - after.rank,
    )


def _named(scorer: Scorer | None) -> str:
    return RECORDED if scorer is None else f"{scorer.name} ({scorer.sha256[:12]})"


def scorer_difference(before: Scorer | None, after: Scorer | None) -> str:
    """Which scorers gave two scores, as `recorded and strict.py (12ab)`; empty if it is one."""
    same = (before and before.sha256) == (after and after.sha256)
    return "" if same else f"{_named(before)} and {_named(after)}"
