"""OpenLineage: what the specification requires of run events, and one end for each run."""

from __future__ import annotations

from uuid import UUID

import pytest

from benchmarks.ledger.identity import parse_utc
from benchmarks.projections.render.exports.open_lineage import run_events

ENDED = "2026-11-23T10:05:00.000000Z"


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"ended_at": ENDED}, ["START", "COMPLETE"]),
        ({"ended_at": ENDED, "status": "failed", "reason": "timeout", "error": "too slow"}, ["START", "FAIL"]),
        ({"ended_at": ENDED, "status": "failed", "reason": "interrupted"}, ["START", "ABORT"]),
        ({"status": "running"}, ["START"]),
    ],
)
def test_a_run_has_a_start_and_one_end(make_run, changes, kinds):
    events = list(run_events([make_run(0.5, **changes)], "ns"))
    assert [event["eventType"] for event in events] == kinds
    for event in events:
        # Required by BaseEvent and RunEvent of the specification, and by every facet.
        assert {"eventTime", "producer", "schemaURL", "run", "job"} <= event.keys()
        parse_utc(event["eventTime"])
        assert UUID(event["run"]["runId"]) == UUID(events[0]["run"]["runId"])
        assert event["job"] == {"namespace": "ns", "name": "b", "facets": {}}
        assert all({"_producer", "_schemaURL"} <= facet.keys() for facet in event["run"]["facets"].values())


def test_an_imported_time_that_is_none_gives_way_to_that_of_the_import(make_run):
    run = make_run(0.25, doubt="imported", started_at="long ago", ended_at="later", created_at=ENDED)
    assert [event["eventTime"] for event in run_events([run], "ns")] == [ENDED, ENDED]


def test_the_end_tells_the_score_or_the_error_and_the_parent_is_the_group(make_run):
    good, bad, other = (
        make_run(0.5, ended_at=ENDED, samples=4),
        make_run(None, ended_at=ENDED, status="failed", reason="timeout", error="too slow"),
        make_run(0.5, ended_at=ENDED, run_group_id="rg_2"),
    )
    ends = [event["run"]["facets"] for event in run_events([good, bad, other], "ns") if event["eventType"] != "START"]
    assert ends[0]["benchmark_orchestrator_score"]["score"] == 0.5
    assert ends[0]["benchmark_orchestrator_run"]["run_id"] == good.run_id
    assert ends[1]["errorMessage"]["message"] == "too slow"
    parents = [facets["parent"]["run"]["runId"] for facets in ends]
    assert parents[0] == parents[1] != parents[2]
    assert list(run_events([good], "ns")) == list(run_events([good], "ns")), "sending twice changes nothing"
