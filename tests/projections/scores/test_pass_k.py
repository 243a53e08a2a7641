"""pass@k and pass^k."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.projections.scores.pass_k import pass_all, pass_at, pass_rate


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("right", range(6))
def test_both_are_the_share_of_all_choices_of_k_tries(right, k):
    tries = [True] * right + [False] * (5 - right)
    chosen = list(itertools.combinations(tries, k))
    assert pass_at(5, right, k) == pytest.approx(np.mean([any(some) for some in chosen]))
    assert pass_all(5, right, k) == pytest.approx(np.mean([all(some) for some in chosen]))


def test_a_rate_is_the_mean_of_the_questions_with_an_interval():
    questions = [(4, 4), (4, 2), (4, 0), (4, 1)] * 10
    any_of, all_of = pass_rate(questions, 2, "any"), pass_rate(questions, 2, "all")
    assert any_of.value == pytest.approx((1 + 5 / 6 + 0 + 1 / 2) / 4)
    assert all_of.value == pytest.approx((1 + 1 / 6) / 4)
    assert all_of.low < all_of.value < all_of.high < any_of.high
    assert pass_rate(questions, 1, "any").value == pytest.approx(pass_rate(questions, 1, "all").value)


def test_all_right_is_not_certain():
    rate = pass_rate([(3, 3)] * 10, 3, "all")
    assert (rate.value, rate.high) == (1.0, 1.0) and rate.low == pytest.approx(0.722, abs=1e-3)


def test_fewer_than_k_tries_say_nothing():
    assert pass_rate([(3, 1), (2, 1)], 3, "any") is None
    assert pass_rate([], 1, "any") is None
    for tries, right, k in ((3, 1, 4), (3, 4, 1), (3, 1, 0)):
        with pytest.raises(ValueError, match="say nothing"):
            pass_at(tries, right, k)
