"""How sure a score is, by what its runs report."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.projections.scores.distributions import critical
from benchmarks.projections.scores.intervals import clustered_error, wilson
from benchmarks.projections.scores.means import mean, standard_error
from benchmarks.projections.scores.uncertainty import Reported, uncertainty_of


def reported(values):
    return Reported(mean(values), len(values), standard_error(values))


def test_three_identical_repeats_are_as_sure_as_one():
    run = reported([1.0] * 5 + [0.0])
    one, three = uncertainty_of([run], "ratio"), uncertainty_of([run] * 3, "ratio")
    assert one.stderr == pytest.approx(0.1667, abs=1e-4)
    assert three.stderr == pytest.approx(one.stderr)
    assert (three.low, three.high) == pytest.approx((one.low, one.high))
    assert (one.low, one.high) == pytest.approx(wilson(5 / 6, 6)[:2])
    without = uncertainty_of([Reported(5 / 6, 6)] * 3, "ratio")
    assert (without.low, without.high) == pytest.approx((one.low, one.high)), "the number of samples is enough"


@pytest.mark.parametrize("stderr", [0.0, None])
@pytest.mark.parametrize("score", [0.0, 1.0])
@pytest.mark.parametrize("repeats", [1, 3])
def test_ten_wrong_or_ten_right_samples_have_an_interval_and_no_error_of_0(score, stderr, repeats):
    found = uncertainty_of([Reported(score, 10, stderr)] * repeats, "ratio")
    assert found.stderr is None and found.method == "wilson"
    assert (found.low, found.high) == pytest.approx(wilson(score, 10)[:2])
    percent = uncertainty_of([Reported(100 * score, 10, stderr)] * repeats, "percent")
    assert (percent.low, percent.high) == pytest.approx([100 * bound for bound in wilson(score, 10)[:2]])


def test_no_interval_of_a_ratio_ends_beyond_its_bounds():
    found = uncertainty_of([Reported(0.9, None, 0.13)], "ratio")
    assert 0 < found.low < 0.9 < found.high < 1


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.none() | st.integers(-2, 500), st.none() | st.floats(0, 1)),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_runs_report_the_interval_holds_the_mean_and_has_a_width(rows):
    runs = [Reported(*row) for row in rows]
    found = uncertainty_of(runs, "ratio")
    assert found.stderr is None or found.stderr > 0
    if found.low is not None:
        assert 0 <= found.low <= mean([run.score for run in runs]) + 1e-12 and found.low < found.high <= 1
        assert found.estimate.bounds(1.96) is not None
    else:
        assert found.method is found.source is found.stderr is None


def test_a_measured_quantity_has_students_interval():
    found = uncertainty_of([Reported(12.0, 5, 0.5)], "s")
    assert (found.low, found.high) == pytest.approx((12 - critical(4) * 0.5, 12 + critical(4) * 0.5))
    assert found.method == "t"
    repeats = uncertainty_of([Reported(score) for score in (11.0, 12.0, 13.0)], "s")
    assert (repeats.source, repeats.stderr) == ("repeats", pytest.approx(1 / math.sqrt(3)))
    assert repeats.high == pytest.approx(12 + critical(2) / math.sqrt(3))


def test_identical_repeats_of_unknown_samples_say_nothing():
    for unit in ("ratio", "s", None):
        found = uncertainty_of([Reported(0.833)] * 3, unit)
        assert (found.stderr, found.low, found.high) == (None, None, None)
    assert uncertainty_of([Reported(3.0, 10, 0.0)], "s").low is None


def test_what_is_not_within_the_bounds_of_its_unit_is_a_mean():
    assert uncertainty_of([Reported(1.7, 10, 0.2)], "ratio").method == "t"


def test_repeats_that_scatter_more_than_their_answers_explain_are_judged_by_their_scatter():
    runs = [Reported(score, 2000, 0.01) for score in (0.5, 0.7, 0.9)]
    found = uncertainty_of(runs, "ratio")
    assert (found.source, found.stderr) == ("repeats", pytest.approx(0.2 / math.sqrt(3)))
    assert found.high - found.low > 0.4


def test_the_error_of_repeats_is_on_average_that_clustered_by_question():
    """A little more: it is never below that of answers that are all independent, which a few repeats may show."""
    draw = np.random.default_rng(4)
    ours, exact = [], []
    for _ in range(300):
        answers = draw.binomial(1, draw.beta(0.7, 0.7, 50)[:, None], (50, 4)).astype(float)
        runs = [reported(list(column)) for column in answers.T]
        keys = [question for question in range(50) for _ in range(4)]
        ours.append(uncertainty_of(runs, "ratio").stderr ** 2)
        exact.append(clustered_error(list(answers.ravel()), keys) ** 2)
    assert 0.98 < np.mean(ours) / np.mean(exact) < 1.12


@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_intervals_from_the_rows_of_repeats_cover_95_percent(repeats):
    draw = np.random.default_rng(21)
    held = count = 0
    for rate in np.arange(0.05, 0.96, 0.05):
        for alike in (0.1, 0.3, 0.6, 0.9):
            more = (1 - alike) / alike
            chances = draw.beta(rate * more, (1 - rate) * more, (60, 30))
            answers = draw.binomial(1, chances[:, :, None], (60, 30, repeats))
            for table in answers:
                scores = table.mean(axis=0)
                found = uncertainty_of([Reported(float(score), 30) for score in scores], "ratio")
                held += found.low <= rate <= found.high
                count += 1
    assert 0.93 <= held / count <= 0.97


@pytest.mark.parametrize("unit", ["ratio", "s"])
@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.integers(-(2**63), 2**63),
            st.none() | st.floats(),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_number_that_a_run_reports_breaks_it(unit, rows):
    found = uncertainty_of([Reported(*row) for row in rows], unit)
    assert all(bound is None or math.isfinite(bound) for bound in (found.low, found.high))
