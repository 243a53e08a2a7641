"""How sure a score is: the one definition of its standard error and interval, from the rows of its runs.

The leaderboard, comparisons, checks, reports, exports, the viewer and single runs all use it; the SQL views say the
same in SQL (`analytics/views.sql`). It needs no samples: only what each run recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from .distributions import Z_95, critical
from .intervals import IntervalMethod, effective_size, t_interval, wilson
from .means import mean, standard_error
from .statistics import Estimate

BOUNDS: dict[str, tuple[float, float]] = {"ratio": (0.0, 1.0), "percent": (0.0, 100.0), "%": (0.0, 100.0)}
"""The least and the largest score of each unit that has them."""

_ROUNDED = 0.02
"""A standard error may be rounded: it is that of zeros and ones if it gives their number within 2%."""

_MIN_ERROR = 1e-9
"""A smaller standard error, as a share of the range, comes from rounding: the scores show no spread."""

_Z_99 = 2.3263478740408408
"""The 99% point of the standard normal distribution."""

Source = Literal["repeats", "samples"]


class Reported(msgspec.Struct, frozen=True):
    """What a run says of its score: the number of samples, and its standard error; None: it does not say."""

    score: float
    samples: int | None = None
    stderr: float | None = None


class Uncertainty(msgspec.Struct, frozen=True, kw_only=True):
    """The standard error of a mean of repetitions, and its 95% interval; None if nothing is known of the noise.

    `stderr` is never 0: scores that do not spread give an interval (of a proportion) or nothing. `source` is what it
    was taken from. `estimate` is the mean, ready for a test of differences.
    """

    stderr: float | None
    source: Source | None
    low: float | None
    high: float | None
    method: IntervalMethod | None
    estimate: Estimate


class Measured(Protocol):
    """What says how sure a score is: a whole `Run` has it, and so has a row of one or a run from elsewhere."""

    @property
    def score(self) -> float | None: ...  # noqa: D102
    @property
    def samples(self) -> int | None: ...  # noqa: D102
    @property
    def stderr(self) -> float | None: ...  # noqa: D102
    @property
    def unit(self) -> str | None: ...  # noqa: D102


def uncertainty(repeats: Sequence[Measured]) -> Uncertainty:
    """How sure the mean of runs with scores is, one run for each repetition."""
    reported = [Reported(run.score, run.samples, run.stderr) for run in repeats if run.score is not None]
    return uncertainty_of(reported, repeats[-1].unit)


def bounds_of(unit: str | None, scores: Sequence[float]) -> tuple[float, float] | None:
    """The least and the largest score of a unit; None if it has none, or if a score lies outside of them."""
    bounds = BOUNDS.get(unit or "")
    return bounds if bounds and bounds[0] <= min(scores) and max(scores) <= bounds[1] else None


def uncertainty_of(runs: Sequence[Reported], unit: str | None) -> Uncertainty:
    """The uncertainty of the mean of repetitions, each of the same questions; at least one.

    Within its run, each standard error holds both the choice of questions and the noise of the answers. Repetitions
    average out the noise, never the choice. So the variance of the mean is the mean of their variances, less
    (1 - 1/k) of the variance between them: (σ²between + σ²within / k) / n, which is the error clustered by question
    (Miller 2024, section 2.2; two-way analysis of variance). Identical repetitions add nothing and subtract nothing. If
    the repetitions scatter more than their answers explain, the runs themselves differ: then it is the variance between
    them over k, with k - 1 degrees of freedom.

    A score within the bounds of its unit, without a standard error, is taken for a proportion of its samples: no
    scores within these bounds can spread more. The interval is Wilson's with the effective size of the sample; of a
    score without bounds it is Student's.
    """
    scores = [run.score for run in runs]
    middle, count = (mean(scores) if len(scores) > 1 else scores[0]), len(runs)
    bounds = bounds_of(unit, scores)
    span = bounds[1] - bounds[0] if bounds else 0.0
    sizes = [run.samples for run in runs if run.samples is not None and run.samples > 0]
    size = min(sizes) if len(sizes) == count else None
    errors = [_error(run, bounds) for run in runs]
    error, source, freedom = _of_repeats(scores, errors) if count > 1 else _of_one(errors[0])
    if source == "samples" and size is not None:
        freedom = size - 1
    if bounds is None:
        if not error:
            return _nothing(middle)
        low, high, method = t_interval(middle, error, freedom)
        if not math.isfinite(low) or not math.isfinite(high):
            return _nothing(middle)
        return Uncertainty(
            stderr=error, source=source, low=low, high=high, method=method, estimate=Estimate(middle, error, freedom)
        )
    share = (middle - bounds[0]) / span
    if error <= _MIN_ERROR * span:
        if size is None or 0 < share < 1:
            return _nothing(middle)
        trials, z, error, source = float(size), Z_95, 0.0, "samples"
    else:
        trials, z = effective_size(share, error / span), critical(freedom)
        is_proportion = source == "samples" and all(map(_is_proportion, runs, errors, [bounds] * count))
        if is_proportion and size is not None:
            trials, z = (float(size) if count == 1 else min(trials, float(count * size))), Z_95
        elif source == "samples" and size is not None and trials < size:
            z = critical(max(1.0, trials - 1))
    low, high, method = wilson(min(1.0, max(0.0, share)), trials, z)
    is_tested_as_trials = z == Z_95 and size is not None
    return Uncertainty(
        stderr=error or None,
        source=source,
        low=bounds[0] + span * low,
        high=bounds[0] + span * high,
        method=method,
        estimate=Estimate(middle, error or None, freedom, trials, *bounds)
        if is_tested_as_trials
        else Estimate(middle, error, freedom),
    )


def _of_one(error: float | None) -> tuple[float, Source | None, float]:
    """The standard error of a single run, its source, and its degrees of freedom."""
    return (0.0, None, math.inf) if error is None else (error, "samples", math.inf)


def _of_repeats(scores: Sequence[float], errors: Sequence[float | None]) -> tuple[float, Source | None, float]:
    """The same of the mean of repetitions."""
    count, scatter = len(scores), standard_error(scores) or 0.0
    known = [error for error in errors if error is not None]
    if len(known) == count:
        # In units of the largest error: the square of a very large one would overflow.
        unit = max(*known, scatter, 1e-300)
        within = math.fsum((error / unit) ** 2 for error in known) / count
        between = count * (scatter / unit) ** 2
        if between <= within * explained(count):
            return unit * math.sqrt(max(within / count, within - (1 - 1 / count) * between)), "samples", math.inf
    return (scatter, "repeats", count - 1) if scatter else (0.0, None, math.inf)


def explained(count: int) -> float:
    """By how much the variance between repetitions may exceed that of their answers by chance, in 99 of 100 cases.

    χ²(0.99, k - 1) / (k - 1), by Wilson and Hilferty's approximation: E. Wilson, M. Hilferty, "The distribution of
    chi-square" (1931).
    """
    spread = 2 / (9 * (count - 1))
    return (1 - spread + _Z_99 * math.sqrt(spread)) ** 3


def _error(run: Reported, bounds: tuple[float, float] | None) -> float | None:
    """The standard error of a run: as reported, else that of a proportion; None if neither is known."""
    least = _MIN_ERROR * (bounds[1] - bounds[0]) if bounds else 0.0
    if run.stderr is not None and math.isfinite(run.stderr) and run.stderr > least:
        return run.stderr
    if bounds is None or run.samples is None or run.samples < 1:
        return None
    return _error_of_trials(run, bounds)


def _error_of_trials(run: Reported, bounds: tuple[float, float]) -> float:
    """sqrt(p(1-p)/(n-1)) in the unit of the score."""
    span = bounds[1] - bounds[0]
    share = (run.score - bounds[0]) / span
    return span * math.sqrt(max(0.0, share * (1 - share)) / max(1, (run.samples or 1) - 1))


def _is_proportion(run: Reported, error: float | None, bounds: tuple[float, float]) -> bool:
    """Whether a run's standard error is that of zeros and ones, with n or n - 1 in its formula."""
    if error is None or run.samples is None:
        return False
    expected = _error_of_trials(run, bounds)
    if not expected or not error:
        return expected == error
    return abs((expected / error) ** 2 - 1) <= _ROUNDED + 1.01 / max(1, run.samples - 1)


def _nothing(middle: float) -> Uncertainty:
    return Uncertainty(stderr=None, source=None, low=None, high=None, method=None, estimate=Estimate(middle, None))
