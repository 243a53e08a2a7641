"""What trajectories of suites tell of model calls."""

from __future__ import annotations

import json

import pytest

from benchmarks.ledger.events import Artifact
from benchmarks.orchestrator.running.telemetry import usage_of
from benchmarks.orchestrator.running.trajectories import MAX_BYTES, read_calls


@pytest.fixture
def read(tmp_path):
    """The usage in files of a run's output: text as it is, other values as JSON."""

    def read(**files):
        artifacts = []
        for name, content in files.items():
            path = tmp_path / "output" / name.replace("__", ".").replace("_s_", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            artifacts.append(Artifact(path.relative_to(tmp_path).as_posix(), path.stat().st_size, ""))
        calls, notes = read_calls(tmp_path, artifacts)
        assert notes == []
        return usage_of(calls)

    return read


def test_lines_with_usage_as_the_standard_suites_write_them(read):
    line = {"messages": [{"role": "user", "content": "?"}], "usage": {"prompt_tokens": 30, "completion_tokens": 4}}
    text = "\n".join([json.dumps({**line, "latency_ms": 100}), "torn", json.dumps({**line, "latency_ms": 300}), ""])
    assert read(trajectories__jsonl=text) == {
        "input_tokens": 60,
        "output_tokens": 8,
        "calls": 2,
        "latency_mean_ms": 200.0,
        "latency_p50_ms": 100,
        "latency_p95_ms": 300,
    }


def test_tokens_of_actions_and_not_again_of_their_run(read):
    actions = [{"action": "A", "tokens_used": 10, "latency_ms": 2.0}, {"action": "B", "tokens_used": 20}]
    runs = [{"run_id": "1", "tokens_used": 30, "actions": actions}]
    found = read(**{"trajectories-20261128__json": runs})
    assert (found["total_tokens"], found["calls"]) == (30, 2)


@pytest.mark.parametrize(
    "turn",
    [
        {"usage": {"promptTokens": 5, "completionTokens": 2}},
        {"usage": {"calls": [{"input_tokens": 5, "output_tokens": 2}], "prompt_tokens": 500}},
        {"llmCalls": [{"promptTokens": 5, "completionTokens": 2}]},
        {"prediction": {"raw_output": {"params": {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}}}},
        {"prompt_tokens": 5, "completion_tokens": 2, "usage": None},
    ],
)
def test_shapes_of_other_suites(read, turn):
    found = read(trajectories__json=[turn])
    assert (found["input_tokens"], found["output_tokens"], found["calls"]) == (5, 2, 1)


def test_details_and_cost(read):
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4},
        "cost_usd": 0.25,
    }
    assert read(trajectories__json=[{"usage": usage}, {"usage": usage}]) == {
        "input_tokens": 18,
        "output_tokens": 10,
        "cached_tokens": 8,
        "calls": 2,
        "cost_usd": 0.5,
    }


def test_a_mock_uses_no_tokens_and_is_not_said_to_use_none(read):
    line = json.dumps({"usage": {"prompt_tokens": 0, "completion_tokens": 0}, "latency_ms": 1})
    assert "input_tokens" not in read(trajectories__jsonl=line)


def test_one_trajectory_in_two_files_counts_once(read):
    turn = {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    assert read(trajectories__json=[turn], trajectories__jsonl=json.dumps(turn))["calls"] == 1
    assert read(trajectories__json=[turn], two_s_trajectories__json=[turn])["calls"] == 2


@pytest.mark.parametrize("name", ["result.json", "trajectories.txt", "samples.jsonl", "my-trajectory-notes.md"])
def test_other_files_are_not_read(tmp_path, name):
    (tmp_path / name).write_text('{"usage": {"prompt_tokens": 5}}')
    assert read_calls(tmp_path, [Artifact(name, 1, "")]) == ([], [])


def test_odd_files_are_named_and_stop_nothing(tmp_path):
    deep = "[" * 5000 + "]" * 5000
    odd = '{"usage": {"prompt_tokens": -5, "completion_tokens": 1e300, "total_tokens": true}}'
    for name, text in (("a-trajectories.json", deep), ("b-trajectories.json", odd), ("c-trajectories.json", "\xff")):
        (tmp_path / name).write_text(text)
    (tmp_path / "link-trajectories.json").symlink_to("/etc/hostname")
    names = [
        "a-trajectories.json",
        "b-trajectories.json",
        "c-trajectories.json",
        "link-trajectories.json",
        "gone-trajectories.json",
    ]
    calls, notes = read_calls(tmp_path, [Artifact(name, 1, "") for name in names])
    assert calls == [] and len(notes) == 2
    [note] = read_calls(tmp_path, [Artifact("trajectories.jsonl", MAX_BYTES + 1, "")])[1]
    assert "bytes" in note
