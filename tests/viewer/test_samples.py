"""The samples of runs: lists that are filtered and sorted, single samples with their transcripts, and the heat map."""

from __future__ import annotations

import json

import pytest

from benchmarks.ledger.events import NewEvent, SamplesExcluded, ScoreAnew

HOSTILE = ["../..", "a/b?c#d", "%2e%2e", '<img src=x onerror="hacked()">', "اسم\u202eevil", "", " "]


def lines(*samples):
    return b"\n".join(json.dumps(sample).encode() for sample in samples)


@pytest.fixture
def mixed(add):
    samples = [
        {"id": "s1", "correct": True, "score": 1, "category": "algebra", "latency_ms": 30, "input_tokens": 5},
        {
            "id": "s2",
            "correct": False,
            "score": 0,
            "category": "algebra",
            "scores": {"exact": "I", "judge": {"value": 1, "explanation": "close"}},
        },
        {
            "id": "s10",
            "correct": False,
            "error": "RateLimitError: 429 after 5 tries",
            "category": "sets",
            "latency_ms": 900,
        },
        {
            "id": "s3",
            "correct": False,
            "score": 0,
            "metadata": {"category": "sets"},
            "scores": {"exact": "I", "judge": 0},
        },
        {"id": "s3", "correct": True, "score": 1, "category": "sets", "output": "Z\u00fcrich"},
    ]
    add("run_a", files={"output/samples.jsonl": lines(*samples) + b"\nnot json\n"})


def listed(client, query="", run="run_a"):
    answer = client.simulate_get(f"/api/runs/{run}/samples?brief=1&{query}").json
    return [row["id"] for row in answer["rows"]], answer


def test_a_list_shows_failed_samples_first(client, mixed):
    ids, answer = listed(client)
    assert ids == ["s10", "s2", "s3", "s1", "s3"]
    assert answer["samples"] == [] and (answer["total"], answer["errors"], answer["unreadable"]) == (5, 1, 1)
    row = answer["rows"][0]
    assert (row["outcome"], row["error"], row["category"]) == ("error", "RateLimitError: 429 after 5 tries", "sets")
    assert answer["head"]["position"] == 2


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("sort=id", ["s1", "s2", "s3", "s3", "s10"]),
        ("sort=-id", ["s10", "s3", "s3", "s2", "s1"]),
        ("sort=file", ["s1", "s2", "s10", "s3", "s3"]),
        ("sort=-latency", ["s10", "s1", "s2", "s3", "s3"]),
        ("sort=latency", ["s1", "s10", "s2", "s3", "s3"]),
        ("sort=score&outcome=incorrect", ["s2", "s3"]),
        ("category=algebra", ["s2", "s1"]),
        ("category=sets&outcome=error&outcome=correct", ["s10", "s3"]),
        ("error=RateLimitError", ["s10"]),
        ("scorer=judge", ["s3"]),
        ("scorer=exact", ["s2", "s3"]),
        ("lowest=0.5", ["s1", "s3"]),
        ("highest=0.5&sort=id", ["s2", "s3"]),
        ("q=RATELIMIT", ["s10"]),
        ("q=Z%C3%BCrich", ["s3"]),
        ("offset=3&limit=1", ["s1"]),
        ("category=nothing", []),
    ],
)
def test_a_list_is_filtered_and_sorted(client, mixed, query, ids):
    assert listed(client, query)[0] == ids


def test_facets_count_what_each_choice_would_keep_beside_the_others(client, mixed):
    _, answer = listed(client, "category=sets")
    assert answer["facets"]["outcome"] == {"correct": 1, "incorrect": 1, "error": 1, "unscored": 0}
    assert answer["facets"]["category"] == {"sets": 3, "algebra": 2}
    assert answer["facets"]["scorer"] == {"exact": 1, "judge": 1}
    assert answer["facets"]["error"] == {"RateLimitError": 1}
    assert [(one["name"], one["correct"], one["error"]) for one in answer["categories"]] == [
        ("algebra", 1, 0),
        ("sets", 1, 1),
    ]


def test_scores_that_are_not_right_or_wrong_show_how_they_are_spread(client, add):
    add("run_a", files={"output/samples.jsonl": lines(*({"id": n, "score": n / 2} for n in range(41)))})
    _, answer = listed(client, "sort=-score&limit=2")
    assert [row["score"] for row in answer["rows"]] == [20.0, 19.5]
    assert (answer["spread"]["low"], answer["spread"]["high"], sum(answer["spread"]["counts"])) == (0.0, 20.0, 41)
    assert len(answer["spread"]["counts"]) == 20 and answer["facets"]["outcome"]["unscored"] == 41


def test_a_sample_has_its_fields_its_verdicts_and_its_neighbours(client, mixed):
    found = client.simulate_get("/api/runs/run_a/sample?id=s2").json
    assert found["sample"]["scores"]["judge"]["explanation"] == "close"
    assert [(one["name"], one["passed"], one["explanation"]) for one in found["verdicts"]] == [
        ("exact", False, ""),
        ("judge", True, "close"),
    ]
    assert (found["index"], found["total"]) == (1, 5)
    assert (found["previous"]["id"], found["next"]["id"]) == ("s10", "s3")
    found = client.simulate_get("/api/runs/run_a/sample?id=s2&category=algebra").json
    assert (found["index"], found["previous"], found["next"]["id"]) == (0, None, "s1")
    found = client.simulate_get("/api/runs/run_a/sample?id=s2&outcome=correct").json
    assert (found["index"], found["previous"], found["next"]) == (None, None, None)


def test_a_question_that_was_asked_again_is_addressed_by_its_line(client, mixed):
    found = client.simulate_get("/api/runs/run_a/sample?id=s3").json
    assert found["lines"] == [4, 5] and found["row"]["line"] == 4
    again = client.simulate_get("/api/runs/run_a/sample?id=s3&line=5").json
    assert again["sample"]["output"] == "Zürich"


@pytest.mark.parametrize("id", HOSTILE)
def test_an_id_of_any_kind_is_found(client, add, id):
    add("run_a", files={"output/samples.jsonl": lines({"id": id, "correct": True}, {"id": "other"})})
    found = client.simulate_get("/api/runs/run_a/sample", params={"id": id})
    assert found.status_code == 200 and found.json["sample"]["id"] == id
    assert client.simulate_get("/api/runs/run_a/sample?line=1").json["id"] == id


def test_a_sample_that_is_not_there_is_an_error(client, mixed):
    for query in ("id=unknown", "line=99"):
        answer = client.simulate_get(f"/api/runs/run_a/sample?{query}")
        assert answer.status_code == 404 and "sample" in answer.json["detail"]
    assert client.simulate_get("/api/runs/run_b/sample?id=s1").status_code == 404


def test_a_file_that_changes_while_it_is_known_is_not_shown(client, mixed, workspace):
    assert len(listed(client)[0]) == 5
    file = workspace.run_folder("rg_1", "b", "b", "run_a") / "output" / "samples.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"score": 0', b'"score": 1'))
    assert listed(client)[1]["problem"] == "samples.jsonl is not the file that was recorded"
    found = client.simulate_get("/api/runs/run_a/sample?id=s2").json
    assert found["sample"] is None and found["problem"] == "samples.jsonl is not the file that was recorded"


def test_a_transcript_may_be_in_a_file_of_trajectories(client, add, workspace):
    trajectories = lines(
        *({"task_id": name, "messages": [{"role": "user", "content": f"do {name}"}]} for name in ("s1", "lonely"))
    )
    files = {"output/samples.jsonl": lines({"id": "s1", "correct": True}), "output/trajectories.jsonl": trajectories}
    add("run_a", files=files)
    found = client.simulate_get("/api/runs/run_a/sample?id=s1").json
    assert found["transcript_path"] == "output/trajectories.jsonl"
    assert found["transcript"]["turns"][0]["parts"][0]["text"] == "do s1"
    lonely = client.simulate_get("/api/runs/run_a/sample?id=lonely").json
    assert lonely["sample"] is None and lonely["transcript"]["shape"] == "OpenAI messages"
    told = client.simulate_get("/api/runs/run_a/trajectories").json
    assert [(one["name"], one["turns"]) for one in told["trajectories"]] == [("s1", 1), ("lonely", 1)]
    file = workspace.run_folder("rg_1", "b", "b", "run_a") / "output" / "trajectories.jsonl"
    file.write_bytes(trajectories.replace(b"do ", b"no "))
    told = client.simulate_get("/api/runs/run_a/trajectories").json
    assert (told["trajectories"], told["notes"]) == (
        [],
        ["output/trajectories.jsonl is not the file that was recorded"],
    )


def test_an_excluded_sample_is_marked_and_counts_in_no_map(client, mixed, store):
    anew = ScoreAnew(score=0.5, samples=4)
    event = SamplesExcluded(author="x", reason="y", samples=["s2"], anew=anew)
    assert [row["excluded"] for row in listed(client, "sort=file")[1]["rows"]] == [False] * 5
    store.append(lambda _: [NewEvent("run_a", event)], lambda _: None)
    assert [row["excluded"] for row in listed(client, "sort=file")[1]["rows"]] == [False, True, False, False, False]
    assert client.simulate_get("/api/runs/run_a/sample?id=s2").json["row"]["excluded"]
    rows = client.simulate_get("/api/benchmarks/b/samples").json["rows"]
    assert sorted(row["id"] for row in rows) == ["s1", "s10", "s3"]
    then = client.simulate_get("/api/runs/run_a/samples?brief=1&as_of=2").json
    assert not any(row["excluded"] for row in then["rows"])


def test_a_log_begins_at_a_line_and_names_it(client, add):
    log = b"".join(b"line %d\n" % number for number in range(1, 101))
    add("run_a", files={"stdout.log": log})

    def read(query):
        answer = client.simulate_get(f"/api/runs/run_a/logs/stdout?{query}")
        return answer.text.splitlines()[0], answer.headers.get("X-Log-Line")

    assert read("line=50") == ("line 50", "50")
    assert read("line=1") == ("line 1", "1")
    assert read("offset=14&number=1") == ("line 3", "3")
    assert read("offset=-9&number=1") == ("line 100", "100")
    assert read("line=5000") == ("line 100", "100"), "the last line, if there are fewer"
    assert client.simulate_get("/api/runs/run_a/logs/stderr?line=7&number=1").text == ""
    assert client.simulate_get("/api/runs/run_a/logs/stdout?line=0").status_code == 400


def conversation(*texts):
    return [{"role": "assistant", "content": text} for text in texts]


@pytest.fixture
def pair(add):
    a = [
        {"id": "1", "correct": True, "messages": conversation("look", "mend", "done")},
        {"id": "2", "correct": False, "category": "x"},
        {"id": "3", "correct": False, "error": "boom"},
        {"id": "4", "correct": True},
    ]
    b = [
        {"id": "3", "correct": True},
        {"id": "2", "correct": False},
        {"id": "1", "correct": False, "messages": conversation("look", "break", "done")},
        {"id": "5", "correct": True},
    ]
    add("run_a", files={"output/samples.jsonl": lines(*a)}, start={"extra_config": {"n": 1}})
    add("run_b", files={"output/samples.jsonl": lines(*b)}, start={"model": "other", "extra_config": {"n": 1}})


def test_samples_of_several_runs_stand_side_by_side_the_different_ones_first(client, pair):
    found = client.simulate_get("/api/compare/samples?a=run_a&b=run_b&brief=1&sort=different").json
    assert [(row["id"], row["is_different"]) for row in found["rows"]] == [
        ("1", True),
        ("3", True),
        ("2", False),
        ("4", False),
        ("5", False),
    ]
    assert [side and side["outcome"] for side in found["rows"][1]["sides"]] == ["error", "correct"]
    assert found["rows"][3]["sides"][1] is None
    assert (found["counts"]["different"], found["counts"]["same"], found["counts"]["unpaired"]) == (2, 1, 3)
    found = client.simulate_get("/api/compare/samples?a=run_a&b=run_b&more=run_a&brief=1&show=different").json
    assert [len(row["sides"]) for row in found["rows"]] == [3, 3, 3, 3][: len(found["rows"])]
    assert client.simulate_get("/api/compare/samples?a=run_a&b=run_b" + "&more=run_a" * 5).status_code == 400


def test_transcripts_of_two_runs_are_aligned(client, pair):
    found = client.simulate_get("/api/compare/transcripts?a=run_a&b=run_b&id=1").json
    assert [step["difference"] for step in found["steps"]] == ["same", "other", "same"]
    assert found["first_divergence"] == 1
    found = client.simulate_get("/api/compare/transcripts?a=run_a&b=run_b&id=4").json
    assert found["b"] is None and found["missing"] == ["run_b: the run has no sample '4'"]


def test_settings_that_differ_come_first(client, pair):
    found = client.simulate_get("/api/compare/settings?run=run_a&run=run_b").json
    differing = {one["name"]: one["values"] for one in found["settings"] if one["differs"]}
    assert list(differing) == ["model"] and found["settings"][0]["name"] == "model"
    assert {"name": "option.n", "values": ["1", "1"], "differs": False} in found["settings"]
    assert client.simulate_get("/api/compare/settings?run=run_a").status_code == 400


CATEGORY_WAYS = (
    {"category": "x", "metadata": {"category": "y"}},
    {"metadata": {"turns": [1, {"category": "y"}], "category": "x"}},
    {"metadata": "category: y"},
    {"metadata": {"topic": "x"}},
)


def test_the_heat_map_shows_which_contender_solves_which_sample(client, add):
    def run(run_id, model, *correct):
        samples = [
            {"id": f"s{n}", "correct": one is True, **named, **({"error": "boom"} if one is None else {})}
            for (n, one), named in zip(enumerate(correct), CATEGORY_WAYS, strict=True)
        ]
        start = {"model": model, "comparison_key": "k"}
        add(
            run_id, sum(map(bool, correct)) / len(correct), start=start, files={"output/samples.jsonl": lines(*samples)}
        )

    run("run_1", "small", True, False, False, False)
    run("run_2", "small", True, False, True, False)
    run("run_3", "large", True, True, True, None)
    add("run_4", 0.4, start={"model": "bare", "comparison_key": "k"})
    found = client.simulate_get("/api/benchmarks/b/samples").json
    assert [(one["model"], one["repeats"]) for one in found["contenders"]] == [("large", 1), ("small", 2), ("bare", 0)]
    assert found["contenders"][2]["problems"] == ["run_4: no samples were recorded"]
    assert [row["id"] for row in found["rows"]] == ["s3", "s1", "s0", "s2"]
    by_id = {row["id"]: row["cells"] for row in found["rows"]}
    assert by_id["s2"][1] == {"score": 1.0, "is_error": False, "repeats": 2, "solved": 1, "flaky": True}
    assert by_id["s3"][0]["is_error"] and by_id["s3"][2] is None
    assert found["counts"] == {"all": 4, "never": 1, "always": 2, "different": 2, "errors": 1, "flaky": 1}
    assert found["categories"] == {"x": 3, "": 1}
    assert client.simulate_get("/api/benchmarks/b/samples?category=x").json["total"] == 3
    named = client.simulate_get("/api/runs/run_3/samples?brief=1").json["rows"]
    assert {row["id"]: row["category"] for row in found["rows"]} == {row["id"]: row["category"] for row in named}, (
        "the heat map and the list name the same category"
    )
    for show, ids in (("never", ["s3"]), ("flaky", ["s2"]), ("always", ["s0", "s2"]), ("errors", ["s3"])):
        told = client.simulate_get(f"/api/benchmarks/b/samples?show={show}").json
        assert [row["id"] for row in told["rows"]] == ids
    then = client.simulate_get("/api/benchmarks/b/samples?as_of=2").json
    assert [one["run_id"] for one in then["contenders"]] == ["run_1"] and then["head"]["past"]
    assert client.simulate_get("/api/benchmarks/unknown/samples").status_code == 404
