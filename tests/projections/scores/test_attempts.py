"""Out of how many: attempts, failures of either kind, and what they cost."""

from __future__ import annotations

import pytest

from benchmarks.projections.render.score_tables import standings_table
from benchmarks.projections.scores.attempts import attempts, is_infrastructure
from benchmarks.projections.scores.destinations import attempts_of
from benchmarks.projections.scores.leaderboard import leaderboard


def failed(make_run, reason, error="", **changes):
    return make_run(None, status="failed", reason=reason, error=error, **changes)


@pytest.mark.parametrize(
    ("reason", "error", "expected"),
    [
        ("environment", "", True),
        ("start", "", True),
        ("orchestrator_lost", "recovered: its owner is gone", True),
        ("interrupted", "", True),
        ("stalled", "", True),
        ("exit_code", "openai.RateLimitError: Error code: 429 - slow down", True),
        ("exit_code", "503 Service Unavailable", True),
        ("exception", "ConnectionResetError: connection reset by peer", True),
        ("exit_code", "AssertionError: 4 tests failed", False),
        ("exit_code", "sample 1429 is wrong", False),
        ("timeout", "", False),
        ("no_score", "", False),
        ("invalid_result", "rate limit", False),
        (None, None, False),
    ],
)
def test_a_failure_is_the_benchmarks_own_or_one_of_the_infrastructure(reason, error, expected):
    assert is_infrastructure(reason, error) is expected


def test_attempts_are_counted_with_what_their_failures_took(make_run):
    runs = [
        make_run(0.5, duration_seconds=100.0),
        failed(make_run, "exit_code", "wrong", duration_seconds=10.0, usage={"cost_usd": 0.25}),
        failed(make_run, "stalled", duration_seconds=5.5),
        make_run(None, status="running"),
    ]
    found = attempts(runs)
    assert (found.attempts, found.running, found.successes) == (4, 1, 1)
    assert (found.own_failures, found.infrastructure_failures, found.failures) == (1, 1, 2)
    assert (found.seconds_lost, found.cost_lost, found.unpriced) == (15.5, 0.25, 1)
    assert found.completion == pytest.approx(1 / 3)
    assert attempts([]).completion is None


def test_what_is_doubtful_is_not_an_attempt(make_run):
    runs = [
        make_run(0.5),
        *(make_run(0.5, doubt=doubt) for doubt in ("synthetic", "imported", "retracted", "reproduction")),
    ]
    [found] = attempts_of(runs).values()
    assert found.attempts == 1
    [found] = attempts_of(runs, ["synthetic", "retracted"]).values()
    assert found.attempts == 3


def test_a_row_that_was_picked_from_several_attempts_says_so(make_run):
    """It failed once and then scored 0.900: it was first, with "runs 1"."""
    runs = [failed(make_run, "exit_code", "wrong", duration_seconds=3.0), make_run(0.9), make_run(0.8, model="other")]
    first, second = leaderboard(runs)
    assert (first.attempts.attempts, first.attempts.successes, first.attempts.completion) == (2, 1, 0.5)
    assert second.attempts.completion == 1.0
    table = standings_table([first, second])
    cells = dict(zip(table.columns, table.rows[0], strict=True))
    assert (cells["done"], cells["failures"], cells["picked"]) == ("1 of 2", "1 own", "newest of 2")
    assert cells["lost"] == "3.0 s"
    others = dict(zip(table.columns, table.rows[1], strict=True))
    assert (others["done"], others["picked"]) == ("", "")


def test_a_contender_below_the_minimum_completion_has_no_place_and_no_rank(make_run):
    runs = [failed(make_run, "exit_code"), make_run(0.9), make_run(0.8, model="other")]
    [only] = leaderboard(runs, min_completion=0.9)
    assert (only.model, only.rank) == ("other", 1)
    assert len(leaderboard(runs, min_completion=0.5)) == 2
