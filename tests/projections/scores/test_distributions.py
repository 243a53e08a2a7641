"""The distributions, against scipy."""

from __future__ import annotations

import math

import pytest

from benchmarks.projections.scores.distributions import (
    Z_95,
    critical,
    normal_p,
    normal_quantile,
    student_p,
    student_quantile,
)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 10, 29, 30, 100, 999])
def test_student_is_that_of_scipy(freedom, stats):
    for t in (0.0, 0.3, 1.0, 2.5, 6.0, 20.0):
        assert student_p(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-9, abs=1e-14)
    for probability in (0.6, 0.975, 0.995, 0.99999):
        expected = stats.t.ppf(probability, freedom)
        assert student_quantile(probability, freedom) == pytest.approx(expected, rel=1e-5)
    assert critical(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-7)


def test_the_normal_distribution_is_that_of_scipy(stats):
    for z in (0, 0.5, 1.96, 5, 12):
        assert normal_p(z) == pytest.approx(2 * stats.norm.sf(z), rel=1e-12)
    for probability in (0.001, 0.5, 0.8, 0.975):
        assert normal_quantile(probability) == pytest.approx(stats.norm.ppf(probability), abs=1e-12)
    assert critical(math.inf) == pytest.approx(Z_95, abs=1e-12)


def test_degrees_of_freedom_are_rounded_down_and_never_below_one():
    assert student_quantile(0.975, 9.9) == student_quantile(0.975, 9)
    assert student_quantile(0.975, 0.2) == student_quantile(0.975, 1)
