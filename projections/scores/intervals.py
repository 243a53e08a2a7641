"""Confidence intervals, each by the kind of the score: proportions, means, and what is neither.

Every interval is two-sided with 95% confidence if no other level is given: of many such intervals, 95% hold the true
value. Scores are in the unit of their benchmark.

Sources: E. Wilson, "Probable inference, the law of succession, and statistical inference" (1927); L. Brown, T. Cai,
A. DasGupta, "Interval Estimation for a Binomial Proportion" (2001); C. Franco et al., "Comparative Study of Confidence
Intervals for Proportions in Complex Sample Surveys" (2019); R. Newcombe, "Interval estimation for the difference
between independent proportions: comparison of eleven methods" (1998); D. Bonett, R. Price, "Adjusted Wald Confidence
Interval for a Difference of Binomial Proportions Based on Paired Data" (2012); T. Hesterberg, "What Teachers Should
Know About the Bootstrap" (2015); C. Cameron, D. Miller, "A Practitioner's Guide to Cluster-Robust Inference" (2015);
E. Miller, "Adding Error Bars to Evals" (2024, arXiv:2411.00640).
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Literal, NamedTuple

from .distributions import CONFIDENCE, Z_95, critical, normal_quantile
from .means import is_binary, mean

BOOTSTRAP_SEED = 20241101
RESAMPLES = 2_000

IntervalMethod = Literal["wilson", "t", "bootstrap"]


class Interval(NamedTuple):
    """The bounds of a confidence interval, and the method that made it."""

    low: float
    high: float
    method: IntervalMethod


def wilson(share: float, n: float, z: float = Z_95) -> Interval:
    """The score interval of a proportion of `n` independent trials; it lies within 0 and 1 and never has width 0.

    (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n); Wilson 1927. `n` may be the effective size of a sample, which
    need not be a whole number. Raises ValueError for a share outside of 0 to 1, or `n` not above 0.
    """
    if not 0 <= share <= 1 or not n > 0:
        raise ValueError(f"not a proportion of trials: {share} of {n}")
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    reach = z / scale * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    # At a share of 0 or 1 the bound is exactly that; rounding must not move it.
    return Interval(min(share, max(0.0, middle - reach)), max(share, min(1.0, middle + reach)), "wilson")


def effective_size(share: float, error: float) -> float:
    """The number of independent trials that would give a proportion this standard error: p(1-p)/SE² + 1.

    The inverse of SE² = p(1-p)/(n-1), the standard error of n scores of 0 or 1. Franco et al. 2019, section 2.
    """
    # Divided first: the square of a very large error would overflow.
    return (math.sqrt(share * (1 - share)) / error) ** 2 + 1


def t_interval(middle: float, error: float, freedom: float = math.inf) -> Interval:
    """The interval of a mean: ± t · SE, by Student's t with that number of degrees of freedom."""
    reach = critical(freedom) * error
    return Interval(middle - reach, middle + reach, "t")


def clustered_error(values: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """The standard error of the mean of values that are alike within a cluster; None below two clusters.

    sqrt(G/(G-1) · Σ_g (Σ_{i in g} (x_i - mean))²) / n; Miller 2024, section 2.2, with the correction for the number
    of clusters G (Cameron and Miller 2015, section II.B). With one value in each cluster it is s / sqrt(n); with
    clusters of equal size it is the standard error of the clusters' means. So a question that is asked again, with the
    same answer, changes nothing.
    """
    middle = mean(values)
    sums: dict[Hashable, float] = defaultdict(float)
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] += value - middle
    return error_of_clusters(list(sums.values()), len(values))


def error_of_clusters(deviations: Sequence[float], samples: int) -> float | None:
    """The same, of the sums of the deviations of each cluster's values from the mean of all `samples`."""
    count = len(deviations)
    return math.hypot(*deviations) * math.sqrt(count / (count - 1)) / samples if count > 1 else None


def interval_of(values: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Interval | None:
    """The interval of the mean of single scores, by their kind; None if they say nothing about their noise.

    Scores of 0 or 1 are a proportion: Wilson's interval, with the effective size of the sample if they are clustered.
    All-equal scores of another value have no spread to judge by. Scores within 0 and 1 are neither a proportion nor a
    measured quantity: the bootstrap. Everything else is a mean: Student's t.
    """
    keys = list(clusters) if clusters is not None else list(range(len(values)))
    count = len(set(keys))
    middle, error = mean(values), clustered_error(values, keys)
    if is_binary(values):
        if not error:
            return wilson(middle, count)
        return wilson(middle, min(len(values), effective_size(middle, error)))
    if not error:
        return None
    if min(values) >= 0 and max(values) <= 1:
        return bootstrap_interval(_grouped(values, keys))
    return t_interval(middle, error, count - 1)


def _grouped(values: Sequence[float], keys: Sequence[Hashable]) -> list[list[float]]:
    groups: dict[Hashable, list[float]] = defaultdict(list)
    for value, key in zip(values, keys, strict=True):
        groups[key].append(value)
    return list(groups.values())


def _mean_of_all(groups: Sequence[Sequence[float]]) -> float:
    return math.fsum(value for group in groups for value in group) / sum(map(len, groups))


def bootstrap_interval(
    clusters: Sequence[Sequence[float]],
    statistic: Callable[[Sequence[Sequence[float]]], float] = _mean_of_all,
    *,
    resamples: int = RESAMPLES,
    seed: int = BOOTSTRAP_SEED,
) -> Interval | None:
    """The expanded percentile interval of a statistic of clusters (questions); None below two of them.

    Whole clusters are drawn with replacement. The percentiles are widened so that for a mean of few clusters the
    interval is as wide as Student's: Φ(-sqrt(n/(n-1)) · t) in place of 2.5% (Hesterberg 2015, section 4.2). The seed is
    fixed: the same scores give the same interval.
    """
    n = len(clusters)
    if n < 2:
        return None
    choices = random.Random(seed).choices  # noqa: S311 - resampling, no secret
    return Interval(
        *expanded_percentiles(sorted(statistic(choices(clusters, k=n)) for _ in range(resamples)), n), "bootstrap"
    )


def expanded_percentiles(drawn: Sequence[float], n: int) -> tuple[float, float]:
    """The bounds of a 95% interval in the ordered statistics of resamples of `n` clusters; see `bootstrap_interval`."""
    tail = math.erfc(critical(n - 1) * math.sqrt(n / (n - 1)) / math.sqrt(2)) / 2
    return _percentile(drawn, tail), _percentile(drawn, 1 - tail)


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Interpolated between neighbours."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def paired_proportions(gained: int, lost: int, pairs: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of the difference of two proportions on the same questions; never of width 0, within -1 and 1.

    With p₁ = (gained + 1)/(n + 2) and p₂ = (lost + 1)/(n + 2): p₁ - p₂ ± z sqrt((p₁ + p₂ - (p₁ - p₂)²)/(n + 2)).
    Bonett and Price 2012.
    """
    up, down = (gained + 1) / (pairs + 2), (lost + 1) / (pairs + 2)
    z = normal_quantile((1 + confidence) / 2)
    reach = z * math.sqrt((up + down - (up - down) ** 2) / (pairs + 2))
    return max(-1.0, up - down - reach), min(1.0, up - down + reach)
