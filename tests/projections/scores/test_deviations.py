"""What deviates from a registered plan, over whole lives of runs: whatever happens to a run, it cannot be left out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from benchmarks.ledger.events import (
    Event,
    Registered,
    RegisteredContender,
    RegisteredTask,
    RegistrationAmended,
    Rescored,
    Retracted,
    SamplesExcluded,
    ScoreAnew,
    Scorer,
    TaskRevision,
)
from benchmarks.ledger.events.record import Record
from benchmarks.ledger.history import History
from benchmarks.projections.scores.registered import Status, status_of
from benchmarks.projections.scores.samples import SampleScores

EXCLUDED = ScoreAnew(score=0.9, unit="ratio", samples=9, stderr=None)


class Life:
    """A ledger in memory with a plan for one repetition of one contender; each event is a minute after the last."""

    def __init__(self, histories, **plan: Any) -> None:
        self.histories = histories
        self.records: list[Record] = []
        self.say("rg_1", histories.opened())
        self.plan = histories.registered(**{"model": "m", **plan})

    def say(self, stream: str, event: Event, at: str = "") -> None:
        seq = len(self.records) + 1
        moment = at or f"2026-11-23T09:{seq:02}:00.000000Z"
        version = 1 + sum(record.stream == stream for record in self.records)
        self.records.append(
            Record(seq=seq, id=str(seq), at=moment, stream=stream, version=version, data=event, prev="", hash="")
        )

    def register(self) -> None:
        self.say("reg_1", self.plan)

    def amend(self, **changes: Any) -> None:
        self.say("reg_1", RegistrationAmended(author="a", reason="it is cheaper", changes=changes))

    def run(self, name: str, *, end: Event | None = None, at: str = "", ended: str = "", **start: Any) -> None:
        start = {"registration": "reg_1", **start}
        self.say(name, self.histories.started("s", **start), at)
        self.say(name, end or self.histories.finished(**({"ended_at": ended} if ended else {})))

    def status(self, now: str = "2026-11-24T00:00:00.000000Z") -> Status:
        history = History().read(self.records)
        assert not history.problems
        runs = list(history.runs.values())
        return status_of(history.registrations["reg_1"], runs, lambda _: SampleScores(problem="none"), now=now)


@pytest.fixture
def life(histories):
    return Life(histories)


def said(status: Status) -> dict[str, list[str]]:
    return {one.kind: one.run_ids for one in status.deviations if one.matters}


def test_a_plan_that_was_carried_out_is_confirmatory(life):
    life.register()
    life.run("one")
    status = life.status()
    assert (status.state, status.standing, status.deviations) == ("complete", "confirmatory", [])


def test_work_that_an_amendment_takes_out_of_the_plan_is_not_forgotten(life):
    life.register()
    life.run("old", end=life.histories.finished(0.1))
    other = RegisteredContender(name="new", agent="bare-model", provider="local", model="better")
    life.amend(contenders=[msgspec.to_builtins(other)])
    life.run("new", model="better")
    status = life.status()
    assert status.standing == "exploratory" and said(status) == {"amended_late": ["old"]}
    assert "1 of them of work that is not in the plan any more" in status.deviations[0].text
    assert [cell.counted for cell in status.cells] == [["new"]]


@pytest.mark.parametrize("end", ["cancelled", "orchestrator_lost", "exit_code"])
def test_a_run_that_failed_or_was_cancelled_and_is_made_again(life, end):
    life.register()
    life.run("one", end=life.histories.failed(end))
    life.run("two")
    status = life.status()
    assert said(status) == {"repeated": ["one"]} and status.cells[0].attempts == 2


def test_a_retracted_run_counts_as_an_attempt(life):
    life.register()
    life.run("one")
    life.say("one", Retracted(author="a", reason="too low"))
    life.run("two")
    status = life.status()
    assert status.cells[0].attempts == 2 and said(status) == {"retracted": ["one"]}


@pytest.mark.parametrize(
    "correction",
    [
        SamplesExcluded(author="a", reason="r", samples=["q1"], anew=EXCLUDED),
        Rescored(scorer=Scorer("lax", "b" * 64), score=0.9, unit="ratio", samples=10, stderr=None, author="a"),
    ],
)
def test_a_score_that_was_made_anew_is_not_the_registered_one(life, correction):
    life.register()
    life.run("one")
    life.say("one", correction)
    assert said(life.status()) == {"corrected": ["one"]}


def test_a_run_of_another_machine_that_is_merged_later_is_not_hidden(life):
    """It began before the one that counts here, so the order of the merges could choose between them."""
    life.register()
    life.run("here", at="2026-11-23T09:30:00.000000Z")
    life.run("there", at="2026-11-23T09:20:00.000000Z")
    assert said(life.status()) == {"repeated": ["there"]}


def test_a_run_that_began_before_the_plan_is_earlier_although_it_is_merged_later(life):
    life.register()
    life.run("one")
    life.run("there", at="2026-11-22T09:00:00.000000Z", registration=None)
    status = life.status()
    assert said(status) == {"earlier_run": ["there"]} and status.cells[0].counted == ["one"]


def test_a_clock_that_is_behind_does_not_make_a_run_earlier_that_names_the_plan(life):
    life.register()
    life.run("one", at="2026-11-22T09:00:00.000000Z")
    assert life.status().standing == "confirmatory"


@pytest.mark.parametrize(
    ("deadline", "ended", "is_late"),
    [
        ("2026-11-24", "2026-11-23T23:59:59.000000Z", False),
        ("2026-11-24", "2026-11-24T00:00:01.000000Z", True),
        ("2026-11-23T12:00:00+02:00", "2026-11-23T10:30:00.000000Z", True),
    ],
)
def test_what_succeeds_after_the_deadline_does_not_complete_a_plan_silently(histories, deadline, ended, is_late):
    life = Life(histories, deadline=deadline)
    life.register()
    life.run("one", ended=ended)
    assert ("after_deadline" in said(life.status())) == is_late


def test_a_reproduction_is_no_attempt_and_is_named(life):
    life.register()
    life.run("one", end=life.histories.finished(0.5))
    life.run("again", end=life.histories.finished(0.9), reproduces="one", registration=None)
    status = life.status()
    assert status.standing == "confirmatory" and status.cells[0].attempts == 1
    assert [(one.kind, one.matters, one.run_ids) for one in status.deviations] == [("reproduction", False, ["again"])]


def test_a_reproduction_before_the_plan_has_shown_the_result(life):
    life.run("again", reproduces="theirs", registration=None)
    life.register()
    life.run("one")
    assert said(life.status()) == {"earlier_run": ["again"]}


def test_runs_of_another_plan_for_the_same_work_are_named(life):
    life.register()
    life.run("one", registration="reg_2")
    [deviation] = life.status().deviations
    assert (deviation.kind, deviation.matters) == ("unbound", False)


def test_a_revision_that_does_not_exist_any_more_is_a_deviation(histories):
    old = TaskRevision.of(version="1", driver="old", data="", packages="")
    new = TaskRevision.of(version="1", driver="new", data="", packages="")
    life = Life(histories, benchmarks=[RegisteredTask(id="b", comparison_key="c", revision=old)])
    life.register()
    life.run("one", task_revision=new)
    status = life.status()
    assert said(status) == {"revision": ["one"]} and "driver" in status.deviations[0].text


def test_a_plan_with_a_deadline_that_is_no_time_is_shown(life):
    """An amendment from another ledger may say anything."""
    life.register()
    life.amend(deadline="soon")
    assert life.status().state == "open"
    assert isinstance(life.plan, Registered)
