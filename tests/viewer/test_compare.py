"""Comparisons: which sides there are, what each spent, and what could not be compared."""

from __future__ import annotations

import pytest


@pytest.fixture
def team(add):
    """Three models on two option sets of a benchmark; the first model ran only one of them, and another agent too."""
    for number, (model, agent, options, score) in enumerate(
        [
            ("small", "mini", {"context": 32}, 0.2),
            ("large", "mini", {"context": 32}, 0.6),
            ("large", "mini", {"context": 128}, 0.4),
            ("large", "hands", {"context": 128}, 0.5),
            ("large", "mini", None, 0.9),
        ]
    ):
        benchmark = "long" if options else "short"
        start = {
            "benchmark_id": benchmark,
            "comparison_key": f"{benchmark}-{options}",
            "model": model,
            "agent": agent,
            "provider": "p",
            "extra_config": options or {},
        }
        usage = {"input_tokens": 100 * (number + 1), "cost_usd": 0.5}
        add(f"run_{number}", score, start=start, usage=usage, duration_seconds=10.0 * (number + 1))


def compared(client, *sides, **more):
    answer = client.simulate_get("/api/compare", params={"of": list(sides), **more}, params_csv=False)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_contender_is_an_agent_with_a_model(client, team):
    found = compared(client, "contender:mini with p:small", "contender:mini with p:large")
    assert [(side["kind"], side["name"]) for side in found["sides"]] == [
        ("contender", "mini with p:small"),
        ("contender", "mini with p:large"),
    ]
    assert [[score["mean"] for score in row["scores"]] for row in found["rows"]] == [[0.2, 0.6]]


def test_each_row_says_what_its_sides_spent(client, team):
    found = compared(client, "model:small", "model:large")
    spent = [[(one["cost_usd"], one["seconds"], one["input_tokens"]) for one in row] for row in found["spent"]]
    assert spent == [[(0.5, 10.0, 100.0), (0.5, 20.0, 200.0)]]
    assert found["spent"][0][0]["output_tokens"] is None


def test_everything_that_was_not_compared_is_named_with_its_reason(client, team):
    found = compared(client, "model:small", "model:large")
    unlike = {(one["benchmark_id"], one["side"]): one["reason"] for one in found["unlike"]}
    assert "context" in next(reason for (name, _), reason in unlike.items() if name == "long")
    assert unlike["short", "p:large"] == "only p:large has a score"
    listed = [one["reason"] for one in found["unlike"] if one["benchmark_id"] == "long"]
    assert len(listed) == 2, "the other options with each of their agents"


def test_a_row_names_its_options_although_only_one_side_has_others(client, team):
    found = compared(client, "model:small", "model:large")
    assert [row["task_options"] for row in found["rows"]] == [{"context": 32}]


def test_a_comparison_can_be_of_some_benchmarks(client, team):
    found = compared(client, "model:small", "model:large", benchmark="long")
    assert [row["task"]["benchmark_id"] for row in found["rows"]] == ["long"]
    assert {one["benchmark_id"] for one in found["unlike"]} == {"long"}
