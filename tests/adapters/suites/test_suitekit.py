"""What suites share: a client that does not give up too early or too late, and a report that adds up."""

from __future__ import annotations

import json
import statistics
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.suites.suitekit.answer import Answer
from benchmarks.adapters.suites.suitekit.chat import ChatClient, ChatError
from benchmarks.adapters.suites.suitekit.report import Report, Sample, odd_answers, percentile, standard_error
from benchmarks.adapters.suites.suitekit.usage import Usage

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


def test_an_answer_with_its_tokens_is_reported_as_a_call(client, server):
    server.will_answer((200, {}, GOOD))
    answer = client.ask(**ASK)
    assert (answer.text, answer.usage) == ("hello", Usage(7, 2, 9, 3))
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


def test_what_will_not_pass_is_reported_at_once_without_the_key(client, server):
    server.will_answer((401, {}, {"error": "bad key"}))
    with pytest.raises(ChatError, match=r"HTTP 401.*bad key") as reported:
        client.ask(**ASK)
    assert client.waits == [] and "sk-secret" not in str(reported.value)


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
def test_an_answer_that_is_none_is_not_a_answer(client, server, body):
    server.will_answer(*[(200, {}, body)] * 5)
    with pytest.raises(ChatError, match=r"POST http://127\.0\.0\.1"):
        client.ask(**ASK)


def test_an_answer_that_is_cut_off_is_asked_for_again(client, server):
    server.will_answer((200, {"Content-Length": "1000"}, GOOD), (200, {}, GOOD))
    assert client.ask(**ASK).text == "hello"
    assert [call["ok"] for call in client.calls()] == [False, True]


def test_a_server_that_does_not_answer_is_a_chat_error():
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


def choice(**fields):
    return {"model": "the-model", "choices": [{"message": {"content": "hello"}, "finish_reason": "stop", **fields}]}


OVERLOADED = {"error": {"message": "Provider returned error: upstream is overloaded", "code": 502}}
FAILED_CHOICE = choice(message={"content": ""}, finish_reason="error", error={"code": 502, "message": "upstream died"})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (OVERLOADED, "upstream is overloaded (code 502)"),
        ({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, "slow down (code rate_limit_exceeded)"),
        ({"error": {"message": "Overloaded", "type": "overloaded_error"}, "type": "error"}, "(code overloaded_error)"),
        ({"error": "try again later"}, "try again later"),
        ({"error": {"code": 503}, "choices": []}, "(code 503)|503"),
        ({"errors": [{"message": "capacity", "code": 7505}], "success": False}, "capacity (code 7505)"),
        ({"object": "error", "message": "engine is dead", "code": 500}, "engine is dead (code 500)"),
        ({"detail": "the worker is restarting"}, "the worker is restarting"),
        (FAILED_CHOICE, "upstream died (code 502)"),
        (choice(message={"content": "half"}, finish_reason="error"), "finish_reason error"),
        (choice(message={"content": "", "error": {"message": "upstream died"}}), "upstream died"),
        (choice(message=None, error="no capacity"), "no capacity"),
        ({**choice(message={"content": ""}), "error": {"code": 502, "message": "upstream broke"}}, "upstream broke"),
        ({**choice(finish_reason="error"), "error": {"code": 503, "message": "no GPU"}}, "no GPU (code 503)"),
        ({"choices": None, "base_resp": {"status_code": 1002, "status_msg": "slow down"}}, "slow down (code 1002)"),
        ({"error_code": 336501, "error_msg": "Rate limit reached"}, "Rate limit reached (code 336501)"),
        ({"statusCode": 429, "message": "Rate limit is exceeded"}, "Rate limit is exceeded (code 429)"),
        ({"fault": {"faultstring": "Spike arrest", "detail": {}}}, "Spike arrest"),
        ({"error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": "on fire"}}}, "on fire"),
        ({"Message": "Too many tokens"}, "Too many tokens"),
        ([{"error": {"code": 503, "message": "The model is overloaded"}}], "The model is overloaded (code 503)"),
        ("overloaded", "overloaded"),
        ({"status": "queued", "request_id": "abc"}, '"request_id": "abc"'),
        ({"choices": [], "id": "of-nothing"}, "of-nothing"),
        ({"choices": [None], "id": "of-null"}, "of-null"),
        (choice(message={"content": ""}, finish_reason={"type": "abort"}), "finish_reason abort"),
        (choice(message={"content": "half"}, finish_reason="TIMEOUT"), "finish_reason TIMEOUT"),
        (choice(message={"content": ""}, finish_reason="cancelled"), "finish_reason cancelled"),
        (choice(message={"content": ""}, finish_reason="UNEXPECTED_TOOL_CALL"), "UNEXPECTED_TOOL_CALL"),
        (b"<html><title>Sign in</title></html>", "<title>Sign in</title>"),
        (b"upstream connect error", "upstream connect error"),
        (b'{"choices": [{"mess', '{"choices": [{"mess'),
        (choice(message={"content": {"tool": "a"}}), "content that is a table"),
    ],
)
def test_an_error_under_http_200_is_a_failed_call_with_the_server_s_words(client, server, body, words):
    server.will_answer((200, {}, body), (200, {}, GOOD))
    assert client.ask(**ASK).text == "hello" and client.waits == [0.5]
    assert [call["ok"] for call in client.calls()] == [False, True]
    server.will_answer(*[(200, {}, body)] * 5)
    with pytest.raises(ChatError) as reported:
        client.ask(**ASK)
    assert any(word in str(reported.value) for word in words.split("|")) and reported.value.may_pass


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"error": {"message": "no such key", "code": 401}}),
        (200, {"error": {"message": "no such key", "code": "invalid_api_key"}}),
        (200, {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
        (200, {"error": {"message": "you have no credit", "type": "insufficient_quota", "code": 429}}),
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
        (404, {"error": "no such model"}),
        (501, {}),
    ],
)
def test_an_error_that_will_not_pass_is_reported_at_once(client, server, status, body):
    server.will_answer((status, {}, body))
    with pytest.raises(ChatError) as reported:
        client.ask(**ASK)
    assert client.waits == [] and not reported.value.may_pass


def test_a_server_that_repeats_the_key_under_http_200_does_not_get_it_into_the_error(client, server):
    server.will_answer((200, {}, {"error": {"message": "sk-secret is wrong", "code": 401}}))
    with pytest.raises(ChatError, match=r"\[redacted\] is wrong"):
        client.ask(**ASK)


THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a"}], "a"),
        ([THINKING, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "a"}], "a"),
        ([{"text": "thought", "thought": True}, {"text": "a"}], "a"),
        (["a", {"type": "image_url", "image_url": {"url": "x"}}, "b"], "ab"),
        ({"type": "text", "text": "a"}, "a"),
        ([{"type": "text", "text": {"value": "a"}}], "a"),
        ([], ""),
        (None, ""),
    ],
)
def test_text_parts_are_the_answer(client, server, content, text):
    server.will_answer((200, {}, choice(message={"content": content})))
    assert client.ask(**ASK).text == text


@pytest.mark.parametrize(
    ("said", "text", "only"),
    [
        ("<think>is it\n{1}?</think>\n\n{2}", "{2}", ""),
        ("[THINK]hm[/THINK]{2}", "{2}", ""),
        ("hm, the template opened this\n</think>\n{2}", "{2}", ""),
        ("<think></think>Write </think> so.", "Write </think> so.", ""),
        ("<think>too long", "", "reasoning"),
        ("Use <think> and </think>, or </think>.", "Use <think> and </think>, or </think>.", ""),
    ],
)
def test_thoughts_before_an_answer_are_not_part_of_it(client, server, said, text, only):
    server.will_answer((200, {}, choice(message={"content": said})))
    answer = client.ask(**ASK)
    assert (answer.text, answer.only) == (text, only)


def test_text_without_tokens_was_not_counted(client, server):
    reported = {"prompt_tokens": 100, "completion_tokens": 0, "total_tokens": 100}
    server.will_answer((200, {}, {**GOOD, "usage": reported}))
    assert client.ask(**ASK).usage == Usage(input_tokens=100)


def test_a_failed_call_keeps_the_tokens_that_the_server_reported(client, server):
    server.will_answer(
        (200, {}, {**FAILED_CHOICE, "usage": {"prompt_tokens": 7, "completion_tokens": 2}}), (200, {}, GOOD)
    )
    client.ask(**ASK)
    assert [(call["ok"], call["input_tokens"], call["output_tokens"]) for call in client.calls()] == [
        (False, 7, 2),
        (True, 7, 2),
    ]


def test_a_server_that_refuses_a_cut_off_answer_says_that_it_was_cut_off(client, server):
    words = "Could not finish the message because max_tokens or model output limit was reached. Please try again."
    server.will_answer((400, {}, {"error": {"message": words, "type": "invalid_request_error"}}))
    answer = client.ask(**ASK, schema={"type": "object"})
    assert answer.is_cut_off and not answer.usage.is_known and len(server.asked) == 1


def test_a_redirect_says_where_to(client, server):
    server.will_answer((301, {"Location": "https://api.example.org/v1/chat/completions"}, b""))
    with pytest.raises(
        ChatError, match=r"redirects to https://api\.example\.org/v1/chat/completions; hint: set the base"
    ):
        client.ask(**ASK)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("ERROR_LIMIT", "cut off"),
        ("token_limit", "cut off"),
        ("max_completion_tokens", "cut off"),
        ({"type": "length", "length": 5}, "cut off"),
        ("ERROR_TOXIC", "withheld by the provider"),
        ("IMAGE_SAFETY", "withheld by the provider"),
        ("OTHER", "ended for an unknown reason"),
        ("pause_turn", "ended for an unknown reason"),
    ],
)
def test_odd_reasons_to_end_are_reported_in_any_words(client, server, reason, kind):
    server.will_answer((200, {}, choice(message={"content": "half"}, finish_reason=reason)))
    answer = client.ask(**ASK)
    assert odd_answers([answer])[0] == f"1 of 1 answers {kind} (finish_reason {answer.finish_reason})"


@pytest.mark.parametrize("reason", [None, "", "stop", "end_turn", "eos_token", "COMPLETE", "tool_calls", "STOP"])
def test_usual_reasons_to_end_are_not_reported(client, server, reason):
    server.will_answer((200, {}, {**GOOD, **choice(finish_reason=reason), "usage": GOOD["usage"]}))
    assert odd_answers([client.ask(**ASK)]) == []


def test_content_of_another_type_is_not_a_chat_completion(client, server):
    server.will_answer(*[(200, {}, choice(message={"content": 5}))] * 5)
    with pytest.raises(ChatError, match="not a chat completion"):
        client.ask(**ASK)


def test_a_stream_that_was_not_asked_for_is_reported(client, server):
    server.will_answer(*[(200, {}, b"data: {}\n\ndata: [DONE]\n\n")] * 5)
    with pytest.raises(ChatError, match="streams, although it was not asked to"):
        client.ask(**ASK)


def asked_without(server) -> list[list[str]]:
    usual = {"temperature", "seed", "max_tokens"}
    return [sorted(usual - body.keys()) for body in server.asked]


UNSUPPORTED_TOKENS = {
    "error": {
        "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        "param": "max_tokens",
        "code": "unsupported_parameter",
    }
}


def test_a_newer_model_is_asked_with_the_newer_name_and_without_a_temperature(client, server):
    temperature = {
        "message": "Unsupported value: 'temperature' does not support 0 with this model.",
        "param": "temperature",
    }
    server.will_answer(
        (400, {}, UNSUPPORTED_TOKENS), (400, {}, {"error": temperature}), (200, {}, GOOD), (200, {}, GOOD)
    )
    client.ask(**ASK)
    client.ask(**ASK)
    assert asked_without(server) == [[], ["max_tokens"], ["max_tokens", "temperature"], ["max_tokens", "temperature"]]
    assert server.asked[-1]["max_completion_tokens"] == 5
    assert client.facts() == {
        "temperature": None,
        "left_out": ["temperature"],
        "renamed": {"max_tokens": "max_completion_tokens"},
    }
    assert client.notes() == [
        "the model was asked without temperature, which its server refused",
        "max_tokens was sent as max_completion_tokens, because the server refused the older name",
    ]


VLLM = "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted', 'input': 1}]"
PYDANTIC = {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 1}


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (422, {"detail": [PYDANTIC]}, "seed"),
        (422, {"object": "error", "message": {"detail": [PYDANTIC]}, "type": "invalid_request_error"}, "seed"),
        (422, {"detail": [{**PYDANTIC, "input": {"temperature": 0, "max_tokens": 5}}]}, "seed"),
        (400, {"object": "error", "message": VLLM, "type": "BadRequestError", "code": 400}, "seed"),
        (400, {"error": {"message": "property 'seed' is unsupported", "type": "invalid_request_error"}}, "seed"),
        (400, {"error": {"message": "Unrecognized request argument supplied: seed", "param": None}}, "seed"),
        (400, {"error": {"message": "`temperature` is deprecated for this model."}}, "temperature"),
        (400, {"error": {"message": "Unsupported value", "param": "temperature"}}, "temperature"),
        (400, {"message": "This model does not support the temperature parameter"}, "temperature"),
        (400, {"error": {"message": 'Unknown name "seed": Cannot find field.'}}, "seed"),
        (400, b"unknown field: seed", "seed"),
        (200, {"error": {"message": "seed is not supported by this provider", "code": 400}}, "seed"),
        (200, {"error": {"message": "Unsupported parameter: 'seed'", "type": "invalid_request_error"}}, "seed"),
        (400, {"error": {"message": "invalid temperature: only 1 is allowed for this model"}}, "temperature"),
        (422, {"error": "Input validation error: `temperature` must be strictly positive"}, "temperature"),
        (400, {"error": {"message": "`temperature` may only be set to 1 if thinking is enabled."}}, "temperature"),
        (400, {"error": {"message": "This model only supports temperature=1"}}, "temperature"),
        (400, {"error": {"message": "Parameter 'seed' wird nicht unterst\u00fctzt"}}, "seed"),
    ],
)
def test_a_refused_parameter_is_left_out_whatever_the_words(client, server, status, body, name):
    server.will_answer((status, {}, body), (200, {}, GOOD))
    assert client.ask(**ASK).text == "hello"
    assert asked_without(server) == [[], [name]] and client.facts()["left_out"] == [name]


def test_a_refusal_without_a_name_is_met_by_trying(client, server):
    server.model = lambda asked: (
        (200, {}, GOOD) if "temperature" not in asked else (400, {}, {"error": "Invalid sampling parameters"})
    )
    assert client.ask(**ASK).text == "hello"
    assert "temperature" in client.facts()["left_out"] and client.facts()["renamed"] == {}


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens is too large: 5. This model supports at most 4 completion tokens",
        "This model's maximum context length is 10 tokens. However, you requested 15 tokens in max_tokens",
        "the prompt says: seed, temperature",
        "Invalid parameter: max_tokens must be at most 4",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 4]",
        "no such model",
    ],
)
def test_another_refusal_stays_one(client, server, words):
    server.will_answer((400, {}, {"error": {"message": words}}))
    with pytest.raises(ChatError, match="HTTP 400"):
        client.ask(**ASK)
    assert len(server.asked) == 1 and client.facts()["left_out"] == []


def test_a_server_that_refuses_everything_is_given_up(client, server):
    server.model = lambda asked: (400, {}, {"error": "unsupported parameters: " + ", ".join(asked)})
    with pytest.raises(ChatError, match="HTTP 400"):
        client.ask(**ASK)
    assert client.facts()["left_out"] == [] and len(server.asked) < 8


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
        ({"Retry-After": "86400"}, 60),
        ({"Retry-After": "1e300"}, 60),
        ({"Retry-After": "-3"}, 0.5),
        ({"Retry-After": "nan"}, 0.5),
        ({"Retry-After": "inf"}, 0.5),
        ({"Retry-After": "soon"}, 0.5),
        ({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0.5),
        ({"Retry-After": "Mon, 99 Jan 2001 00:00:00 GMT"}, 0.5),
        ({"Retry-After": "Fri, 01 Jan 2999 00:00:00 GMT"}, 60),
        ({}, 0.5),
    ],
)
def test_the_pause_is_the_one_that_the_server_names_within_reason(client, server, headers, wait):
    server.will_answer((429, headers, {}), (200, {}, GOOD))
    client.ask(**ASK)
    assert client.waits == [wait]


def test_a_pause_named_as_a_date_ends_then(client, server):
    server.will_answer((429, {"Retry-After": formatdate(time.time() + 20, usegmt=True)}, {}), (200, {}, GOOD))
    client.ask(**ASK)
    assert 0 < client.waits[0] <= 20


def odd(text="", **fields):
    return Answer(text, fields.pop("finish_reason", "stop"), "m", fields.pop("usage", Usage(1, 1, 2)), 1.0, **fields)


def test_answers_that_are_not_whole_are_reported(tmp_path):
    answers = [
        odd(finish_reason="length", only="reasoning"),
        odd("half", finish_reason="MAX_TOKENS"),
        odd(finish_reason="content_filter"),
        odd(refusal="I will not"),
        odd(only="tool calls", finish_reason="tool_calls"),
        odd(),
        odd("whole", usage=Usage()),
    ]
    with Report("suite", "1", tmp_path, total=7, options={}) as report:
        for number, answer in enumerate(answers):
            report.add(Sample(str(number), "?", "x", answer.text, 0.0, answer))
        result = report.finish(model="m", seed=1, notes=["first"])
    assert result["notes"] == [
        "first",
        "2 of 7 answers cut off (finish_reason MAX_TOKENS, length)",
        "1 of 7 answers withheld by the provider (finish_reason content_filter)",
        "1 of 7 answers refused by the model",
        "1 of 7 answers with calls of tools and no text (finish_reason tool_calls)",
        "1 of 7 answers with reasoning and no text (finish_reason length)",
        "1 of 7 answers empty",
        "1 of 7 answers without a count of tokens: tokens and cost are unknown",
    ]
    assert (result["cut_off"], result["finish_reasons"]["stop"]) == (2, 3)
    assert (result["usage"]["input_tokens"], result["usage"]["total_tokens"], result["usage"]["calls"]) == (
        None,
        None,
        7,
    )
    samples = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert [sample["finish_reason"] for sample in samples][:2] == ["length", "MAX_TOKENS"]
    assert (samples[0]["instead_of_text"], samples[3]["refusal"]) == ("reasoning", "I will not")
    assert samples[6]["input_tokens"] is None


def sample(id, score, **groups):
    answer = Answer("x", "stop", "the-model", Usage(10, 2, 12, 1), float(id))
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
    answer = Answer("\ud800", "stop", "m", Usage(1, 1, 2), 1.0)
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
