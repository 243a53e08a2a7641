"""Revisions that a person declared to be equivalent meet in the viewer, now and as it was."""

from __future__ import annotations

import pytest

from benchmarks.ledger.events import EquivalenceDeclared, EquivalenceWithdrawn, NewEvent, TaskRevision

FIRST, SECOND = (TaskRevision.of(version=version, driver="", data="", packages="") for version in "12")


@pytest.fixture
def say(store):
    def say(kind) -> int:
        event = kind(revisions=[FIRST.digest, SECOND.digest], author="a", reason="r")
        return store.append(lambda _: [NewEvent("b", event)], lambda _: None)[-1].seq

    return say


def ranks(client, **query):
    told = client.simulate_get("/api/leaderboard", params=query).json
    return sorted((some["model"], some["rank"]) for some in told["standings"]), told["left_out"]


def test_equivalent_revisions_meet_and_a_withdrawal_parts_them(client, add, say):
    add("run_a", 0.5, start={"model": "m1", "task_revision": FIRST})
    add("run_b", 0.9, start={"model": "m2", "task_revision": SECOND})
    told = {"revision": "all"}
    apart = [("m1", 1), ("m2", 1)]
    assert ranks(client, **told) == (apart, [])
    declared = say(EquivalenceDeclared)
    together = [("m1", 2), ("m2", 1)]
    assert ranks(client, **told) == ranks(client) == (together, [])
    tasks = client.simulate_get("/api/benchmarks/b").json["tasks"]
    assert [task["runs"] for task in tasks] == [2]
    assert ranks(client, as_of=str(declared - 1), **told) == (apart, []), "as it was before"
    withdrawn = say(EquivalenceWithdrawn)
    assert ranks(client, **told) == (apart, [])
    assert ranks(client, as_of=str(withdrawn - 1), **told) == (together, []), "as it was meanwhile"
    one = client.simulate_get("/api/runs/run_a", params={"as_of": str(declared)}).json["run"]
    other = client.simulate_get("/api/runs/run_b", params={"as_of": str(declared)}).json["run"]
    assert one["comparison_key"] == other["comparison_key"]


def test_a_run_that_follows_a_declaration_joins_its_class(client, add, say):
    add("run_a", 0.5, start={"model": "m1", "task_revision": FIRST})
    add("run_b", 0.9, start={"model": "m2", "task_revision": SECOND})
    say(EquivalenceDeclared)
    assert ranks(client)[0] == [("m1", 2), ("m2", 1)]
    add("run_c", 0.7, start={"model": "m3", "task_revision": FIRST})
    assert ranks(client)[0] == [("m1", 3), ("m2", 1), ("m3", 2)]
    rows = client.simulate_get("/api/runs").json["runs"]
    # A record beats all runs of its class before it.
    assert {row["run_id"]: row["is_record"] for row in rows} == {"run_a": True, "run_b": True, "run_c": False}


def test_what_earlier_revisions_leave_out_is_named(client, add):
    for number in range(3):
        add(f"run_{number}", 0.5, start={"model": f"m{number}", "task_revision": FIRST})
    add("run_new", 0.9, start={"model": "m1", "task_revision": SECOND}, ended_at="2026-11-24T10:00:00.000000Z")
    sentence = "b: 3 runs of 1 earlier revision are not shown"
    assert ranks(client) == ([("m1", 1)], [sentence])
    assert len(ranks(client, revision="all")[0]) == 4
    history = client.simulate_get("/api/benchmarks/b").json
    assert history["left_out"] == [sentence]
    assert history["task"]["runs"] == 1
