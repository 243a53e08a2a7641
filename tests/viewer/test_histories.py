"""Benchmarks and their histories, the overview, the leaderboard, comparisons, and the ledger's extent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from benchmarks.ledger.events import HighScorePublished, NewEvent, Retracted
from benchmarks.projections.scores.check import check, last_before, last_run
from benchmarks.projections.scores.samples import SampleScores
from benchmarks.projections.sqlite.database import read_runs
from benchmarks.projections.sqlite.opening import open_history


def ended(second):
    return f"2026-11-23T10:00:{second:02d}.000000Z"


def in_group(number, **start):
    return {"run_group_id": f"rg_{number}", **start}


def publish(store, value, **more):
    event = HighScorePublished(label="x", value=value, source="y", **more)
    store.append(lambda _: [NewEvent("b", event)], lambda _: None)


def test_the_history_of_a_benchmark(client, add, store, histories):
    publish(store, 0.8, unit="ratio")
    for number, score in enumerate([0.5, 0.4, 0.7, 0.6]):
        start = {"model": "m1" if number < 3 else "m2", "signature": "s" if number < 2 else str(number)}
        add(f"run_{number}", score, start=start, ended_at=ended(number), synthetic=number == 1)
    add("run_other", 120.0, start={"comparison_key": "other"}, unit="s", higher_is_better=False, ended_at=ended(0))
    publish(store, 0.9, unit="ratio")
    publish(store, 5.0, unit="s", higher_is_better=False)
    store.append(lambda _: [NewEvent("run_2", Retracted(author="x", reason="y"))], lambda _: None)
    told = client.simulate_get("/api/benchmarks/b").json
    assert [task["comparison_key"] for task in told["tasks"]] == ["c", "other"]
    assert told["task"]["runs"] == 4
    assert [(p["run_id"], p["is_record"], p["best_so_far"]) for p in told["points"]] == [
        ("run_0", True, 0.5),
        ("run_1", False, None),
        ("run_2", False, None),
        ("run_3", True, 0.6),
    ]
    assert [p["synthetic"] or p["retracted"] for p in told["points"]] == [False, True, True, False]
    assert [step["value"] for step in told["references"]] == [0.8, 0.9], "in the unit of the task"
    assert [(step["run_id"], step["score"]) for step in told["records"]] == [("run_0", 0.5), ("run_3", 0.6)]
    assert [[run["run_id"] for run in some["runs"]] for some in told["attempts"]] == [["run_0", "run_1"]]
    assert [(some["model"], some["runs"], some["mean"]) for some in told["repeats"]] == [("m1", 1, 0.5), ("m2", 1, 0.6)]
    assert all(some["low"] < some["mean"] < some["high"] for some in told["repeats"])
    other = client.simulate_get("/api/benchmarks/b?task=other").json
    assert other["points"][0]["score"] == 120.0 and other["references"][0]["value"] == 5.0
    assert client.simulate_get("/api/benchmarks/b?task=nothing").status_code == 404
    assert client.simulate_get("/api/benchmarks/unknown").status_code == 404
    short = client.simulate_get("/api/benchmarks/b?limit=1").json
    assert (len(short["points"]), short["points"][0]["run_id"], short["points_total"]) == (1, "run_3", 4)


def test_the_distribution_of_one_contender(client, add):
    for number, score in enumerate([0.4, 0.5, 0.6]):
        add(f"run_{number}", score, ended_at=ended(number))
    [repeats] = client.simulate_get("/api/benchmarks/b").json["repeats"]
    assert repeats["mean"] == 0.6, "as on the leaderboard: the newest run of each repetition"
    assert (repeats["min"], repeats["max"], repeats["scores"]) == (0.4, 0.6, [0.4, 0.5, 0.6])


def test_the_overview(client, add, store, histories):
    assert client.simulate_get("/api/overview").json["counts"]["runs"] == 0
    add("run_0", 0.5, ended_at=ended(0), stderr=0.01)
    add("run_1", 0.7, start=in_group(1), ended_at=ended(1), stderr=0.01)
    add("run_2", 0.6, start=in_group(2), ended_at=ended(2), stderr=0.02)
    add("run_3", 0.1, start=in_group(3, model="other"), ended_at=ended(3))
    add("run_4", 0.05, start=in_group(4, model="other"), ended_at=ended(4))
    for number in (5, 6):
        store.append(lambda _, n=number: [NewEvent(f"run_{n}", histories.started(str(n)))], lambda _: None)
    store.append(lambda _: [NewEvent("run_5", histories.failed("timeout"))], lambda _: None)
    told = client.simulate_get("/api/overview?days=365").json
    counts = {"runs": 7, "running": 1, "stale": 0, "succeeded": 5, "failed": 1}
    assert counts | {"benchmarks": 1, "agents": 1, "models": 2} == told["counts"]
    assert [run["run_id"] for run in told["running"]] == ["run_6"]
    assert told["finished"][-1]["run_id"] == "run_0"
    assert [run["run_id"] for run in told["records"]] == ["run_1"], "the first score of all beats nothing"
    worse = [(some["run"]["run_id"], some["before"]["run_id"], some["is_significant"]) for some in told["regressions"]]
    assert worse == [("run_2", "run_1", True), ("run_4", "run_3", False)], "what is more than noise comes first"
    assert (told["records_total"], told["regressions_total"], told["regressions_significant"]) == (1, 2, 1)
    assert [(some["reason"], some["runs"], some["latest_run_id"]) for some in told["failures"]] == [
        ("timeout", 1, "run_5")
    ]
    assert len(told["activity"]) == 366
    assert {day["date"]: (day["succeeded"], day["failed"]) for day in told["activity"]}["2026-11-23"] == (5, 1)
    assert client.simulate_get("/api/overview?days=0").status_code == 400


def test_all_numbers_of_the_overview_are_about_one_time_span(client, add):
    just_before = datetime.now(UTC) - timedelta(days=1, seconds=30)
    add("run_0", ended_at=f"{just_before:%Y-%m-%dT%H:%M:%S.%fZ}")
    add("run_1", ended_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}")
    told = client.simulate_get("/api/overview?days=1").json
    assert sum(day["succeeded"] for day in told["activity"]) == 1


def test_a_regression_stands_until_a_newer_score_ends_it(client, add):
    long_ago = {"ended_at": "2020-01-01T10:00:00.000000Z", "stderr": 0.01}
    add("run_0", 0.9, start=in_group(0), **long_ago)
    add("run_1", 0.5, start=in_group(1), **long_ago | {"ended_at": "2020-01-02T10:00:00.000000Z"})
    add("run_2", 0.5, start=in_group(2, model="other"), ended_at=ended(2))
    [regression] = client.simulate_get("/api/overview?days=1").json["regressions"]
    assert regression["run"]["run_id"] == "run_1"
    add("run_3", 0.9, start=in_group(3), ended_at=ended(3), stderr=0.01)
    assert client.simulate_get("/api/overview?days=1").json["regressions"] == []


def test_all_records_and_regressions_are_counted(client, add):
    for number in range(13):
        for group, score in enumerate((number, number - 0.5)):
            start = in_group(group, model=f"m{number}")
            add(f"run_{number}_{score}", score, start=start, ended_at=ended(number))
    told = client.simulate_get("/api/overview?days=365").json
    assert (len(told["records"]), told["records_total"]) == (10, 12)
    assert (len(told["regressions"]), told["regressions_total"]) == (10, 13)


def test_where_lower_is_better_a_regression_is_up(client, add):
    for number, score in enumerate([1.0, 2.0]):
        start = in_group(number)
        add(f"run_{number}", score, start=start, unit="s", higher_is_better=False, ended_at=ended(number))
    [regression] = client.simulate_get("/api/overview?days=365").json["regressions"]
    assert regression["delta"] == 1.0


def test_the_start_page_and_the_check_agree_on_what_is_more_than_noise(client, add, workspace, store):
    """One of five drops of 2.1 standard errors is to be expected by chance now and then; one of 6 is not."""
    for number, score in enumerate([0.55, 0.55, 0.55, 0.55, 0.27]):
        for group, one in enumerate((0.7, score)):
            start = in_group(group, model=f"m{number}")
            add(f"run_{number}_{group}", one, start=start, ended_at=ended(group), stderr=0.05, samples=100)
    shown = client.simulate_get("/api/overview?days=365").json["regressions"]
    with open_history(workspace, store) as tables:
        runs = list(read_runs(tables))
    nothing = lambda _: SampleScores(problem="none")  # noqa: E731
    found = check(last_run(runs), last_before(runs), nothing, checked="", against="").scores
    by_check = {one.model: one.contrast.verdict == "worse" for one in found if one.result == "worse"}
    assert {one["run"]["model"]: one["is_significant"] for one in shown} == by_check
    assert by_check == {"m0": False, "m1": False, "m2": False, "m3": False, "m4": True}


def test_two_runs_of_one_group_are_not_a_regression(client, add):
    for number, score in enumerate([0.7, 0.5]):
        add(f"run_{number}", score, ended_at=ended(number))
    assert client.simulate_get("/api/overview?days=365").json["regressions"] == []


def test_the_leaderboard(client, add):
    add("run_a", 0.5, start={"model": "m1"})
    add("run_b", 0.9, start={"model": "m2"})
    add("run_c", 1.0, start={"model": "oracle"}, synthetic=True)
    board = client.simulate_get("/api/leaderboard").json["standings"]
    assert [(some["model"], some["rank"], some["score"]["mean"]) for some in board] == [("m2", 1, 0.9), ("m1", 2, 0.5)]
    [only] = client.simulate_get("/api/leaderboard?model=m1&benchmark=b").json["standings"]
    assert only["rank"] == 2, "its rank among all"
    whole = client.simulate_get("/api/leaderboard?include=synthetic").json["standings"]
    assert whole[0]["model"] == "oracle"
    assert client.simulate_get("/api/leaderboard?include=mock").status_code == 400
    known = client.simulate_get("/api/leaderboard").headers["etag"]
    assert client.simulate_get("/api/leaderboard", headers={"If-None-Match": known}).status_code == 304


def samples(*right):
    lines = (json.dumps({"id": str(number), "correct": bool(is_right)}) for number, is_right in enumerate(right))
    return "\n".join(lines).encode()


def test_a_comparison(client, add):
    add("run_a", 0.5, start={"model": "m1"}, files={"output/samples.jsonl": samples(1, 1, 0, 0)})
    add("run_b", 0.75, start={"model": "m2"}, files={"output/samples.jsonl": samples(1, 1, 1, 0)})
    told = client.simulate_get("/api/compare?of=model:m1&of=model:m2").json
    assert [side["name"] for side in told["sides"]] == ["local:m1", "local:m2"]
    [row] = told["rows"]
    assert [score["mean"] for score in row["scores"]] == [0.5, 0.75]
    assert row["contrasts"][0] is None
    assert (row["contrasts"][1]["delta"], row["contrasts"][1]["pairs"], row["contrasts"][1]["wins"]) == (0.25, 4, 1)
    assert told["head"]["position"] == 4
    then = client.simulate_get("/api/compare?of=as-of:2&of=as-of:now").json
    assert [side["runs"] for side in then["sides"]] == [1, 2]
    for query, said in (
        ("of=model:m1", "give it two to 6 times, not 1"),
        ("of=run_a&of=nothing", "unknown run, group, model or agent 'nothing'"),
        ("of=as-of:never&of=run_a", "neither a time"),
    ):
        answer = client.simulate_get(f"/api/compare?{query}")
        assert answer.status_code == 400 and said in answer.json["detail"]


def test_two_runs_sample_by_sample(client, add):
    add("run_a", 0.5, files={"output/samples.jsonl": samples(1, 1, 0, 0)})
    add("run_b", 0.6, files={"output/samples.jsonl": samples(1, 0, 1, 0, 1)})
    told = client.simulate_get("/api/compare/samples?a=run_a&b=run_b").json
    judged = {"both": 1, "only_a": 1, "only_b": 1, "neither": 1, "unpaired": 1}
    assert told["counts"] == {**judged, "different": 2, "same": 2, "missing": 1}
    assert [pair["outcome"] for pair in told["samples"]] == ["both", "only_a", "only_b", "neither"]
    [pair] = client.simulate_get("/api/compare/samples?a=run_a&b=run_b&show=only_b").json["samples"]
    assert (pair["id"], pair["a"]["correct"], pair["b"]["correct"]) == ("2", False, True)
    assert client.simulate_get("/api/compare/samples?a=run_a").status_code == 400
    assert client.simulate_get("/api/compare/samples?a=run_a&b=nothing").status_code == 404


def test_the_extent_of_the_ledger(client, add, store, histories):
    assert client.simulate_get("/api/ledger").json["marks"] == []
    many = [NewEvent(f"run_{number}", histories.started(str(number))) for number in range(1000)]
    store.append(lambda _: many, lambda _: None)
    told = client.simulate_get("/api/ledger").json
    assert (told["events"], told["runs"], told["unreadable"]) == (1000, 1000, 0)
    assert told["bytes"] == sum(path.stat().st_size for path in store.files())
    positions = [mark["position"] for mark in told["marks"]]
    assert positions[0] == 1 and positions[-1] == 1000 and positions == sorted(set(positions))
    assert 100 <= len(positions) <= 200 and told["first_at"] == told["marks"][0]["at"]


def test_metrics_are_in_prometheus_format(client, add):
    add("run_a")
    client.simulate_get("/nowhere")
    text = client.simulate_get("/metrics").text
    for line in text.splitlines():
        assert line.startswith("#") or float(line.rpartition(" ")[2]) >= 0
    assert 'viewer_requests_total{status="4xx"} 1' in text
    assert "benchmarks_ledger_position 2" in text and 'benchmarks_runs{status="succeeded"} 1' in text
