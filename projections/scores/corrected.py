"""The score of a run without some of its samples, computed anew from the file that holds them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...ledger.corrections import Refused
from ...ledger.events import Json, ScoreAnew
from ...ledger.fold import Run
from ...ledger.suggestions import did_you_mean
from ..workspace import Workspace
from .means import mean
from .samples import SamplesUnusable, all_rows, look_at

_NEAR = 1e-3
"""A score may be rounded: it is the mean of its samples if it differs by no more than that."""

_MAX_NAMED = 3


def score_without(run: Run, workspace: Workspace, excluded: frozenset[str]) -> ScoreAnew:
    """The score of a run by its present scorer, without the samples with these ids.

    A score is the mean of all lines of the file, or of the means of its questions, if a question stands there several
    times: the one that gives the present score is used. Raises Refused if neither does, or if an id is unknown.
    """
    try:
        recorded = all_rows(run, workspace)
    except SamplesUnusable as problem:
        raise Refused(f"the score of {run.run_id} cannot be computed anew: {problem}") from None
    if recorded.left_out:
        raise Refused(f"the score of {run.run_id} cannot be computed anew: {recorded.note}")
    _refuse_unknown(run, excluded, {str(row["id"]): None for row in recorded.rows})
    before = frozenset(run.excluded)
    present = [row for row in recorded.rows if str(row["id"]) not in before]
    assert run.score is not None  # noqa: S101 - for the type checker: a run without a score is refused before
    by_question = is_mean_of_questions(run.score, present)
    if not by_question and not _is_near(run.score, mean_of_lines(present)):
        raise Refused(
            f"the score of {run.run_id} cannot be computed anew: it is {run.score:g}, but its samples average to "
            f"{mean_of_lines(present):g}"
        )
    left = [row for row in recorded.rows if str(row["id"]) not in excluded]
    if not left:
        raise Refused(f"no sample of {run.run_id} would be left", "retract the run instead")
    score = mean_of_questions(left) if by_question else mean_of_lines(left)
    counts_questions = run.samples == len(_questions(present)) != len(present)
    looked = look_at(left)
    counted = looked.clusters if looked.repeats_one_score else len(left)
    has_reference = run.delta_to_high_score is not None and run.high_score_value is not None
    return ScoreAnew(
        score=score,
        unit=run.unit,
        samples=len(_questions(left)) if counts_questions else counted,
        stderr=looked.standard_error or None,
        delta_to_high_score=score - (run.high_score_value or 0.0) if has_reference else None,
    )


def _refuse_unknown(run: Run, wanted: frozenset[str], known: dict[str, None]) -> None:
    if unknown := sorted(wanted - known.keys()):
        named = ", ".join(f"'{name}'" for name in unknown[:_MAX_NAMED])
        more = f" and {len(unknown) - _MAX_NAMED} more" if len(unknown) > _MAX_NAMED else ""
        hint = did_you_mean(unknown[0], known, f"its samples are {', '.join([*known][:_MAX_NAMED])}, ...")
        raise Refused(f"the run {run.run_id} has no sample {named}{more}", hint)


def is_mean_of_questions(score: float | None, rows: Sequence[Json]) -> bool:
    """Whether a score is the mean of the means of the questions in these rows, and not that of all lines."""
    return (
        score is not None
        and bool(rows)
        and not _is_near(score, mean_of_lines(rows))
        and _is_near(score, mean_of_questions(rows))
    )


def _is_near(score: float, computed: float) -> bool:
    return math.isclose(score, computed, rel_tol=_NEAR, abs_tol=_NEAR)


def mean_of_lines(rows: Sequence[Json]) -> float:
    """The mean of all samples; at least one."""
    return mean([row["score"] for row in rows])


def mean_of_questions(rows: Sequence[Json]) -> float:
    """The mean of the means of the questions; at least one."""
    return mean([mean(scores) for scores in _questions(rows).values()])


def _questions(rows: Sequence[Json]) -> dict[str, list[float]]:
    questions: dict[str, list[float]] = {}
    for row in rows:
        questions.setdefault(str(row["id"]), []).append(row["score"])
    return questions
