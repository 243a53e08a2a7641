"""How sure a score or a difference of scores is: standard errors, paired tests, and correction for many of them.

Pure functions of numbers. A p-value is the probability of a difference at least as large, in either direction, if
there were none. Scores are in the unit of their benchmark.

Sources: E. Miller, "Adding Error Bars to Evals" (2024, arXiv:2411.00640); Q. McNemar, "Note on the sampling error of
the difference between correlated proportions" (1947); B. Efron, R. Tibshirani, "An Introduction to the Bootstrap"
(1993); A. Davison, D. Hinkley, "Bootstrap Methods and their Application" (1997); S. Holm, "A simple sequentially
rejective multiple test procedure" (1979).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Literal

import msgspec

Z_95 = 1.959963984540054
"""The 97.5% point of the standard normal distribution: 95% of it lie within so many standard errors."""

BOOTSTRAP_SEED = 20241101
RESAMPLES = 2_000
BOOTSTRAP_UP_TO = 1_000
"""Pairs of scores that are still bootstrapped."""


Method = Literal["mcnemar", "bootstrap", "paired z-test", "t-test"]


class Estimate(msgspec.Struct, frozen=True):
    """A mean with its standard error and the degrees of freedom that stand behind that: infinite where not known."""

    mean: float
    stderr: float | None
    freedom: float = math.inf


class Difference(msgspec.Struct, frozen=True):
    """A mean difference with its standard error, and the p-value of its being noise by a method; None: not known."""

    mean: float
    stderr: float | None
    p_value: float | None = None
    method: Method | None = None


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value, the same in whatever order; of equal values exactly that value."""
    if min(values) == max(values):
        return values[0]  # A third of three times 0.1 is not quite 0.1: what agrees must have no error.
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return math.fsum(value / len(values) for value in values)


def standard_error(values: Sequence[float]) -> float | None:
    """The standard error of the mean: s / sqrt(n), s² = Σ(x - mean)² / (n - 1); None below two values.

    Miller 2024, section 2.1.
    """
    if len(values) < 2:
        return None
    middle = mean(values)
    # The square of a very large number is none; a hypotenuse knows how to do without.
    return math.hypot(*(value - middle for value in values)) / math.sqrt(len(values) * (len(values) - 1))


def unpaired(first: Estimate, second: Estimate) -> Difference:
    """`second - first` of two independent means, with sqrt(SE₁² + SE₂²) (Miller 2024, section 4.1) and Welch's t-test.

    The degrees of freedom are Welch and Satterthwaite's, (SE₁² + SE₂²)² / (SE₁⁴/ν₁ + SE₂⁴/ν₂), rounded down; with many
    of them it is the z-test. There is no test where a standard error is unknown, or where both are 0: scores that all
    agree give no measure of the noise.
    """
    delta = second.mean - first.mean
    if first.stderr is None or second.stderr is None:
        return Difference(delta, None)
    stderr = math.hypot(first.stderr, second.stderr)
    if stderr == 0:
        return Difference(delta, stderr)
    inverse = (first.stderr / stderr) ** 4 / first.freedom + (second.stderr / stderr) ** 4 / second.freedom
    freedom = 1 / inverse if inverse else math.inf
    return Difference(delta, stderr, student_p(delta / stderr, freedom), "t-test")


def paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """`second - first` of two systems on the same questions, in the same order: far less noise than unpaired.

    The standard error is that of the differences (Miller 2024, section 4.2). The p-value is McNemar's exact one where
    every score is 0 or 1, else that of the bootstrap; of more than BOOTSTRAP_UP_TO pairs, where that takes long and the
    central limit theorem holds all the better, that of the z-test.

    Raises ValueError for lists of different lengths, or empty ones.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} and {len(second)} scores are no pairs")
    differences = [b - a for a, b in zip(first, second, strict=True)]
    stderr = standard_error(differences)
    middle = mean(differences)
    if is_binary(first) and is_binary(second):
        return Difference(middle, stderr, mcnemar_exact(differences.count(1), differences.count(-1)), "mcnemar")
    if len(differences) > BOOTSTRAP_UP_TO and stderr:
        return Difference(middle, stderr, normal_p(middle / stderr), "paired z-test")
    return Difference(middle, stderr, bootstrap_p(differences), "bootstrap")


def is_binary(scores: Sequence[float]) -> bool:
    """Whether every score is 0 or 1."""
    return all(score in (0, 1) for score in scores)


def normal_p(z: float) -> float:
    """The two-sided p-value of a standard normal z: erfc(|z| / sqrt(2))."""
    return math.erfc(abs(z) / math.sqrt(2))


def student_p(t: float, freedom: float) -> float:
    """The two-sided p-value of Student's t with so many degrees of freedom, rounded down to a whole number, at least 1.

    M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions" (1964), 26.7.3 and 26.7.4; beyond 1000, where the two
    agree to three digits, the normal distribution.
    """
    if freedom > 1000:
        return normal_p(t)
    # Degrees that come out of a division may miss a whole number by their last bit.
    nu = max(1, int(freedom + 1e-9))
    angle = math.atan(abs(t) / math.sqrt(nu))
    sine, cosine = math.sin(angle), math.cos(angle)
    total = term = cosine if nu % 2 else 1.0
    for k in range(3 if nu % 2 else 2, nu, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    if nu == 1:
        return 1 - 2 * angle / math.pi
    inside = 2 / math.pi * (angle + sine * total) if nu % 2 else sine * total
    return max(0.0, 1 - inside)


def mcnemar_exact(gained: int, lost: int) -> float:
    """McNemar's exact two-sided p-value: of the `gained + lost` questions that changed, half would go either way.

    min(1, 2 · P(X ≤ min(gained, lost))) with X binomial(gained + lost, 1/2); 1 where nothing changed.
    """
    changed = gained + lost
    tail = sum(math.comb(changed, k) for k in range(min(gained, lost) + 1))
    # Whole numbers up to the end: 2 ** -changed is 0 in floating point from about a thousand on.
    return min(1.0, 2 * tail / 2**changed) if changed else 1.0


def bootstrap_p(differences: Sequence[float], *, resamples: int = RESAMPLES, seed: int = BOOTSTRAP_SEED) -> float:
    """The two-sided bootstrap p-value of a mean difference being 0.

    Resamples the differences, shifted to mean 0, and counts the means at least as far from 0 as the observed one
    (Efron and Tibshirani 1993, section 16.4), as (count + 1) / (resamples + 1) (Davison and Hinkley 1997, section
    4.2): never 0. Where no resample is, that is all the resamples can tell, which after correction for a hundred
    benchmarks would be nothing: there it is the p-value of the paired t-test, if that is smaller. Nor is it below
    2 ** (1 - n), the chance that n differences have one sign: a handful of them, of which the bootstrap thinks too
    well, proves no more. The seed is fixed: the same scores give the same p-value.
    """
    n = len(differences)
    middle = mean(differences)
    shifted = [value - middle for value in differences]
    # Sums that differ in their last bits only are equal: else all-equal differences would be decided by rounding.
    bar = abs(middle) * n * (1 - 1e-9)
    draw = random.Random(seed).choices  # noqa: S311 - resampling, no secret
    extreme = sum(abs(math.fsum(draw(shifted, k=n))) >= bar for _ in range(resamples))
    p_value = (extreme + 1) / (resamples + 1)
    if not extreme:
        stderr = standard_error(differences)
        p_value = min(p_value, student_p(middle / stderr, n - 1) if stderr else 0.0)
    return max(p_value, 2.0 ** (1 - n))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being so many, in the order given (Holm 1979).

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
