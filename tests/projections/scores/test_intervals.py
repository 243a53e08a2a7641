"""Intervals: against scipy and statsmodels, and how often they hold the true value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.projections.scores.distributions import Z_95
from benchmarks.projections.scores.intervals import (
    bootstrap_interval,
    clustered_error,
    effective_size,
    interval_of,
    paired_proportions,
    t_interval,
    wilson,
)
from benchmarks.projections.scores.means import mean, standard_error

RATES = [round(0.05 * step, 2) for step in range(1, 20)]


@pytest.mark.parametrize(("right", "n"), [(0, 1), (0, 10), (1, 10), (5, 10), (10, 10), (299, 300), (3, 7)])
def test_wilson_is_that_of_statsmodels(right, n, models):
    interval = wilson(right / n, n)
    assert interval[:2] == pytest.approx(models.stats.proportion_confint(right, n, method="wilson"), abs=1e-12)


def test_ten_wrong_answers_leave_room_for_more_than_a_quarter_of_right_ones():
    low, high, method = wilson(0.0, 10)
    assert (low, round(high, 2), method) == (0.0, 0.28, "wilson")


@given(st.integers(1, 2000), st.floats(0, 1))
def test_wilson_lies_within_0_and_1_holds_the_share_and_is_never_empty(n, share):
    low, high, _ = wilson(share, n)
    assert 0 <= low <= share <= high <= 1
    assert high - low > 1e-6


def test_what_is_not_a_proportion_is_refused():
    for share, n in ((1.2, 10), (-0.1, 10), (0.5, 0), (math.nan, 3)):
        with pytest.raises(ValueError, match="not a proportion"):
            wilson(share, n)


def test_the_effective_size_of_zeros_and_ones_is_their_number():
    values = [1.0] * 7 + [0.0] * 13
    assert effective_size(mean(values), standard_error(values)) == pytest.approx(20)


@pytest.mark.parametrize("sizes", [[1] * 12, [5] * 20, [1, 2, 3, 4, 5, 6]])
def test_the_clustered_error_is_that_of_statsmodels(sizes, models):
    draw = np.random.default_rng(5)
    clusters = [place for place, size in enumerate(sizes) for _ in range(size)]
    values = draw.normal(size=len(clusters)) + draw.normal(size=len(sizes))[clusters]
    fitted = models.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": np.array(clusters)})
    assert clustered_error(list(values), clusters) == pytest.approx(fitted.bse[0], rel=1e-12)


def test_the_same_answers_once_more_change_neither_error_nor_interval():
    once = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    questions = [*range(6)] * 3
    assert clustered_error(once * 3, questions) == pytest.approx(standard_error(once), rel=1e-12)
    assert interval_of(once * 3, questions)[:2] == pytest.approx(interval_of(once)[:2], rel=1e-12)
    assert clustered_error([1.0, 0.0], ["one", "one"]) is None


def test_the_method_goes_with_the_kind_of_the_scores():
    assert interval_of([0, 1, 1, 0]).method == "wilson"
    assert interval_of([0.25, 0.5, 1, 0]).method == "bootstrap"
    assert interval_of([12.5, 3.1, 8.0]).method == "t"
    assert interval_of([0.5, 0.5, 0.5]) is None, "all-equal scores say nothing about their noise"
    assert interval_of([0.0, 0.0, 0.0])[:2] == wilson(0.0, 3)[:2]


def test_the_t_interval_is_that_of_scipy(stats):
    values = [3.1, 2.9, 3.7, 3.3, 2.2]
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert t_interval(mean(values), standard_error(values), 4)[:2] == pytest.approx(expected)
    assert interval_of(values)[:2] == pytest.approx(expected)


def test_the_bootstrap_is_the_same_every_time_and_near_students_interval():
    draw = np.random.default_rng(3)
    values = [[float(value)] for value in draw.normal(0.5, 0.1, 25)]
    interval = bootstrap_interval(values)
    assert interval == bootstrap_interval(values)
    flat = [value for [value] in values]
    expected = t_interval(mean(flat), standard_error(flat), 24)
    assert interval[:2] == pytest.approx(expected[:2], abs=0.01)
    assert bootstrap_interval(values[:1]) is None


def test_paired_proportions_never_have_width_0():
    assert paired_proportions(0, 0, 10) == pytest.approx((-0.2309, 0.2309), abs=1e-4)
    low, high = paired_proportions(10, 0, 10)
    assert low < high <= 1
    # By hand: p1 = 11/102, p2 = 4/102, z² = 3.8415.
    reach = Z_95 * math.sqrt((15 / 102 - (7 / 102) ** 2) / 102)
    assert paired_proportions(10, 3, 100) == pytest.approx((7 / 102 - reach, 7 / 102 + reach))


# How often a nominal 95% interval holds the true value.


@pytest.mark.parametrize("n", [10, 30, 300])
def test_intervals_of_right_and_wrong_answers_cover_95_percent(n, stats):
    """Exactly: the probability of each number of right answers, times whether its interval holds the rate."""
    intervals = [interval_of([1.0] * right + [0.0] * (n - right)) for right in range(n + 1)]
    coverage = [
        sum(
            stats.binom.pmf(right, n, rate)
            for right, interval in enumerate(intervals)
            if interval.low <= rate <= interval.high
        )
        for rate in RATES
    ]
    assert 0.93 <= np.mean(coverage) <= 0.97


@pytest.mark.parametrize("alike", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_intervals_of_20_clusters_of_5_cover_95_percent(alike):
    """`alike` is the correlation of two answers to one question."""
    draw = np.random.default_rng(11)
    questions, repeats, histories = 20, 5, 150
    keys = [question for question in range(questions) for _ in range(repeats)]
    held = 0
    for rate in RATES:
        if alike in (0, 1):
            chances = draw.binomial(1, rate, (histories, questions)) if alike else np.full((histories, questions), rate)
        else:
            more = (1 - alike) / alike
            chances = draw.beta(rate * more, (1 - rate) * more, (histories, questions))
        answers = draw.binomial(1, chances[:, :, None], (histories, questions, repeats)).astype(float)
        for values in answers.reshape(histories, -1).tolist():
            low, high, _ = interval_of(values, keys)
            held += low <= rate <= high
    assert 0.93 <= held / histories / len(RATES) <= 0.97


def test_bootstrap_intervals_of_graded_answers_cover_95_percent():
    draw = np.random.default_rng(12)
    held = 0
    for values in draw.choice([0.0, 0.25, 0.5, 1.0], (400, 30)).tolist():
        interval = bootstrap_interval([[value] for value in values], resamples=400)
        held += interval.low <= 0.4375 <= interval.high
    assert 0.93 <= held / 400 <= 0.97
