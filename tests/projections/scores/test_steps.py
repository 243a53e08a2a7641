"""Steps and shifts: how often noise raises an alarm, and how soon a drop is found."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.projections.scores.steps import ALARM_P, MIN_HISTORY, last_shift, steps

SEED = 1


def is_found(history, last):
    """Whether the drop is found in one of the last runs, each checked when it was new."""
    values = [*history, *last]
    return any(last_shift(values[: len(history) + count]).is_shift for count in range(1, len(last) + 1))


def ever_alarmed(values, resolution=0.0):
    shifts = (last_shift(values[:count], resolution=resolution) for count in range(MIN_HISTORY + 1, len(values) + 1))
    return any(shift is not None and shift.is_shift for shift in shifts)


def test_of_1000_histories_of_30_runs_of_noise_at_most_5_percent_ever_raise_an_alarm(record_property):
    draw = np.random.default_rng(SEED)
    alarms = sum(ever_alarmed(history) for history in draw.normal(0.8, 0.02, (1000, 30)).tolist())
    record_property("alarms", alarms)
    assert alarms <= 50


@pytest.mark.parametrize(("errors", "runs"), [(3, 3), (2, 7)])
def test_a_drop_that_stays_is_found_in_90_percent(errors, runs, record_property):
    """Three standard errors within three runs, and two within seven; after 23 runs, so that there are 30 in all."""
    draw = np.random.default_rng(SEED)
    found = sum(
        is_found(draw.normal(0.8, 0.02, 23).tolist(), draw.normal(0.8 - errors * 0.02, 0.02, runs).tolist())
        for _ in range(1000)
    )
    record_property("found", found)
    assert found >= 900


def test_a_single_unlucky_run_is_not_a_shift_and_a_drop_larger_than_the_noise_is():
    history = np.random.default_rng(SEED).normal(0.8, 0.02, 20).tolist()
    unlucky, broken = last_shift([*history, 0.8 - 2 * 0.02]), last_shift([*history, 0.4])
    assert not unlucky.is_shift and unlucky.p_value > ALARM_P
    assert broken.is_shift and (broken.window, broken.mean) == (1, 0.4)
    assert broken.level == pytest.approx(0.8, abs=0.02) and broken.spread == pytest.approx(0.02, abs=0.01)
    assert not last_shift([*history, 1.2]).is_shift, "better is not worse"
    assert last_shift([*history, 1.2], upward=False).is_shift


def test_a_short_history_says_nothing_and_one_without_noise_says_all():
    assert last_shift([0.5] * MIN_HISTORY) is None
    assert last_shift([0.5] * MIN_HISTORY + [0.4]).is_shift
    assert not last_shift([0.5] * (MIN_HISTORY + 1)).is_shift
    assert not last_shift([0.5] * MIN_HISTORY + [0.4], resolution=0.05).is_shift, "one sample of ten"


def test_a_new_level_becomes_the_baseline():
    draw = np.random.default_rng(SEED)
    values = [*draw.normal(0.8, 0.01, 20).tolist(), *draw.normal(0.6, 0.01, 20).tolist()]
    assert last_shift(values[:25]).is_shift
    settled = last_shift(values)
    assert not settled.is_shift and settled.level == pytest.approx(0.6, abs=0.02)


def test_steps_are_found_where_they_are():
    draw = np.random.default_rng(SEED)
    values = np.r_[draw.normal(0.5, 0.01, 12), draw.normal(0.6, 0.01, 9), draw.normal(0.55, 0.01, 15)].tolist()
    found = steps(values)
    assert [step.at for step in found] == [12, 21]
    assert [round(step.delta, 1) for step in found] == [0.1, pytest.approx(-0.1)] or found[1].delta < -0.03
    assert steps([0.5] * 10 + [0.4] * 5)[0].at == 10
    assert steps([0.5] * 15) == steps([0.1, 0.9]) == steps([]) == []


def test_one_outlier_is_not_a_step():
    values = np.random.default_rng(SEED).normal(0.5, 0.01, 30).tolist()
    values[15] = 0.1
    assert steps(values) == []


def test_noise_seldom_has_a_step():
    draw = np.random.default_rng(SEED)
    for length, limit in ((15, 0.08), (30, 0.05), (100, 0.05)):
        assert sum(bool(steps(history)) for history in draw.normal(0, 1, (200, length)).tolist()) <= limit * 200
