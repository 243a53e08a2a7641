"""Attempts without a success count beside the scores that they would have had."""

from __future__ import annotations

import pytest

from benchmarks.ledger.events import Scorer, TaskRevision
from benchmarks.ledger.fold import fenced
from benchmarks.projections.scores.destinations import attempts_of
from benchmarks.projections.scores.leaderboard import leaderboard, leaderboard_of
from benchmarks.projections.scores.tally import board_of

STRICT = Scorer("strict", "a" * 64)


@pytest.fixture
def run(make_run):
    """Makes runs whose comparison key is that of their revision and scorer."""

    def make(status="succeeded", *, data="", version="1", scorer=None, **more):
        revision = TaskRevision.of(version=version, driver="d", data=data, packages="p")
        key = fenced("o", revision.digest, scorer and scorer.sha256)
        failed = {"reason": "no_result", "score": None} if status == "failed" else {}
        return make_run(
            **{"status": status, "options_key": "o", "task_revision": revision, "comparison_key": key, "scorer": scorer}
            | failed
            | more
        )

    return make


def told(runs):
    """Of each row of the leaderboard the model, its successes and its failures; the tallies say the same."""
    rows = leaderboard(runs)
    assert rows == leaderboard_of(board_of(runs))
    assert all(
        row.attempts == attempts_of(runs)[row.task.benchmark_id, row.task.comparison_key, *_who(row)] for row in rows
    )
    return {row.model: (row.attempts.successes, row.attempts.own_failures) for row in rows}


def _who(row):
    return row.agent, row.provider, row.model


def test_a_failure_that_does_not_know_its_data_counts_with_the_successes(run):
    runs = [run("failed"), run(data="v1"), run("failed", model="n"), run(data="v1", model="n")]
    assert told(runs) == {"m": (1, 1), "n": (1, 1)}


def test_it_counts_with_the_newest_data_of_the_same_contender(run):
    runs = [run("failed"), run(data="v1"), run(data="v2", model="n")]
    assert told(runs) == {"m": (1, 1), "n": (1, 0)}


def test_a_contender_with_failures_alone_counts_with_the_newest_data(run):
    runs = [run(data="v1", model="n"), run(data="v2", model="n"), run("failed")]
    [key] = {work.comparison_key for work in attempts_of(runs) if work.model == "m"}
    assert key == runs[1].comparison_key


def test_a_failure_of_another_version_counts_with_none_of_them(run):
    assert told([run("failed", version="2"), run(data="v1")]) == {"m": (1, 0)}


def test_a_failure_counts_with_a_score_by_a_later_scorer(run):
    assert told([run("failed", data="v1"), run("failed"), run(data="v1", scorer=STRICT)]) == {"m": (1, 2)}


def test_a_failure_stays_with_a_success_that_knows_as_little(run):
    runs = [run("failed"), run(), run(data="v1")]
    assert attempts_of(runs)[runs[0].benchmark_id, runs[0].comparison_key, "bare-model", "local", "m"].attempts == 2
