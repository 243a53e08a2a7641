"""When a score moved: steps in a history of scores, and whether the last runs are worse than its own noise explains.

The values are those of one cell (a task, agent and model) in the order of their times.

Sources: K. Haynes, I. Eckley, P. Fearnhead, "Computationally efficient changepoint detection for a range of penalties"
(2017), for the optimal partition; airspeed velocity (asv) fits piecewise-constant functions to benchmark histories in
the same way. E. Page, "Continuous inspection schemes" (1954), for looking at the last runs again and again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import msgspec

from .distributions import student_p

MIN_HISTORY = 12
"""The number of runs from which on a cell's own noise is known."""

WINDOWS = {1: 0.3, 3: 1.0, 7: 1.0}
"""The numbers of last runs that are judged together, each with its share of the false alarms.

One run, for what is broken; three and seven, for smaller drops that stay. A single run has the smallest share, because
it tells least.
"""

MIN_SEGMENT = 3
"""The number of runs that a level has to last."""

ALARM_P = 0.0014
"""A shift is reported below this p-value: of histories of 30 runs of noise, 3.4% ever raise an alarm (simulated).

Each new run asks again, so the chance of a false alarm of a single run is about 0.2%.
"""

_PENALTY = 4.0
"""What a step has to explain, in units of the variance, for each ln(n): about 1% of histories of 30 runs have one."""

_TRIMMED = 0.9
_TRIMMED_MEAN = 0.6230
"""The mean of the lower 90% of a chi-square variable with one degree of freedom."""


class Step(msgspec.Struct, frozen=True):
    """A level of a history that begins at the index `at`, after one of another `before`."""

    at: int
    before: float
    after: float

    @property
    def delta(self) -> float:
        """By how much the score moved."""
        return self.after - self.before


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """How the last runs of a history stand against its level before them.

    `level` and `spread` are the mean and the standard deviation of the `runs` before the window, `mean` that of the
    `window` last runs. `p_value` is the one-sided probability of such a drop by the cell's own noise, divided by the
    window's share; it is a shift
    (`is_shift`) below ALARM_P. All that is in the unit of the score.
    """

    level: float
    spread: float
    runs: int
    mean: float
    window: int
    p_value: float
    is_shift: bool


def last_shift(values: Sequence[float], *, upward: bool = True, resolution: float = 0.0) -> Shift | None:
    """The clearest drop at the end of a history: of its last runs, as many as each of WINDOWS names.

    Each window is tested against all runs of the level before it with Student's t and the variance within both; that is
    never below `resolution`, which is half of one sample. None if fewer than MIN_HISTORY runs come before the last.
    """
    if len(values) <= MIN_HISTORY:
        return None
    turned = [value if upward else -value for value in values]
    # A level that has begun lately has too few runs of its own: older ones are taken in.
    begin = min(_level_before(turned, resolution), len(turned) - 1 - MIN_HISTORY)
    history = turned[begin:]
    found: list[tuple[float, int, float, float, float]] = []
    for window, share in WINDOWS.items():
        if len(history) - window < MIN_HISTORY:
            continue
        before, last = history[:-window], history[-window:]
        level, mean = math.fsum(before) / len(before), math.fsum(last) / window
        squares = math.fsum((v - level) ** 2 for v in before) + math.fsum((v - mean) ** 2 for v in last)
        freedom = len(history) - 2
        spread = max(math.sqrt(squares / freedom), resolution)
        p_value = min(1.0, _drop_p(level, mean, spread, len(before), window, freedom) / share)
        found.append((p_value, window, level, mean, spread))
    p_value, window, level, mean, spread = min(found)
    turn = 1 if upward else -1
    return Shift(
        level=turn * level,
        spread=spread,
        runs=len(history) - window,
        mean=turn * mean,
        window=window,
        p_value=p_value,
        is_shift=p_value < ALARM_P,
    )


def _drop_p(level: float, mean: float, spread: float, runs: int, window: int, freedom: int) -> float:
    if mean >= level:
        return 1.0
    if not spread:
        return 0.0
    return student_p((level - mean) / (spread * math.sqrt(1 / runs + 1 / window)), freedom) / 2


def _level_before(values: Sequence[float], resolution: float) -> int:
    """Where the last level begins, by the steps before the longest of WINDOWS."""
    found = steps(values[: -max(WINDOWS)], resolution=resolution)
    return found[-1].at if found else 0


def steps(values: Sequence[float], *, resolution: float = 0.0) -> list[Step]:
    """The steps of a history: the piecewise-constant fit with the least squares plus a penalty for each step.

    The optimal partition by dynamic programming; each level lasts at least MIN_SEGMENT runs, so one unlucky run is
    never a step. The noise comes from the differences of neighbours, of which the largest tenth, where the steps are,
    is left out; it is never below `resolution`. A single outlier is smoothed away first.
    """
    n = len(values)
    if n < 2 * MIN_SEGMENT:
        return []
    variance = max(_variance_of_neighbours(values), resolution**2)
    if not variance:
        variance = 1e-24 * max(1.0, *(value * value for value in values))
    penalty = _PENALTY * math.log(n) * variance
    bounds = _partition(_without_outliers(values), penalty)
    levels = [math.fsum(values[a:b]) / (b - a) for a, b in itertools.pairwise(bounds)]
    return [Step(at, levels[place], levels[place + 1]) for place, at in enumerate(bounds[1:-1])]


def _without_outliers(values: Sequence[float]) -> list[float]:
    """Each value as the median of itself and its neighbours: it takes out single outliers and keeps steps in place.

    J. Tukey, "Exploratory Data Analysis" (1977), section 7.
    """
    inner = [sorted(values[place - 1 : place + 2])[1] for place in range(1, len(values) - 1)]
    return [sorted(values[:3])[1], *inner, sorted(values[-3:])[1]]


def _variance_of_neighbours(values: Sequence[float]) -> float:
    squares = sorted((b - a) ** 2 / 2 for a, b in itertools.pairwise(values))
    kept = squares[: max(1, math.floor(_TRIMMED * len(squares)))]
    return math.fsum(kept) / len(kept) / _TRIMMED_MEAN


def _partition(values: Sequence[float], penalty: float) -> list[int]:
    """The ends of the segments of the cheapest partition, from 0 to the number of values."""
    n = len(values)
    middle = math.fsum(values) / n
    sums, squares = [0.0], [0.0]
    for value in values:
        sums.append(sums[-1] + value - middle)
        squares.append(squares[-1] + (value - middle) ** 2)
    best = [-penalty] + [math.inf] * n
    last = [0] * (n + 1)
    for end in range(MIN_SEGMENT, n + 1):
        for begin in range(end - MIN_SEGMENT + 1):
            if best[begin] == math.inf:
                continue
            total = sums[end] - sums[begin]
            cost = best[begin] + squares[end] - squares[begin] - total * total / (end - begin) + penalty
            if cost < best[end]:
                best[end], last[end] = cost, begin
    bounds = [n]
    while bounds[-1]:
        bounds.append(last[bounds[-1]])
    return bounds[::-1]
