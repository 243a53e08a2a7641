"""What a comparison can see: equivalence, the smallest difference that it could have found, and how much to measure.

Sources: D. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for assessing the
equivalence of average bioavailability" (1987); E. Miller, "Adding Error Bars to Evals" (2024), section 5; J. Cohen,
"Statistical Power Analysis for the Behavioral Sciences" (1988).
"""

from __future__ import annotations

import math

import msgspec

from .distributions import normal_quantile, student_p

LEVEL = 0.05
"""The chance of a false alarm."""

POWER = 0.8
"""The chance to find a difference that is there."""

MAX_NUMBER = 10**12
"""No more questions or repetitions are named than this."""


def tost(difference: float, error: float, freedom: float, margin: float) -> float:
    """The p-value of the two one-sided tests: the probability of such a difference if the true one were ± `margin`.

    Below 0.05, the two are equivalent: they differ by less than the margin. max of P(t ≥ (d + margin)/SE) and
    P(t ≤ (d - margin)/SE); Schuirmann 1987. Raises ValueError for a margin that is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"the margin must be above 0, not {margin}")
    if not error:
        return 0.0 if abs(difference) < margin else 1.0
    t = (margin - abs(difference)) / error
    half = student_p(t, freedom) / 2
    return half if t > 0 else 1 - half


def smallest_detectable(error: float, *, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest true difference that a comparison with this standard error finds with the given power.

    (z for 1 - level/2 + z for power) · SE; Miller 2024, section 5.
    """
    return _factor(level, power) * error


def _factor(level: float, power: float) -> float:
    return normal_quantile(1 - level / 2) + normal_quantile(power)


class Variance(msgspec.Struct, frozen=True, kw_only=True):
    """The variance of a score of one question: between questions, and between repetitions of one question.

    The standard error of n questions with k repetitions each is sqrt((between + within / k) / n).
    """

    between: float
    within: float

    def error(self, questions: float, repeats: int = 1) -> float:
        """The standard error of a mean."""
        return math.sqrt((self.between + self.within / repeats) / questions)


def questions_needed(
    effect: float, variance: Variance, repeats: int = 1, *, level: float = LEVEL, power: float = POWER
) -> int:
    """The number of questions with which a difference of `effect` is found; `variance` is that of the difference.

    n = (z_{1-level/2} + z_power)² · (ω² + σ²/K) / effect²; Miller 2024, section 5. Raises ValueError for an effect
    that is not above 0.
    """
    if not effect > 0:
        raise ValueError(f"the effect must be above 0, not {effect}")
    deviation = math.sqrt(variance.between + variance.within / repeats)
    # Divided first: the square of a very small effect would be 0.
    number = min(float(MAX_NUMBER), deviation / effect * _factor(level, power))
    return max(2, math.ceil(min(float(MAX_NUMBER), number * number)))


def repeats_needed(
    effect: float, variance: Variance, questions: int, *, level: float = LEVEL, power: float = POWER
) -> int | None:
    """The number of repetitions of these questions that find the effect; None if no number of repetitions does.

    Repetitions average out the noise within a question, never the choice of questions.
    """
    if not effect > 0:
        raise ValueError(f"the effect must be above 0, not {effect}")
    left = questions * (effect / _factor(level, power)) ** 2 - variance.between
    if left <= 0:
        return 1 if left == 0 and not variance.within else None
    return max(1, math.ceil(min(float(MAX_NUMBER), variance.within / left)))
