"""Registered plans and published tables, now and as of a moment: what `registration show` says."""

from __future__ import annotations

import msgspec
import pytest

from benchmarks.ledger.events import (
    NewEvent,
    PublishedRow,
    PublishedRun,
    RegistrationAmended,
    Reproduced,
    ReproducedRun,
    Retracted,
    TablePublished,
)
from benchmarks.projections.scores.samples import sample_reader
from benchmarks.projections.sqlite.following import read_registrations
from benchmarks.projections.sqlite.opening import open_history
from benchmarks.projections.sqlite.registrations import status_in


@pytest.fixture
def say(store, histories):
    return lambda stream, event: histories.append_anyway(store, [NewEvent(stream, event)])


def test_a_plan_is_what_the_command_says_of_it_also_in_the_past(store, histories, workspace, client, add, say):
    say("reg_1", histories.registered(model="m", deadline="2027-01-01"))
    add("run_a", 0.5, start={"registration": "reg_1"})
    say("reg_1", RegistrationAmended(author="b", reason="more", changes={"repeats": 2}))
    say("run_a", Retracted(author="a", reason="r"))
    found = client.simulate_get("/api/registrations/reg_1").json
    workspace.results.mkdir(parents=True, exist_ok=True)
    with open_history(workspace, store) as connection:
        [one] = read_registrations(connection)
        expected = status_in(connection, one, sample_reader(workspace), now="2026-12-01T00:00:00.000000Z")
    assert found["status"] == msgspec.to_builtins(expected)
    assert {"retracted", "amended_late"} == {one["kind"] for one in found["status"]["deviations"]}
    assert found["author"] == "a" and [(one["reason"], one["fields"]) for one in found["amended"]] == [
        ("more", ["repeats"])
    ]
    then = client.simulate_get("/api/registrations/reg_1", params={"as_of": "3"}).json
    assert (then["status"]["state"], then["status"]["plan"]["repeats"], then["amended"]) == ("complete", 1, [])
    assert then["status"]["deviations"] == []
    assert client.simulate_get("/api/registrations/reg_2").status_code == 404
    assert client.simulate_get("/api/registrations").json["registrations"] == [
        {
            "registration_id": "reg_1",
            "registered_at": one.at,
            "author": "a",
            "hypothesis": "the model is better than the other",
            "amendments": 1,
            "runs": 1,
        }
    ]


def test_a_published_table_says_what_became_of_its_runs(client, add, say):
    add("run_a")
    add("run_b", start={"reproduces": "run_a"})
    shown = [PublishedRun(run_id="run_a", score=0.5, seq=2, hash="0" * 64)]
    row = PublishedRow(
        benchmark_id="b", comparison_key="c", revision="r", agent="a", provider="p", model="m",
        rank=1, score=0.5, runs=shown,
    )  # fmt: skip
    say("table_t", TablePublished(author="a", name="t", version=1, rules={"title": "T"}, rows=[row]))
    of = ReproducedRun(origin="o", run="run_a", hash="0" * 64)
    say("run_b", Reproduced(of=of, verdict="same", by="x"))
    say("run_a", Retracted(author="a", reason="r"))
    [table] = client.simulate_get("/api/registrations").json["tables"]
    assert (table["title"], table["rows"], table["retracted"], table["reproduced"]) == ("T", 1, 1, 1)
    [then] = client.simulate_get("/api/registrations", params={"as_of": "5"}).json["tables"]
    assert (then["retracted"], then["reproduced"]) == (0, 0)
    assert client.simulate_get("/api/registrations", params={"as_of": "4"}).json["tables"] == []
