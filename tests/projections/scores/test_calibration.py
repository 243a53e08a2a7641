"""Whether players of a known quality show that a score measures something."""

from __future__ import annotations

import pytest

from benchmarks.projections.scores.calibration import judge


def verdict(scores, *, higher_is_better=True, unit="ratio", missing=()):
    return judge(scores, higher_is_better=higher_is_better, unit=unit, tolerance=0.02, missing=list(missing))


@pytest.mark.parametrize(
    "scores",
    [
        {"perfect": 1.0, "half": 0.5, "random": 0.25, "wrong": 0.0},
        {"perfect": 1.0, "wrong": 0.0},
        {"perfect": 1.0, "half": 0.52, "random": 0.0, "wrong": 0.0},
        {"perfect": 1.0, "half": 0.5, "random": 0.5},
    ],
)
def test_scores_that_follow_the_quality_are_sound(scores):
    assert (verdict(scores).judgement, verdict(scores).findings) == ("sound", [])


@pytest.mark.parametrize(
    ("scores", "finding"),
    [
        ({"perfect": 1.0, "half": 1.0, "random": 1.0, "wrong": 0.0}, "perfect equals half"),
        ({"perfect": 1.0, "half": 0.99, "wrong": 0.0}, "perfect equals half"),
        ({"perfect": 0.0, "half": 0.0, "random": 0.0, "wrong": 0.0}, "perfect equals half equals random equals wrong"),
        ({"perfect": 0.4, "wrong": 0.6}, "wrong beats perfect"),
        ({"perfect": 1.0, "random": 1.0, "wrong": 0.0}, "perfect equals random"),
        ({"perfect": 1.0, "half": 0.0, "wrong": 0.0}, "half equals wrong"),
        ({"perfect": 1.0, "half": 0.2, "wrong": 0.4}, "wrong beats half"),
    ],
)
def test_scores_that_do_not_measure_nothing(scores, finding):
    told = verdict(scores)
    assert told.judgement == "measures_nothing"
    assert f"{finding}: this benchmark measures nothing" in told.findings


def test_the_direction_and_the_scale_of_a_score_count():
    seconds = {"perfect": 10.0, "half": 20.0, "wrong": 30.0}
    assert verdict(seconds, higher_is_better=False, unit="s").judgement == "sound"
    assert verdict(seconds, higher_is_better=True, unit="s").judgement == "measures_nothing"
    thousands = {"perfect": 4000.0, "half": 3990.0, "wrong": 0.0}
    assert "perfect equals half" in verdict(thousands, unit="USD").findings[0]


def test_what_limits_a_sound_score_is_said():
    told = verdict({"perfect": 0.8, "half": 0.7, "wrong": 0.1})
    assert told.judgement == "sound"
    assert told.findings == [
        "perfect has 0.8: right answers do not reach the top",
        "wrong has 0.1: wrong answers count for something",
        "half has 0.7: the score is not the share of right answers",
    ]


def test_without_players_there_is_no_verdict():
    assert verdict({"perfect": 1.0}, missing=["wrong"]).findings == [
        "wrong has no valid score",
        "two players at least are needed",
    ]
    assert verdict({"perfect": 1.0, "wrong": 0.0}, missing=["half"]).judgement == "unclear"
