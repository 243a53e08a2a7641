"""What a benchmark tells while it runs, also when it is torn or makes no sense."""

from __future__ import annotations

import json

from benchmarks.ledger.events import Progress
from benchmarks.orchestrator.telemetry import ProgressFile, summarize_calls


def test_progress_is_the_last_whole_line_that_makes_sense(tmp_path):
    path = tmp_path / "progress.jsonl"
    progress = ProgressFile(path)
    assert progress.look() is False and progress.latest is None
    path.write_text('{"done": 1, "total": 10}\n{"done": 2, "total": 10, "note": "two"}\n{"done": 3')
    assert progress.look() is True
    assert progress.latest == Progress(done=2, total=10, note="two")
    assert progress.look() is False
    with path.open("a") as file:
        file.write('}\nnonsense\n{"done": "many"}\n')
    assert progress.look() is True
    assert progress.latest == Progress(done=3)


def test_calls_add_up_in_the_words_of_any_client(tmp_path):
    path = tmp_path / "telemetry.jsonl"
    calls = [
        {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "latency_ms": 100},
        {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25, "latency_ms": 300.5, "cached_tokens": 4},
        {"latency_ms": 200},
    ]
    path.write_text("\n".join(map(json.dumps, calls)) + '\nnonsense\n[1]\n{"torn')
    assert summarize_calls(path) == {
        "input_tokens": 30,
        "output_tokens": 10,
        "total_tokens": 40,
        "cached_tokens": 4,
        "calls": 3,
        "latency_p50_ms": 200,
        "latency_p95_ms": 300.5,
    }


def test_no_calls_are_no_usage(tmp_path):
    assert summarize_calls(tmp_path / "nothing") == {}
    (tmp_path / "empty").touch()
    assert summarize_calls(tmp_path / "empty") == {}
