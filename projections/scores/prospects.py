"""How much must be measured to see an effect, by the noise that the history of a benchmark shows."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from .comparison import contrast
from .intervals import effective_size
from .leaderboard import Task, task_config, task_of, telling_options
from .means import standard_error
from .power import Variance, questions_needed, repeats_needed, smallest_detectable
from .recency import in_order
from .samples import SampleReader
from .standing_runs import standing_runs
from .uncertainty import bounds_of, uncertainty

_MAX_CONTENDERS = 6
"""The contenders that ran last, each pair of which is compared sample by sample."""


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison of two contenders on a task can see.

    `questions` are those of a run. `between` and `within` are the variances of the difference of one question's
    scores: between questions, and between repetitions of one question (None if nothing was repeated). `detectable` is
    the smallest difference that one run of each finds in 80 of 100 cases. `questions_needed` and `repeats_needed` are
    what the effect needs; None: repetitions alone are never enough, or their noise is not known. `basis` says what the
    variance was taken from.
    """

    task: Task
    task_options: Json
    questions: int
    between: float
    within: float | None
    detectable: float
    questions_needed: int
    repeats_needed: int | None
    basis: str


def prospects(runs: Iterable[Run], effect: float, read_samples: SampleReader) -> list[Prospect]:
    """The prospects of each task, the one that was run last first; tasks whose noise is not known are left out.

    The runs are all that count. Raises ValueError for an effect that is not above 0.
    """
    of: dict[Task, dict[tuple[str, str, str], list[Run]]] = defaultdict(dict)
    for run in in_order(runs):
        of[task_of(run)].setdefault((run.agent, run.provider, run.model), []).append(run)
    telling = telling_options({task: task_config(next(reversed(some.values()))[-1]) for task, some in of.items()})
    found = [
        prospect
        for task, contenders in of.items()
        if (prospect := _prospect(task, telling[task], list(contenders.values()), effect, read_samples))
    ]
    return found[::-1]


def _prospect(
    task: Task, telling: Json, contenders: Sequence[Sequence[Run]], effect: float, read_samples: SampleReader
) -> Prospect | None:
    newest = [standing_runs(runs, "repeats") for runs in contenders]
    within = _within(newest)
    last = sorted(newest, key=lambda runs: runs[-1].first_seq)[-_MAX_CONTENDERS:]
    paired: list[tuple[float, int]] = []
    for first, second in itertools.combinations([runs[-1:] for runs in last], 2):
        compared = contrast(task, first, second, read_samples)
        if compared.pairs and compared.stderr:
            paired.append((compared.stderr * compared.stderr * compared.pairs, compared.pairs))
    if paired:
        whole, questions = median(value for value, _ in paired), int(median(pairs for _, pairs in paired))
        basis = f"{len(paired)} {'comparison' if len(paired) == 1 else 'comparisons'} of samples"
    else:
        single = [_of_samples(runs[-1]) for runs in newest]
        known = [one for one in single if one is not None]
        if not known:
            return None
        # The difference of two independent scores.
        whole, questions = 2 * median(value for value, _ in known), int(median(size for _, size in known))
        basis = f"standard errors of {len(known)} {'run' if len(known) == 1 else 'runs'}; no common samples"
    noise = min(2 * within, whole) if within is not None else 0.0
    variance = Variance(between=whole - noise, within=noise)
    return Prospect(
        task=task,
        task_options=telling,
        questions=questions,
        between=variance.between,
        within=None if within is None else noise,
        detectable=smallest_detectable(variance.error(questions)),
        questions_needed=questions_needed(effect, variance),
        repeats_needed=None if within is None else repeats_needed(effect, variance, questions),
        basis=basis,
    )


def _within(contenders: Sequence[Sequence[Run]]) -> float | None:
    """The variance of one question's score between repetitions; None if none was repeated."""
    found = []
    for runs in contenders:
        error = standard_error([run.score for run in runs if run.score is not None])
        sizes = [run.samples for run in runs if run.samples]
        if error is not None and len(sizes) == len(runs):
            found.append(error * error * len(runs) * median(sizes))
    return median(found) if found else None


def _of_samples(run: Run) -> tuple[float, int] | None:
    """The variance of one question's score in a run, and the number of its questions.

    If a run does not name its number, a score within bounds is taken for that of right and wrong answers.
    """
    known = uncertainty([run])
    if run.score is None or known.low is None or known.high is None:
        return None
    error, questions = known.stderr or (known.high - known.low) / 4, run.samples or 0
    if questions < 1:
        bounds = bounds_of(run.unit, [run.score])
        if bounds is None:
            return None
        span = bounds[1] - bounds[0]
        questions = max(2, round(effective_size((run.score - bounds[0]) / span, error / span)))
    variance = error * error * questions
    return (variance, questions) if math.isfinite(variance) else None
