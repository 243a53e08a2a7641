"""The mean of scores, and its standard error from their spread."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from fractions import Fraction

_SCALE = 1074
"""The exponent of the smallest float."""


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value, the same in every order; of equal values exactly that value."""
    if min(values) == max(values):
        return values[0]  # A third of three times 0.1 is not quite 0.1: what agrees must have no error.
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return math.fsum(value / len(values) for value in values)


def standard_error(values: Sequence[float]) -> float | None:
    """The standard error of the mean of independent values: s / sqrt(n), s² = Σ(x - mean)² / (n - 1); None below two.

    E. Miller, "Adding Error Bars to Evals" (2024), section 2.1.
    """
    if len(values) < 2:
        return None
    middle = mean(values)
    # Squaring would overflow with very large numbers; `math.hypot` scales internally.
    return math.hypot(*(value - middle for value in values)) / math.sqrt(len(values) * (len(values) - 1))


def is_binary(scores: Sequence[float]) -> bool:
    """Whether every score is 0 or 1."""
    return all(score in (0, 1) for score in scores)


def exact(score: float) -> int:
    """A finite number as a whole number of 2**-1074: sums of these do not depend on the order."""
    numerator, denominator = score.as_integer_ratio()
    return numerator << (_SCALE + 1 - denominator.bit_length())


def mean_of(total: int, number: int) -> float:
    """The mean of numbers by their exact sum, rounded once; at most the largest float."""
    try:
        return float(Fraction(total, number << _SCALE))
    except OverflowError:
        return math.copysign(sys.float_info.max, total)
