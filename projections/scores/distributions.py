"""The normal distribution and Student's t: their p-values and their quantiles, without a library.

Sources: M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions" (1964), section 26.7; the normal quantile is
that of Python's `statistics.NormalDist` (M. Wichura, "Algorithm AS 241", 1988).
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

CONFIDENCE = 0.95
"""The level of every interval."""

Z_95 = 1.959963984540054
"""The 97.5% point of the standard normal distribution: 95% of it lie within this number of standard errors."""

MAX_FREEDOM = 1000
"""Beyond this number of degrees of freedom, Student's t is taken as normal: the two agree to three digits."""

MANY_FREEDOM = 30
"""From this number of degrees of freedom on, the quantile of Student's t comes from an expansion."""

_NORMAL = NormalDist()


def normal_p(z: float) -> float:
    """The two-sided p-value of a standard normal z: erfc(|z| / sqrt(2))."""
    return math.erfc(abs(z) / math.sqrt(2))


def normal_quantile(probability: float) -> float:
    """The z below which a standard normal variable lies with this probability (between 0 and 1, exclusive)."""
    return _NORMAL.inv_cdf(probability)


def student_p(t: float, freedom: float) -> float:
    """The two-sided p-value of Student's t; the degrees of freedom are rounded down to a whole number, at least 1.

    Abramowitz and Stegun 1964, 26.7.3 and 26.7.4; beyond MAX_FREEDOM the normal distribution.
    """
    if freedom > MAX_FREEDOM:
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


def student_quantile(probability: float, freedom: float) -> float:
    """The t below which Student's t lies with this probability, from 0.5 on; degrees of freedom as in `student_p`.

    By bisection of `student_p`; from MANY_FREEDOM on by the expansion of Abramowitz and Stegun 1964, 26.7.5.
    """
    if freedom > MAX_FREEDOM:
        return normal_quantile(probability)
    return _student_quantile(probability, max(1, int(freedom + 1e-9)))


def _expanded(z: float, nu: int) -> float:
    return (
        z
        + (z**3 + z) / (4 * nu)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * nu**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * nu**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * nu**4)
    )


@functools.lru_cache(maxsize=4096)
def _student_quantile(probability: float, freedom: int) -> float:
    if freedom >= MANY_FREEDOM:
        return _expanded(normal_quantile(probability), freedom)
    tail = 2 * (1 - probability)
    low, high = 0.0, 2.0
    while student_p(high, freedom) > tail:
        low, high = high, 2 * high
    while high - low > 1e-12 * max(1.0, high):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if student_p(middle, freedom) > tail else (low, middle)
    return (low + high) / 2


def critical(freedom: float, confidence: float = CONFIDENCE) -> float:
    """How many standard errors a two-sided interval of that confidence reaches to each side."""
    return student_quantile((1 + confidence) / 2, freedom)
