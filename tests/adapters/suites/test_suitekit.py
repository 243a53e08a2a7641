"""What suites share: a client that does not give up too early or too late, and a report that adds up."""

from __future__ import annotations

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.suites.suitekit.chat import Answer, ChatClient, ChatError
from benchmarks.adapters.suites.suitekit.report import Report, Sample, percentile, standard_error

GOOD = {
    "model": "the-model",
    "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}},
}
ASK = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "seed": 1}


@pytest.fixture
def client(server, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHMARK_TELEMETRY_JSONL", str(tmp_path / "telemetry.jsonl"))
    waits = []
    client = ChatClient("m", base_url=server.url, key="sk-secret", sleep=waits.append)
    client.waits = waits
    client.calls = lambda: [json.loads(line) for line in (tmp_path / "telemetry.jsonl").read_text().splitlines()]
    return client


def test_an_answer_with_its_tokens_is_told_as_a_call(client, server):
    server.will_answer((200, {}, GOOD))
    answer = client.ask(**ASK)
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.cached_tokens) == ("hello", 7, 2, 3)
    assert server.asked[0]["temperature"] == 0 and server.asked[0]["seed"] == 1
    assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    [call] = client.calls()
    assert (call["ok"], call["total_tokens"], call["model"]) == (True, 9, "the-model")
    assert call["latency_ms"] == answer.latency_ms > 0


def test_what_may_pass_is_tried_again_after_the_pause_the_server_names(client, server):
    server.will_answer(
        (429, {"Retry-After": "7"}, {}), (503, {}, {}), (500, {"Retry-After": "soon"}, {}), (200, {}, GOOD)
    )
    assert client.ask(**ASK).text == "hello"
    assert client.waits == [7, 1.0, 2.0]
    assert [call["ok"] for call in client.calls()] == [False, False, False, True]


def test_what_will_not_pass_is_told_at_once_without_the_key(client, server):
    server.will_answer((401, {}, {"error": "bad key"}))
    with pytest.raises(ChatError, match=r"HTTP 401.*bad key") as told:
        client.ask(**ASK)
    assert client.waits == [] and "sk-secret" not in str(told.value)


def test_a_server_that_repeats_the_key_does_not_get_it_into_the_error(client, server):
    server.will_answer((403, {}, {"error": "key sk-secret is not allowed"}))
    with pytest.raises(ChatError, match=r"key \[redacted\] is not allowed"):
        client.ask(**ASK)


def test_the_key_does_not_follow_a_redirect(client, server):
    server.will_answer((302, {"Location": f"{server.url}/elsewhere"}, {}))
    with pytest.raises(ChatError, match="HTTP 302"):
        client.ask(**ASK)
    assert len(server.asked) == 1 and client.waits == []


def test_a_proxy_does_not_stand_before_this_machine(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.will_answer((200, {}, GOOD))
    assert ChatClient("m", base_url=server.url, attempts=1).ask(**ASK).text == "hello"


@pytest.mark.parametrize("address", ["", "localhost:8080/v1", "file:///etc"])
def test_without_an_http_address_nothing_is_tried(address, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(ChatError, match=r"OPENAI_BASE_URL is '.*': set it to the http address"):
        ChatClient("m")


def test_it_gives_up_after_five_attempts(client, server):
    server.will_answer(*[(500, {}, {})] * 5)
    with pytest.raises(ChatError, match="HTTP 500"):
        client.ask(**ASK)
    assert len(server.asked) == 5 and client.waits == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("body", [b"no json", {"choices": []}, {"choices": [{"message": None}]}, []])
def test_an_answer_that_is_none_is_no_answer(client, server, body):
    server.will_answer(*[(200, {}, body)] * 5)
    with pytest.raises(ChatError, match=r"POST http://127\.0\.0\.1"):
        client.ask(**ASK)


def test_an_answer_that_is_cut_off_is_asked_for_again(client, server):
    server.will_answer((200, {"Content-Length": "1000"}, GOOD), (200, {}, GOOD))
    assert client.ask(**ASK).text == "hello"
    assert [call["ok"] for call in client.calls()] == [False, True]


def test_nobody_there_is_a_chat_error():
    client = ChatClient("m", base_url="http://127.0.0.1:9", sleep=lambda _: None)
    with pytest.raises(ChatError, match="refused"):
        client.ask(**ASK)


def test_a_server_that_refuses_schemas_is_asked_without_from_then_on(client, server):
    server.will_answer((400, {}, {"error": "response_format"}), (200, {}, GOOD), (200, {}, GOOD))
    client.ask(**ASK, schema={"type": "object"})
    client.ask(**ASK, schema={"type": "object"})
    assert ["response_format" in body for body in server.asked] == [True, False, False]
    assert client.schema_refused


def test_a_refusal_that_is_not_about_the_schema_stays_one(client, server):
    server.will_answer((400, {}, {"error": "too long"}), (400, {}, {"error": "too long"}))
    with pytest.raises(ChatError, match=r"HTTP 400.*too long"):
        client.ask(**ASK, schema={"type": "object"})
    assert not client.schema_refused


def sample(id, score, **groups):
    answer = Answer("x", "stop", "the-model", 10, 2, 1, float(id))
    return Sample(str(id), "?", "x", "x", score, answer, groups)


def test_a_report_adds_up(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHMARK_PROGRESS_FILE", str(tmp_path / "progress.jsonl"))
    scores = [1.0, 0.0, 1.0, 0.5]
    with Report("suite", "1", tmp_path / "out", total=4, options={"a": 1}) as report:
        for number, score in enumerate(scores, 1):
            report.add(sample(number, score, half="first" if number < 3 else "second"))
        report.finish(model="m", seed=7, metrics={"extra": 0.25})
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (result["n"], result["score"], result["seed"], result["temperature"]) == (4, 0.625, 7, 0)
    assert result["score_stderr"] == pytest.approx(statistics.stdev(scores) / 2)
    assert result["metrics"] == {"half_first": 0.5, "half_second": 0.75, "extra": 0.25}
    assert result["usage"]["total_tokens"] == 48 and result["usage"]["calls"] == 4
    assert (result["usage"]["latency_p50_ms"], result["usage"]["latency_p95_ms"]) == (2, 4)
    assert result["reported_model"] == "the-model"
    samples = [json.loads(line) for line in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()]
    assert [row["correct"] for row in samples] == [True, False, True, False]
    progress = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [line["done"] for line in progress] == [0, 1, 2, 3, 4] and progress[-1]["total"] == 4


def test_a_suite_that_fails_half_way_leaves_its_samples_and_no_result(tmp_path):
    with pytest.raises(RuntimeError), Report("suite", "1", tmp_path, total=2, options={}) as report:
        report.add(sample(1, 1.0))
        raise RuntimeError
    assert (tmp_path / "samples.jsonl").read_text().count("\n") == 1
    assert not (tmp_path / "result.json").exists()


def test_the_result_of_an_earlier_run_does_not_outlive_the_start_of_another(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    with Report("suite", "1", tmp_path, total=1, options={}):
        assert not (tmp_path / "result.json").exists()


def test_half_a_surrogate_pair_can_be_reported(tmp_path):
    answer = Answer("\ud800", "stop", "m", 1, 1, 0, 1.0)
    with Report("suite", "1", tmp_path, total=1, options={}) as report:
        report.add(Sample("1", "?", "x", answer.text, 0.0, answer))
        report.finish(model="m", seed=1)
    assert json.loads((tmp_path / "samples.jsonl").read_text())["output"] == "\ud800"


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_the_standard_error_is_that_of_the_textbook(values):
    assert standard_error(values) == pytest.approx(statistics.stdev(values) / len(values) ** 0.5, abs=1e-9)


def test_too_little_has_no_error_and_nothing_has_no_percentile():
    assert standard_error([1.0]) is None
    assert percentile([], 0.5) is None
    assert percentile([1, 2, 3, 4], 0.5) == 2
