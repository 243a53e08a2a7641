"""What a benchmark tells while it runs, also when it is torn or makes no sense."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from benchmarks.ledger.events import Progress
from benchmarks.orchestrator.running.telemetry import Calls, ProgressFile, summarize_calls


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
    assert summarize_calls(tmp_path, "telemetry.jsonl").usage == {
        "input_tokens": 30,
        "output_tokens": 10,
        "total_tokens": 40,
        "cached_tokens": 4,
        "calls": 3,
        "latency_mean_ms": 200.167,
        "latency_p50_ms": 200,
        "latency_p95_ms": 300.5,
    }


def test_a_call_that_says_null_makes_the_sum_unknown(tmp_path):
    path = tmp_path / "telemetry.jsonl"
    known = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    path.write_text("\n".join(map(json.dumps, [known, dict.fromkeys(known), {"output_tokens": 5}])) + "\n")
    assert summarize_calls(tmp_path, "telemetry.jsonl").usage == {"calls": 3}


@pytest.mark.parametrize(
    ("calls", "sums"),
    [
        ([(100, 10, 110), (50, 5, None)], (150, 15, 165)),
        ([(100, 10, 110), (50, None, None)], (150, None, None)),
        ([(100, 10, 110), (None, None, 55)], (None, None, 165)),
        ([(100, None, 110), (50, 5, None)], (150, 15, 165)),
        ([(None, 10, 110), (50, None, 50)], (150, 10, 160)),
        ([(None, None, 110), (None, None, None)], (None, None, 110)),
        ([(None, 5, None), (None, 5, None)], (None, 10, None)),
    ],
)
def test_a_sum_that_lacks_a_part_is_unknown(tmp_path, calls, sums):
    names = ("input_tokens", "output_tokens", "total_tokens")
    told = [{name: count for name, count in zip(names, call, strict=True) if count is not None} for call in calls]
    (tmp_path / "telemetry.jsonl").write_text("".join(json.dumps(call) + "\n" for call in told))
    used = summarize_calls(tmp_path, "telemetry.jsonl").usage
    assert tuple(used.get(name) for name in names) == sums


def test_a_failed_call_took_the_tokens_that_its_server_reported(tmp_path):
    failed = {"ok": False, "status": 502, "input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    (tmp_path / "telemetry.jsonl").write_text(
        json.dumps(failed) + "\n" + json.dumps({"ok": False, "status": 502}) + "\n"
    )
    used = summarize_calls(tmp_path, "telemetry.jsonl").usage
    assert (used["input_tokens"], used["output_tokens"], used["total_tokens"], used["calls"]) == (100, 10, 110, 2)


def test_calls_that_were_refused_took_no_tokens(tmp_path):
    path = tmp_path / "telemetry.jsonl"
    refused = {"ok": False, "status": 401}
    path.write_text(json.dumps(refused) + "\n")
    assert summarize_calls(tmp_path, "telemetry.jsonl").usage["total_tokens"] == 0
    path.write_text(json.dumps(refused) + "\n" + json.dumps({"ok": False, "status": None}) + "\n")
    assert summarize_calls(tmp_path, "telemetry.jsonl").usage == {"calls": 2}


def test_without_calls_there_is_no_usage(tmp_path):
    assert summarize_calls(tmp_path, "nothing") == Calls()
    (tmp_path / "empty").touch()
    assert summarize_calls(tmp_path, "empty") == Calls()


DEEP = b"[" * 100_000 + b"]" * 100_000
CALL = b'{"input_tokens": 1, "latency_ms": 2}\n'


def test_calls_that_make_no_sense_are_passed_over_in_little_memory(tmp_path):
    path = tmp_path / "telemetry.jsonl"
    odd = [DEEP, b'{"x": "\xff"}', b'{"pad": "' + b"x" * 30_000_000 + b'"}', b'{"input_tokens": true}']
    path.write_bytes(
        CALL + b"\n".join([*odd, b'{"input_tokens": 1%s, "latency_ms": -1}' % (b"0" * 400)]) + b"\n" + CALL
    )
    tracemalloc.start()
    usage = summarize_calls(tmp_path, "telemetry.jsonl").usage
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    latency = {"latency_mean_ms": 2, "latency_p50_ms": 2, "latency_p95_ms": 2}
    assert usage == {"input_tokens": 2, "calls": 4, **latency}
    assert peak < 10_000_000


def test_progress_that_makes_no_sense_is_passed_over_and_a_note_is_short(tmp_path):
    path = tmp_path / "progress.jsonl"
    progress = ProgressFile(path)
    path.write_bytes(b'{"pad": "' + b"x" * 3_000_000 + b'"}\n{"done": 1, "x": ' + DEEP + b"}\n")
    assert [progress.look() for _ in range(5)] == [False] * 5
    with path.open("a") as file:
        file.write(json.dumps({"done": 2, "note": "n" * 1000}) + "\n")
    assert progress.look() is True
    assert progress.latest == Progress(done=2, note="n" * 200)
