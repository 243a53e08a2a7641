"""Equivalence, the smallest difference that a comparison finds, and how much to measure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.projections.scores.means import mean, standard_error
from benchmarks.projections.scores.power import (
    MAX_NUMBER,
    Variance,
    questions_needed,
    repeats_needed,
    smallest_detectable,
    tost,
)


@pytest.mark.parametrize("margin", [0.02, 0.1, 0.4])
def test_the_equivalence_test_is_that_of_statsmodels(margin, models):
    values = [float(value) for value in np.random.default_rng(2).normal(0.05, 0.3, 40)]
    expected, _, _ = models.stats.DescrStatsW(values).ttost_mean(-margin, margin)
    found = tost(mean(values), standard_error(values), 39, margin)
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_margin_must_be_above_0_and_no_noise_decides_at_once():
    with pytest.raises(ValueError, match="margin must be above 0"):
        tost(0.1, 0.1, 10, 0)
    assert (tost(0.01, 0.0, 10, 0.02), tost(0.03, 0.0, 10, 0.02)) == (0.0, 1.0)


def test_the_smallest_difference_is_found_in_80_percent(stats):
    error = 0.04
    power = stats.norm.sf(1.959964 - smallest_detectable(error) / error)
    assert power == pytest.approx(0.8, abs=1e-3)


def test_the_number_of_questions_is_that_of_statsmodels(models):
    variance = Variance(between=2 * 0.25, within=0.0)  # The difference of two scores of independent questions.
    expected = models.stats.NormalIndPower().solve_power(0.1 / 0.5, alpha=0.05, power=0.8)
    assert questions_needed(0.1, variance) == math.ceil(expected)


def test_repeats_average_out_the_noise_of_answers_and_never_the_choice_of_questions():
    variance = Variance(between=0.02, within=0.2)
    alone, several = questions_needed(0.05, variance), questions_needed(0.05, variance, 4)
    assert several < alone
    assert repeats_needed(0.05, variance, several + 1) == 4
    assert repeats_needed(0.05, variance, 20) is None
    assert repeats_needed(0.5, variance, 200) == 1
    for function, last in ((questions_needed, 1), (repeats_needed, 10)):
        with pytest.raises(ValueError, match="the effect must be above 0"):
            function(0.0, variance, last)


def test_the_power_that_is_promised_is_reached():
    """Simulated: two systems that differ by 0.1 on each question, with the number of questions that is named."""
    draw = np.random.default_rng(9)
    variance = Variance(between=0.09, within=0.04)
    questions = questions_needed(0.1, variance, 2)
    found = 0
    for _ in range(1000):
        means = 0.1 + draw.normal(0, 0.3, questions) + draw.normal(0, 0.2, (2, questions)).mean(axis=0)
        found += abs(means.mean()) / (means.std(ddof=1) / math.sqrt(questions)) > 1.96
    assert 0.77 <= found / 1000 <= 0.85


def test_a_very_small_effect_needs_the_largest_number_that_is_named():
    variance = Variance(between=0.2, within=0.1)
    assert questions_needed(5e-324, variance) == MAX_NUMBER
    assert repeats_needed(5e-324, variance, 100) is None
