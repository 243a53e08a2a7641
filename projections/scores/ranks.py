"""Rank intervals: the ranks that a contender may have, as far as its score differs from those of the others.

Sources: M. Mogstad, J. Romano, A. Shaikh, D. Wilhelm, "Inference for Ranks with Applications to Mobility across
Neighbourhoods and Academic Achievement across Countries" (2024); R. Newcombe (1998) for differences of proportions.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from .distributions import CONFIDENCE, Z_95, normal_quantile

MAX_PAIRS_OF = 200
"""Up to this number of contenders, each is compared with each."""


class Placed(NamedTuple):
    """A score, turned so that more is better, and its 95% interval; None if nothing is known of its noise."""

    value: float
    low: float | None
    high: float | None


@functools.lru_cache(maxsize=1024)
def rank_factor(contenders: int) -> float:
    """By how much 95% intervals are widened so that all pairs of contenders together are judged with 95% confidence.

    z of 1 - 0.05/(2m) over z of 97.5%, for the m = n(n-1)/2 pairs (Bonferroni).
    """
    pairs = max(1, contenders * (contenders - 1) // 2)
    return normal_quantile(1 - (1 - CONFIDENCE) / (2 * pairs)) / Z_95


def rank_intervals(placed: Sequence[Placed]) -> list[tuple[int, int]]:
    """The first and the last rank that each may have, in the order given.

    The first is 1 + the number of those that are better by more than noise, the last is n - the number of those that
    are worse by more than noise. All intervals hold together with 95% confidence (Mogstad et al. 2024, section 3). Two
    scores differ by more than noise if their difference is larger than sqrt(a² + b²), where a and b are the arms of
    their intervals towards each other, times `rank_factor`. One whose noise is not known can have any rank. Of more
    than MAX_PAIRS_OF contenders it is a + b, which tells fewer apart: then all bounds are sorted once, and pairs are
    not compared.
    """
    n, factor = len(placed), rank_factor(len(placed))
    if n > MAX_PAIRS_OF:
        return _of_many(placed, factor)
    known = [(one.value, one.low, one.high) for one in placed if one.low is not None and one.high is not None]
    # In units of the largest bound: the square of a very large score would overflow.
    unit = max((abs(bound) for one in known for bound in one), default=1.0) or 1.0
    scale = factor / unit
    best_first = sorted(((value / unit, (scale * (value - low)) ** 2) for value, low, _ in known), reverse=True)
    worst_first = sorted(((-value / unit, (scale * (high - value)) ** 2) for value, _, high in known), reverse=True)
    places: list[tuple[int, int]] = []
    for value, low, high in placed:
        if low is None or high is None:
            places.append((1, n))
            continue
        better = _clearly_above(value / unit, (scale * (high - value)) ** 2, best_first)
        worse = _clearly_above(-value / unit, (scale * (value - low)) ** 2, worst_first)
        places.append((1 + better, n - worse))
    return places


def _clearly_above(value: float, arm: float, others: Sequence[tuple[float, float]]) -> int:
    """The number of values that are larger by more than noise. All arms are squared; the largest value comes first."""
    number = 0
    for other, its_arm in others:
        if other <= value:
            break
        number += (other - value) ** 2 > arm + its_arm
    return number


def _of_many(placed: Sequence[Placed], factor: float) -> list[tuple[int, int]]:
    known = [(one.value, one.low, one.high) for one in placed if one.low is not None and one.high is not None]
    lows = sorted(value - factor * (value - low) for value, low, _ in known)
    highs = sorted(value + factor * (high - value) for value, _, high in known)
    places: list[tuple[int, int]] = []
    for value, low, high in placed:
        if low is None or high is None:
            places.append((1, len(placed)))
            continue
        better = len(lows) - bisect_right(lows, value + factor * (high - value))
        worse = bisect_left(highs, value - factor * (value - low))
        places.append((1 + better, len(placed) - worse))
    return places
