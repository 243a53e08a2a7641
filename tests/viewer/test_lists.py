"""The list of runs after its first page: cursors, several keys and values, times, files; and the past."""

from __future__ import annotations

import csv
import io
import json

import pytest

from benchmarks.ledger.events import HighScorePublished, NewEvent, Retracted
from benchmarks.viewer.index.orders import COLUMNS
from benchmarks.viewer.index.row import RunRow

from .test_api import ids


@pytest.fixture
def twenty(add):
    for number in range(20):
        start = {"model": f"m{number % 3}", "agent": "even" if number % 2 == 0 else "odd"}
        add(f"run_{number:02d}", number % 4 / 4, start=start, end=number != 19)


def pages(client, query):
    """Every run of a list, page by page, by its cursors."""
    found, cursor = [], None
    while True:
        answer = client.simulate_get(f"/api/runs?{query}" + (f"&cursor={cursor}" if cursor else ""))
        found += ids(answer)
        cursor = answer.json["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize(
    "query", ["", "sort=score", "sort=-score", "sort=model,-score", "sort=-agent,model&model=m0&model=m1", "q=run_1"]
)
def test_cursors_lead_through_the_whole_list_once(client, twenty, query):
    whole = ids(client.simulate_get(f"/api/runs?{query}"))
    assert len(whole) >= 10
    for limit in (1, 3, 7):
        assert pages(client, f"{query}&limit={limit}") == whole
    offsets = [client.simulate_get(f"/api/runs?{query}&limit=4&offset={first}&facets=0") for first in range(0, 20, 4)]
    assert [run_id for answer in offsets for run_id in ids(answer)] == whole
    assert offsets[0].json["facets"] == {}


def test_a_cursor_continues_although_runs_came_and_changed(client, twenty, add, store):
    first = client.simulate_get("/api/runs?limit=5").json
    add("run_new")
    store.append(lambda _: [NewEvent("run_15", Retracted(author="x", reason="y"))], lambda _: None)
    second = client.simulate_get(f"/api/runs?limit=5&cursor={first['next']}")
    assert ids(second) == [f"run_{number}" for number in range(14, 9, -1)]


def test_a_cursor_is_for_its_own_order(client, twenty):
    cursor = client.simulate_get("/api/runs?limit=5").json["next"]
    for query in ("sort=score", "sort=started", "sort=-started&desc=1", "offset=3"):
        assert client.simulate_get(f"/api/runs?{query}&cursor={cursor}").status_code == 400


def test_several_keys_and_several_values(client, twenty):
    runs = client.simulate_get("/api/runs?sort=model,-score").json["runs"]
    told = [(run["model"], -run["score"]) for run in runs if run["score"] is not None]
    assert told == sorted(told)
    turned = client.simulate_get("/api/runs?sort=-model,score&desc=1").json["runs"]
    assert turned == runs
    answer = client.simulate_get("/api/runs?model=m0&model=m2&status=running&status=succeeded&agent=odd")
    assert {run["model"] for run in answer.json["runs"]} == {"m0", "m2"}
    assert answer.json["facets"]["agent"].keys() == {"even", "odd"}
    assert answer.json["facets"]["model"].keys() == {"m0", "m1", "m2"}
    assert answer.json["facets"]["status"] == {"succeeded": 6}


def test_times_and_reasons(client, add, store, histories):
    add("run_a")
    add("run_b")
    started = client.simulate_get("/api/runs/run_b").json["run"]["started_at"]
    assert ids(client.simulate_get(f"/api/runs?since={started}")) == ["run_b"]
    assert ids(client.simulate_get(f"/api/runs?until={started}")) == ["run_a"]
    assert ids(client.simulate_get("/api/runs?since=2999-01-01")) == []
    store.append(lambda _: [NewEvent("run_c", histories.started("c"))], lambda _: None)
    store.append(lambda _: [NewEvent("run_c", histories.failed("timeout"))], lambda _: None)
    assert ids(client.simulate_get("/api/runs?reason=timeout")) == ["run_c"]
    assert ids(client.simulate_get("/api/runs?reason=")) == ["run_b", "run_a"]
    assert client.simulate_get("/api/runs").json["facets"]["reason"] == {"timeout": 1}
    assert client.simulate_get("/api/runs?since=tomorrow").status_code == 400


def test_all_matching_runs_as_a_file(client, twenty):
    shown = client.simulate_get("/api/runs?sort=-score&model=m0&limit=3").json
    kept = client.simulate_get("/api/runs?sort=-score&model=m0&format=json")
    assert len(kept.json) == shown["total"] and kept.json[:3] == shown["runs"]
    table = client.simulate_get("/api/runs?sort=-score&model=m0&format=csv")
    lines = list(csv.reader(io.StringIO(table.text, newline="")))
    assert tuple(lines[0]) == RunRow.__struct_fields__ and len(lines) == shown["total"] + 1
    assert [line[0] for line in lines[1:]] == [run["run_id"] for run in kept.json]
    assert json.loads(lines[1][lines[0].index("extra_config")]) == {"seed": 42}


def test_rows_have_tokens_cost_errors_and_sortable_columns(client, add, store, histories):
    add("run_a", usage={"input_tokens": 10, "output_tokens": 5, "calls": 2, "cost_usd": 0.25}, stderr=0.1)
    store.append(lambda _: [NewEvent("run_b", histories.started("b"))], lambda _: None)
    long = histories.failed("bad_result")
    store.append(
        lambda _: [NewEvent("run_b", type(long)(ended_at=long.ended_at, reason="x", error="e" * 9999))], lambda _: None
    )
    b, a = client.simulate_get("/api/runs").json["runs"]
    assert (a["input_tokens"], a["total_tokens"], a["call_count"], a["cost_usd"], a["stderr"]) == (10, 15, 2, 0.25, 0.1)
    assert len(b["error"]) == 500 and b["error"].endswith("…")
    assert len(client.simulate_get("/api/runs/run_b").json["run"]["error"]) == 9999
    assert set(COLUMNS.values()) <= a.keys()


def test_a_tag_is_compared_whole_and_weakly(client, add):
    add("run_a")
    tag = client.simulate_get("/api/runs").headers["etag"]

    def asked(known):
        return client.simulate_get("/api/runs", headers={"If-None-Match": known}).status_code

    assert [asked(known) for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*")] == [304] * 4
    assert [asked(known) for known in ('"x"', tag[:-2] + '"', tag[:-1] + 'x"', f'"{tag[:9]}"')] == [200] * 4


@pytest.mark.parametrize("path", ["/api/runs", "/api/overview", "/api/runs/run_a", "/api/leaderboard"])
def test_a_position_after_the_last_event_is_an_error(client, add, path):
    add("run_a")
    beyond = client.simulate_get(f"{path}?as_of=3")
    assert (beyond.status_code, beyond.json["title"]) == (400, "bad parameter as_of")
    assert "event 3 does not exist yet" in beyond.json["detail"] and "last event is 2" in beyond.json["detail"]
    assert client.simulate_get(f"{path}?as_of=2").status_code == 200
    assert client.simulate_get(f"{path}?as_of=2999-01-01T00:00:00Z").status_code == 200
    add("run_b")
    assert client.simulate_get(f"{path}?as_of=3").status_code == 200


def test_every_answer_exists_for_the_past(client, add, store):
    add("run_a", 0.5)
    published = HighScorePublished(label="x", value=0.8, source="y")
    store.append(lambda _: [NewEvent("b", published)], lambda _: None)
    add("run_b", 0.9)
    then = {
        path: client.simulate_get(f"{path}?as_of=2").json
        for path in ("/api/runs", "/api/benchmarks", "/api/benchmarks/b", "/api/overview", "/api/leaderboard")
    }
    assert [run["run_id"] for run in then["/api/runs"]["runs"]] == ["run_a"]
    assert then["/api/benchmarks"]["benchmarks"][0]["best_score"] == 0.5
    assert then["/api/benchmarks"]["benchmarks"][0]["high_score"] is None
    assert len(then["/api/benchmarks/b"]["points"]) == 1 and then["/api/benchmarks/b"]["references"] == []
    assert then["/api/overview"]["counts"]["runs"] == 1
    assert [some["score"]["mean"] for some in then["/api/leaderboard"]["standings"]] == [0.5]
    assert all((answer["head"]["position"], answer["head"]["past"]) == (2, True) for answer in then.values())
    assert client.simulate_get("/api/high-scores?as_of=2").json["high_scores"] == []
    assert client.simulate_get("/api/high-scores?as_of=3").json["high_scores"][0]["holds"] is True
    assert len(client.simulate_get("/api/viewer-data?as_of=2").json["runs"]) == 1
    assert client.simulate_get("/api/runs/run_b?as_of=3").status_code == 404
    about = client.simulate_get("/api/runs/run_a?as_of=1").json
    assert about["run"]["status"] == "running" and about["head"]["past"]
    events = client.simulate_get("/api/runs/run_a/events?as_of=1").json
    assert [event["type"] for event in events["events"]] == ["started"]
    for path in ("/api/runs", "/api/overview", "/api/benchmarks", "/api/runs/run_a", "/api/viewer-data"):
        refused = client.simulate_get(f"{path}?as_of=yesterday")
        assert refused.status_code == 400 and "neither a time such as" in refused.json["detail"]


def test_an_answer_about_the_past_is_kept_by_the_client(client, add):
    add("run_a")
    tag = client.simulate_get("/api/runs?as_of=1").headers["etag"]
    add("run_b")
    again = client.simulate_get("/api/runs?as_of=1", headers={"If-None-Match": tag})
    assert again.status_code == 304, "the past does not change"
    assert client.simulate_get("/api/runs?as_of=1").headers["etag"] == tag
    assert client.simulate_get("/api/runs?as_of=2").headers["etag"] != tag
