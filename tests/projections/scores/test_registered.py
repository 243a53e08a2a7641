"""What became of a registered plan: cases that are costly to bring about with commands."""

from __future__ import annotations

import pytest

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.history import History
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.scores.registered import status_of
from benchmarks.projections.scores.samples import SampleScores

NOW = "2026-11-23T12:00:00.000000Z"


@pytest.fixture
def status(tmp_path, histories):
    """The status of a plan with these changes, after a success of its only contender."""

    def status(now=NOW, **plan):
        store = JsonlStore(tmp_path / "ledger", notice=print)
        registered = histories.registered(**plan)
        [task], [one] = registered.benchmarks, registered.contenders
        started = histories.started(
            "1",
            benchmark_id=task.id,
            comparison_key=task.comparison_key,
            agent=one.agent,
            provider=one.provider,
            model=one.model,
        )
        events = [("reg_1", registered), ("run_1", started), ("run_1", histories.finished())]
        histories.append_anyway(store, [NewEvent(stream, event) for stream, event in events])
        history = History().read(store.read())
        return status_of(history.registrations["reg_1"], history.runs.values(), lambda run: SampleScores(), now=now)

    return status


def test_a_success_without_the_registered_metric_does_not_count(status):
    found = status(metric="speed")
    assert (found.state, found.cells[0].attempts, found.cells[0].counted) == ("open", 1, [])


@pytest.mark.parametrize(
    ("deadline", "state"),
    [
        ("2026-11-23T13:30:00+02:00", "stopped_early"),
        ("2026-11-23T11:30:00-02:00", "open"),
        ("2026-11-23", "stopped_early"),
        ("soon", "open"),
    ],
)
def test_a_deadline_is_a_moment_whatever_its_offset(status, deadline, state):
    assert status(metric="speed", deadline=deadline).state == state
