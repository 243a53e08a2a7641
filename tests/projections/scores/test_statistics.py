"""The formulas, against values worked out elsewhere and the properties that they must have."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.projections.scores.distributions import normal_p, student_p
from benchmarks.projections.scores.means import mean, standard_error
from benchmarks.projections.scores.statistics import (
    Estimate,
    bootstrap_p,
    holm,
    mcnemar_exact,
    paired,
    unpaired,
)

scores = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30)


def test_the_mean_heeds_no_order_and_that_of_equals_is_exact():
    assert len({mean(scores) for scores in itertools.permutations([1, 0, 1])}) == 1
    assert all(mean([score] * count) == score for score in (0.1, 0.3, 1e-9) for count in range(1, 50))


def test_very_large_scores_have_a_mean_and_an_error():
    assert mean([1.5e308, 1.7e308]) == pytest.approx(1.6e308)
    assert standard_error([1e200, 3e200]) == pytest.approx(1e200)


def test_the_standard_error_of_zeros_and_ones_is_that_of_a_proportion():
    # For 0/1 scores s² / n = p(1 - p) / (n - 1).
    values = [1.0] * 30 + [0.0] * 10
    assert standard_error(values) == pytest.approx(math.sqrt(0.75 * 0.25 / 39))
    assert standard_error([0.5]) is None


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    # By hand: 2 · Σ C(n, k) / 2ⁿ. 5 and 15: 2 · 21700 / 1048576.
    [(0, 0, 1.0), (1, 1, 1.0), (0, 6, 2 / 64), (6, 0, 2 / 64), (15, 5, 2 * 21700 / 2**20), (0, 2000, 0.0)],
)
def test_mcnemar_is_the_exact_binomial_test(gained, lost, expected):
    assert mcnemar_exact(gained, lost) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("t", "freedom", "expected"),
    # The 97.5% and 99.5% points that every table of Student's t prints.
    [
        (12.706, 1, 0.05),
        (4.303, 2, 0.05),
        (3.182, 3, 0.05),
        (2.776, 4, 0.05),
        (3.169, 10, 0.01),
        (-2.045, 29, 0.05),
        (1.984, 100, 0.05),
        (1.96, math.inf, 0.05),
        (0, 5, 1.0),
    ],
)
def test_student_p_values_are_those_of_the_tables(t, freedom, expected):
    assert student_p(t, freedom) == pytest.approx(expected, rel=2e-3)


def test_student_goes_over_into_the_normal_distribution_without_a_step():
    assert student_p(2.5, 1000) == pytest.approx(normal_p(2.5), rel=0.02)


def test_holm_is_that_of_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    ordered = [adjusted[i] for i in sorted(range(len(p_values)), key=lambda i: p_values[i])]
    assert ordered == sorted(ordered)


@given(scores, st.integers(0, 99))
def test_a_paired_difference_knows_no_noise_that_both_share(values, seed):
    shuffled = random.Random(seed)
    moved = [value + shuffled.choice([0.25, 0.75]) for value in values]
    there, back = paired(values, moved), paired(moved, values)
    assert there.mean == pytest.approx(mean(moved) - mean(values), abs=1e-6)
    assert there.mean == pytest.approx(-back.mean, abs=1e-9)
    assert there.stderr == pytest.approx(back.stderr, abs=1e-9)
    # All their spread lies in 0.25 against 0.75, however far the scores themselves are apart.
    assert there.stderr <= 0.25 / math.sqrt(len(values) - 1) + 1e-9


def test_the_method_goes_with_the_scores():
    assert paired([0, 1, 1, 0], [1, 1, 1, 0]).method == "mcnemar"
    assert paired([0.5, 1, 1, 0], [1, 1, 1, 0]).method == "bootstrap"
    assert paired([0.5, 0.0] * 600, [0.25, 0.5] * 600).method == "paired z-test"
    with pytest.raises(ValueError, match="2 and 1 scores are not pairs"):
        paired([1, 2], [1])


def test_the_bootstrap_agrees_with_the_z_test_where_both_hold_and_is_the_same_every_time():
    draw = random.Random(7)
    differences = [draw.gauss(0.1, 0.5) for _ in range(200)]
    error = standard_error(differences)
    assert bootstrap_p(differences) == pytest.approx(normal_p(mean(differences) / error), abs=0.02)
    assert bootstrap_p(differences) == bootstrap_p(differences)


def test_a_plain_difference_is_more_than_noise_among_many_others():
    """Else a gate over a hundred benchmarks could never fail: the smallest p-value of all would be 1 / 2001."""
    draw = random.Random(7)
    worse = [draw.gauss(-0.4, 0.3) for _ in range(200)]
    assert max(holm([bootstrap_p(worse)] * 150)) < 0.05


def test_a_handful_of_pairs_proves_nothing():
    assert bootstrap_p([0.5, 0.5, 0.5]) == 0.25
    assert bootstrap_p([0.0, 0.0, 0.0]) == 1.0


def test_unpaired_scores_are_as_sure_as_their_standard_errors():
    sure = unpaired(Estimate(0.5, 0.03), Estimate(0.6, 0.04))
    assert (sure.mean, sure.stderr) == pytest.approx((0.1, 0.05))
    assert sure.p_value == pytest.approx(normal_p(2))
    few = unpaired(Estimate(0.5, 0.05, 2), Estimate(0.6, 0.05, 2))
    assert few.p_value == pytest.approx(student_p(0.1 / math.hypot(0.05, 0.05), 4)) and few.p_value > 0.2
    assert unpaired(Estimate(0.5, None), Estimate(0.6, 0.1)).p_value is None
    assert unpaired(Estimate(0.0, 0.0), Estimate(1.0, 0.0)).p_value is None


def test_proportions_are_compared_by_newcombes_interval():
    """56 of 70 against 48 of 80: the example of Newcombe 1998, table II, method 10."""
    found = unpaired(Estimate(48 / 80, 0.05, trials=80), Estimate(56 / 70, 0.05, trials=70))
    assert found.method == "newcombe"
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert found.p_value < 0.05


def test_proportions_of_0_and_1_have_noise_and_can_be_compared():
    none, some, every = Estimate(0.0, None, trials=10), Estimate(0.3, 0.15, trials=10), Estimate(1.0, None, trials=10)
    assert 0.05 < unpaired(none, some).p_value < 0.5
    assert unpaired(none, every).p_value < 1e-4
    same = unpaired(none, none)
    assert (same.p_value, same.mean) == (1.0, 0.0) and same.low < 0 < same.high


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 400), st.integers(1, 400))
def test_a_p_value_below_5_percent_and_an_interval_without_0_are_the_same(p, q, n, m):
    found = unpaired(Estimate(p, None, trials=n), Estimate(q, None, trials=m))
    assert (found.p_value < 0.05) is (found.low > 0 or found.high < 0) or found.p_value == pytest.approx(0.05, abs=1e-6)


def test_identical_answers_on_both_sides_still_leave_an_interval():
    found = paired([1.0] * 10, [1.0] * 10)
    assert (found.mean, found.p_value) == (0.0, 1.0)
    assert found.low == pytest.approx(-found.high) and found.high > 0.1


def test_questions_of_one_cluster_count_as_one():
    before, after = [0.0] * 20, [1.0] * 10 + [0.0] * 10
    clusters = ["a"] * 10 + ["b"] * 10
    alone, together = paired(before, after), paired(before, after, clusters)
    assert alone.method == "mcnemar" and alone.p_value < 0.01
    assert together.method == "clustered t-test" and together.p_value >= 0.5
    assert together.stderr == pytest.approx(0.5)
    same = paired(before, after, list(range(20)))
    assert same == alone, "clusters of one question each change nothing"
