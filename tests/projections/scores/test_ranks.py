"""Which ranks differ by more than noise."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.projections.scores.ranks import MAX_PAIRS_OF, Placed, rank_factor, rank_intervals


def of(*values, arm=0.02):
    return [Placed(value, value - arm, value + arm) for value in values]


def test_ranks_that_cannot_be_told_apart_share_one():
    assert rank_intervals(of(0.91, 0.90, 0.89, 0.5)) == [(1, 3), (1, 3), (1, 3), (4, 4)]
    assert rank_intervals(of(0.9, 0.7, 0.5)) == [(1, 1), (2, 2), (3, 3)]
    assert rank_intervals(of(0.9)) == [(1, 1)]
    assert rank_intervals([]) == []


def test_one_of_unknown_noise_may_have_any_rank():
    assert rank_intervals([*of(0.9, 0.5), Placed(0.7, None, None)]) == [(1, 2), (2, 3), (1, 3)]


def test_intervals_that_are_not_symmetric_are_compared_by_the_arms_towards_each_other():
    best, other = Placed(1.0, 0.72, 1.0), Placed(0.6, 0.59, 0.61)
    assert rank_intervals([best, other]) == [(1, 1), (2, 2)]
    assert rank_intervals([best, Placed(0.75, 0.74, 0.76)]) == [(1, 2), (1, 2)]


def test_the_factor_is_bonferronis(stats):
    assert rank_factor(2) == pytest.approx(1)
    assert rank_factor(5) == pytest.approx(stats.norm.ppf(1 - 0.025 / 10) / stats.norm.ppf(0.975))


@pytest.mark.parametrize("truth", [[0.5] * 6, [0.5, 0.5, 0.55, 0.6, 0.7, 0.9]])
def test_all_rank_intervals_together_hold_the_true_ranks_in_95_percent(truth):
    draw = np.random.default_rng(8)
    error, histories, held = 0.03, 3000, 0
    first = [1 + sum(other > value for other in truth) for value in truth]
    last = [len(truth) - sum(other < value for other in truth) for value in truth]
    for _ in range(histories):
        seen = [float(value) for value in draw.normal(truth, error)]
        found = rank_intervals(of(*seen, arm=1.96 * error))
        held += all(low <= f and high >= la for (low, high), f, la in zip(found, first, last, strict=True))
    assert held / histories >= 0.945


def test_of_many_contenders_fewer_are_told_apart_and_it_stays_fast():
    draw = np.random.default_rng(2)
    placed = [Placed(float(value), float(value) - 0.03, float(value) + 0.02) for value in draw.random(MAX_PAIRS_OF)]
    exact = rank_intervals(placed)
    bounded = rank_intervals([*placed, Placed(-9.0, -9.1, -8.9)])
    assert all(low <= first and last <= high for (first, last), (low, high) in zip(exact, bounded, strict=False))
    assert bounded[-1] == (MAX_PAIRS_OF + 1, MAX_PAIRS_OF + 1)
    assert bounded[placed.index(max(placed))][0] == 1
    many = rank_intervals([Placed(float(value), float(value) - 1, float(value) + 1) for value in range(20_000)])
    assert many[0][1] == 20_000 and many[-1][0] == 1
