"""How sure a difference of two scores is: paired and unpaired tests, and the correction for many of them.

Pure functions of numbers. A p-value is the probability of a difference at least as large, in either direction, if
there were none. Scores are in the unit of their benchmark.

Sources: E. Miller, "Adding Error Bars to Evals" (2024, arXiv:2411.00640); Q. McNemar, "Note on the sampling error of
the difference between correlated proportions" (1947); R. Newcombe, "Interval estimation for the difference between
independent proportions" (1998); B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993); A. Davison,
D. Hinkley, "Bootstrap Methods and their Application" (1997); S. Holm, "A simple sequentially rejective multiple test
procedure" (1979).
"""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from .distributions import Z_95, critical, normal_p, student_p
from .intervals import BOOTSTRAP_SEED, RESAMPLES, clustered_error, expanded_percentiles, paired_proportions, wilson
from .means import is_binary, mean, standard_error

BOOTSTRAP_UP_TO = 1_000
"""Pairs of scores that are still bootstrapped."""

_KEPT = 512
"""Results of the bootstrap that are kept in memory."""

_MAX_Z = 40.0
"""Beyond this number of standard errors a p-value is 0 in floating point."""

Method = Literal["mcnemar", "bootstrap", "paired z-test", "clustered t-test", "newcombe", "t-test"]


class Estimate(msgspec.Struct, frozen=True):
    """A mean with its standard error and the degrees of freedom of that: infinite if they are not known.

    `trials` is the number of independent trials if the mean is a proportion of them, from `least` to `most`; then the
    standard error may be missing, because a proportion of 0 or 1 shows no spread.
    """

    mean: float
    stderr: float | None
    freedom: float = math.inf
    trials: float | None = None
    least: float = 0.0
    most: float = 1.0

    def bounds(self, z: float) -> tuple[float, float] | None:
        """The interval that reaches `z` standard errors to each side; None if nothing is known of the noise."""
        if self.trials is not None:
            span = self.most - self.least
            low, high, _ = wilson((self.mean - self.least) / span, self.trials, z)
            return self.least + span * low, self.least + span * high
        return (self.mean - z * self.stderr, self.mean + z * self.stderr) if self.stderr else None


class Difference(msgspec.Struct, frozen=True):
    """A mean difference with its standard error, 95% interval, and the p-value of being noise; None: not known.

    `freedom` are the degrees of freedom of the standard error.
    """

    mean: float
    stderr: float | None
    p_value: float | None = None
    method: Method | None = None
    low: float | None = None
    high: float | None = None
    freedom: float = math.inf


def unpaired(first: Estimate, second: Estimate) -> Difference:
    """`second - first` of two independent means.

    Of means: sqrt(SE₁² + SE₂²) (Miller 2024, section 4.1) and Welch's t-test, with Welch and Satterthwaite's degrees of
    freedom, (SE₁² + SE₂²)² / (SE₁⁴/ν₁ + SE₂⁴/ν₂), rounded down. If one of the two is a proportion: Newcombe's interval
    of the difference, and the p-value at which that interval begins to hold 0; so a proportion of 0 has noise, too.
    Without a known noise of both, the result has no test.
    """
    delta = second.mean - first.mean
    if first.trials is not None or second.trials is not None:
        return _newcombe(first, second)
    if first.stderr is None or second.stderr is None:
        return Difference(delta, None)
    error = math.hypot(first.stderr, second.stderr)
    if error == 0:
        return Difference(delta, None)
    inverse = (first.stderr / error) ** 4 / first.freedom + (second.stderr / error) ** 4 / second.freedom
    freedom = 1 / inverse if inverse else math.inf
    reach = critical(freedom) * error
    p_value = student_p(delta / error, freedom)
    return Difference(delta, error, p_value, "t-test", delta - reach, delta + reach, freedom)


def _newcombe(first: Estimate, second: Estimate) -> Difference:
    """Newcombe 1998, method 10: d - sqrt((m₂ - l₂)² + (u₁ - m₁)²), d + sqrt((u₂ - m₂)² + (m₁ - l₁)²)."""
    delta = second.mean - first.mean

    def reach(z: float) -> tuple[float, float] | None:
        ours, theirs = first.bounds(z), second.bounds(z)
        if ours is None or theirs is None:
            return None
        down = math.hypot(second.mean - theirs[0], ours[1] - first.mean)
        return down, math.hypot(theirs[1] - second.mean, first.mean - ours[0])

    if (usual := reach(Z_95)) is None:
        return Difference(delta, None)
    towards_zero = 0 if delta > 0 else 1
    low, high = 0.0, _MAX_Z
    for _ in range(60):
        z = (low + high) / 2
        arms = reach(z)
        if arms is not None and arms[towards_zero] < abs(delta):
            low = z
        else:
            high = z
    p_value = normal_p((low + high) / 2) if delta else 1.0
    return Difference(delta, sum(usual) / 2 / Z_95, p_value, "newcombe", delta - usual[0], delta + usual[1])


def paired(first: Sequence[float], second: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Difference:
    """`second - first` of two systems on the same questions, in the same order: far less noise than unpaired.

    The standard error is that of the differences (Miller 2024, section 4.2). The p-value is McNemar's exact one if
    every score is 0 or 1, with the interval of Bonett and Price, else that of the bootstrap; of more than
    BOOTSTRAP_UP_TO pairs, where that takes long and the central limit theorem holds, that of the z-test. If questions
    belong to clusters that are fewer than they, it is the t-test with the clustered standard error.

    Raises ValueError for lists of different lengths, or empty ones.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} and {len(second)} scores are not pairs")
    differences = [b - a for a, b in zip(first, second, strict=True)]
    if clusters is not None and len(set(clusters)) < len(differences):
        return _clustered(differences, clusters)
    n, middle, error = len(differences), mean(differences), standard_error(differences)
    if is_binary(first) and is_binary(second):
        gained, lost = differences.count(1), differences.count(-1)
        low, high = paired_proportions(gained, lost, n)
        return Difference(middle, error, mcnemar_exact(gained, lost), "mcnemar", low, high, n - 1)
    if not error:
        return Difference(middle, error, bootstrap_p(differences), "bootstrap", freedom=n - 1)
    if n > BOOTSTRAP_UP_TO:
        reach = Z_95 * error
        return Difference(
            middle, error, normal_p(middle / error), "paired z-test", middle - reach, middle + reach, n - 1
        )
    return _bootstrapped(tuple(differences))


@lru_cache(_KEPT)
def _bootstrapped(differences: tuple[float, ...]) -> Difference:
    """The bootstrap takes 30 ms of processor time, and several pages ask for the same difference."""
    n, middle, error = len(differences), mean(differences), standard_error(differences)
    drawn = _shifted_means(differences, RESAMPLES, BOOTSTRAP_SEED)
    low, high = expanded_percentiles(sorted(drawn), n)
    p_value = _p_of(drawn, differences)
    return Difference(middle, error, p_value, "bootstrap", middle + low, middle + high, n - 1)


def _clustered(differences: Sequence[float], clusters: Sequence[Hashable]) -> Difference:
    """The t-test with G - 1 degrees of freedom; never a p-value below 2 ** (1 - G), the chance of one sign in all."""
    count, middle, error = len(set(clusters)), mean(differences), clustered_error(differences, clusters)
    least = 2.0 ** (1 - count)
    if not error:
        return Difference(middle, error, least if middle else 1.0, "clustered t-test", freedom=count - 1)
    reach = critical(count - 1) * error
    p_value = max(least, student_p(middle / error, count - 1))
    return Difference(middle, error, p_value, "clustered t-test", middle - reach, middle + reach, count - 1)


def mcnemar_exact(gained: int, lost: int) -> float:
    """McNemar's exact two-sided p-value: of the `gained + lost` questions that changed, half would go either way.

    min(1, 2 · P(X ≤ min(gained, lost))) with X binomial(gained + lost, 1/2); 1 if nothing changed.
    """
    changed = gained + lost
    tail = sum(math.comb(changed, k) for k in range(min(gained, lost) + 1))
    # Whole numbers up to the end: 2 ** -changed is 0 in floating point from about a thousand on.
    return min(1.0, 2 * tail / 2**changed) if changed else 1.0


def bootstrap_p(differences: Sequence[float], *, resamples: int = RESAMPLES, seed: int = BOOTSTRAP_SEED) -> float:
    """The two-sided bootstrap p-value of a mean difference being 0.

    Resamples the differences, shifted to mean 0, and counts the means at least as far from 0 as the observed one
    (Efron and Tibshirani 1993, section 16.4), as (count + 1) / (resamples + 1) (Davison and Hinkley 1997, section
    4.2): never 0. If no resample is, the resamples cannot tell more, which after correction for a hundred benchmarks
    would be nothing: then it is the p-value of the paired t-test, if that is smaller. It is never below
    2 ** (1 - n), the chance that n differences have one sign: the bootstrap overrates a handful of them. The seed is
    fixed: the same scores give the same p-value.
    """
    return _p_of(_shifted_means(differences, resamples, seed), differences)


def _shifted_means(differences: Sequence[float], resamples: int, seed: int) -> list[float]:
    """The means of resamples of the differences, shifted to mean 0."""
    n, middle = len(differences), mean(differences)
    shifted = [value - middle for value in differences]
    draw = random.Random(seed).choices  # noqa: S311 - resampling, no secret
    return [math.fsum(draw(shifted, k=n)) / n for _ in range(resamples)]


def _p_of(drawn: Sequence[float], differences: Sequence[float]) -> float:
    n, middle = len(differences), mean(differences)
    # Means that differ in their last bits only are equal: else all-equal differences would be decided by rounding.
    bar = abs(middle) * (1 - 1e-9)
    extreme = sum(abs(value) >= bar for value in drawn)
    p_value = (extreme + 1) / (len(drawn) + 1)
    if not extreme:
        error = standard_error(differences)
        p_value = min(p_value, student_p(middle / error, n - 1) if error else 0.0)
    return max(p_value, 2.0 ** (1 - n))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, in the order given (Holm 1979).

    The i-th smallest of m is multiplied by m - i + 1, and none is smaller than one before it. Rejecting those below
    0.05 keeps the chance of any false alarm among all of them below 5%.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = largest
    return adjusted
