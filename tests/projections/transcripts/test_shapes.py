"""Transcripts in the formats of other programs: turns, calls with their results, and nothing lost."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.projections.transcripts.files import read_file
from benchmarks.projections.transcripts.shapes import transcript_of
from benchmarks.projections.transcripts.turns import MAX_TURNS

OPENAI = {
    "messages": [
        {"role": "system", "content": "You mend software."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": '{"cmd": "ls"}'}}
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 3},
            "latency_ms": 120,
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a.py"},
        {"role": "assistant", "content": "done", "refusal": None, "logit_bias": {"5": 1}},
    ]
}
ANTHROPIC = {
    "messages": [
        {"role": "user", "content": "Look"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "abc"},
                {"type": "tool_use", "id": "t1", "name": "bash", "input": {"cmd": "ls"}},
                {"type": "tool_use", "id": "t2", "name": "bash", "input": {"cmd": "pwd"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t2", "content": "/"},
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "text", "text": "a.py"}],
                    "is_error": True,
                },
            ],
        },
    ]
}
RESPONSES = {
    "input": [{"role": "user", "content": "Look"}],
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "I think"}]},
        {"type": "function_call", "call_id": "a", "name": "bash", "arguments": '{"cmd": "ls"}', "status": "completed"},
        {"type": "function_call_output", "call_id": "a", "output": "a.py"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "done", "annotations": []}],
        },
    ],
}
INSPECT = {
    "messages": [
        {"id": "1", "role": "user", "content": "Look", "source": "input"},
        {
            "id": "2",
            "role": "assistant",
            "content": "",
            "source": "generate",
            "model": "m",
            "tool_calls": [{"id": "c", "function": "bash", "arguments": {"cmd": "ls"}, "type": "function"}],
        },
        {
            "id": "3",
            "role": "tool",
            "content": "a.py",
            "tool_call_id": "c",
            "function": "bash",
            "error": {"type": "timeout", "message": "too slow"},
        },
    ],
    "events": [
        {"event": "span_begin", "id": "x", "timestamp": "2026-11-23T08:00:00Z"},
        {
            "event": "model",
            "model": "m",
            "timestamp": "2026-11-23T08:00:01Z",
            "output": {"choices": [], "usage": {"input_tokens": 31, "output_tokens": 48}, "time": 0.5},
        },
    ],
}
ATIF = {
    "schema_version": "ATIF-v1.4",
    "session_id": "s1",
    "agent": {"name": "terminus", "version": "2"},
    "steps": [
        {"step_id": 1, "source": "user", "message": "Look"},
        {
            "step_id": 2,
            "source": "agent",
            "model_name": "m",
            "message": "",
            "reasoning_content": "hm",
            "tool_calls": [{"tool_call_id": "1", "function_name": "bash", "arguments": {"cmd": "ls"}}],
            "observation": {"results": [{"source_call_id": "1", "content": "a.py"}]},
            "metrics": {"prompt_tokens": 5, "completion_tokens": 2, "cost_usd": 0.01, "logprobs": [0.5]},
        },
    ],
    "final_metrics": {"total_steps": 2},
}
ELIZA = [
    {
        "format": "eliza_native_v1",
        "task_id": "t",
        "step_index": 0,
        "request": {"messages": [{"role": "user", "content": "Look"}]},
        "response": {
            "text": "",
            "toolCalls": [{"toolName": "bash", "args": {"cmd": "ls"}}],
            "usage": {"promptTokens": 7},
        },
    },
    {
        "format": "eliza_native_v1",
        "task_id": "t",
        "step_index": 1,
        "request": {"messages": [{"role": "user", "content": "Look"}, {"role": "tool", "content": "a.py"}]},
        "response": {"text": "done"},
        "cacheStats": {"hits": 2},
    },
]


def told(transcript):
    """The speakers, with what each said or called."""
    return [
        (turn.role, [part.text if part.kind != "call" else (part.name, part.data) for part in turn.parts])
        for turn in transcript.turns
    ]


def called(transcript):
    """Each call with the texts of its results."""
    return [
        (part.name, part.data, [inner.text for result in part.results for inner in result.results])
        for turn in transcript.turns
        for part in turn.parts
        if part.kind == "call"
    ]


@pytest.mark.parametrize(
    ("record", "shape"),
    [
        (OPENAI, "OpenAI messages"),
        (RESPONSES, "messages, OpenAI Responses"),
        (ATIF, "ATIF"),
        (
            {
                "conversations": [
                    {"from": "human", "value": "Look"},
                    {
                        "from": "gpt",
                        "value": "",
                        "tool_calls": [{"function": {"name": "bash", "arguments": '{"cmd": "ls"}'}}],
                    },
                    {"from": "tool", "value": "a.py"},
                ]
            },
            "ShareGPT",
        ),
        (
            {"trajectory": [{"thought": "hm", "action": "bash", "action_input": {"cmd": "ls"}, "observation": "a.py"}]},
            "steps",
        ),
    ],
)
def test_a_call_stands_with_its_arguments_and_its_result(record, shape):
    transcript, _ = transcript_of(record)
    assert transcript.shape == shape
    assert called(transcript) == [("bash", {"cmd": "ls"}, ["a.py"])]


def test_openai_messages_have_tokens_latency_and_media_that_are_only_named():
    transcript, taken = transcript_of(OPENAI)
    assert taken == {"messages"}
    user, call, last = transcript.turns[1:]
    assert [(part.kind, part.text) for part in user.parts] == [("text", "Look"), ("media", "image: image/png, 3 bytes")]
    assert (call.input_tokens, call.output_tokens, call.latency_ms) == (10, 3, 120)
    assert last.more == {"logit_bias": {"5": 1}}


def test_anthropic_results_find_their_calls_in_any_order():
    transcript, _ = transcript_of(ANTHROPIC)
    assert transcript.shape == "Anthropic messages"
    assert called(transcript) == [("bash", {"cmd": "ls"}, ["a.py"]), ("bash", {"cmd": "pwd"}, ["/"])]
    said = transcript.turns[1].parts
    assert (said[0].kind, said[0].text, said[0].more) == ("reasoning", "hm", {"signature": "abc"})
    assert said[1].results[0].is_error and not said[2].results[0].is_error
    assert len(transcript.turns) == 2, "results alone do not make a turn"


def test_inspect_messages_have_the_tokens_and_latency_of_their_events():
    transcript, taken = transcript_of(INSPECT)
    assert taken == {"messages"}
    said = transcript.turns[1]
    assert (said.input_tokens, said.output_tokens, said.latency_ms) == (31, 48, 500.0)
    [call] = said.parts
    assert call.results[0].is_error and "too slow" in call.results[0].results[-1].data["message"]


def test_inspect_events_show_each_question_once_and_resolve_attachments():
    asked = {"role": "user", "content": "attachment://1"}
    answer = {"choices": [{"message": {"role": "assistant", "content": "yes"}}]}
    events = [
        {"event": "model", "input": [asked], "output": answer},
        {"event": "tool", "id": "c", "function": "bash", "arguments": {"cmd": "ls"}, "result": "a.py"},
        {"event": "model", "input": [asked, {"role": "assistant", "content": "yes"}], "output": answer},
    ]
    transcript, _ = transcript_of({"events": events, "attachments": {"1": "a long question"}})
    assert told(transcript)[:2] == [("user", ["a long question"]), ("assistant", ["yes"])]
    assert [role for role, _ in told(transcript)].count("user") == 1
    assert called(transcript) == [("bash", {"cmd": "ls"}, ["a.py"])]


def test_atif_steps_keep_what_has_no_place_of_its_own():
    [found] = read_file("output/agent/trajectory.json", json.dumps(ATIF).encode())
    assert found.transcript.shape == "ATIF-v1.4" and found.name == "s1"
    assert found.more["final_metrics"] == {"total_steps": 2} and found.more["agent"]["name"] == "terminus"
    step = found.transcript.turns[1]
    assert (step.model, step.input_tokens, step.cost_usd) == ("m", 5, 0.01)
    assert step.more == {"metrics": {"logprobs": [0.5]}}


def test_steps_of_elizaos_are_one_conversation_and_repeat_no_message():
    content = "\n".join(map(json.dumps, ELIZA)).encode()
    [found] = read_file("output/trajectories.jsonl", content)
    assert (found.name, found.transcript.shape) == ("t", "elizaOS")
    assert [role for role, _ in told(found.transcript)] == ["user", "assistant", "assistant"]
    assert called(found.transcript) == [("bash", {"cmd": "ls"}, ["a.py"])]
    assert found.transcript.turns[0].role == "user" and found.transcript.turns[1].input_tokens == 7
    assert found.transcript.turns[2].more["cacheStats"] == {"hits": 2}


def test_a_file_may_hold_many_trajectories_and_broken_lines():
    lines = [*(json.dumps({"task_id": f"t{n}", "messages": [{"role": "user", "content": "x"}]}) for n in range(3)), "{"]
    assert [one.name for one in read_file("trajectories.jsonl", "\n".join(lines).encode())] == ["t0", "t1", "t2"]
    document = {"trajectories": [json.loads(line) for line in lines[:3]]}
    assert len(read_file("trajectories.json", json.dumps(document).encode())) == 3
    assert read_file("trajectories.json", b"[[[[[[[[") == []
    assert [one.name for one in read_file("output/trajectory.json", b'[{"role": "user", "content": "x"}]')] == [
        "trajectory"
    ]


def test_a_long_transcript_is_cut_and_says_so():
    messages = [{"role": "user", "content": str(number)} for number in range(MAX_TURNS + 5)]
    transcript, _ = transcript_of({"messages": messages})
    assert (len(transcript.turns), transcript.left_out) == (MAX_TURNS, 5)


def test_a_sample_without_a_conversation_has_no_transcript():
    for record in (
        {},
        {"messages": []},
        {"messages": "hello"},
        {"messages": [1, 2]},
        {"input": "2 + 2", "output": "4"},
    ):
        assert transcript_of(record) == (None, frozenset())


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "usage",
                    "request",
                    "response",
                    "event",
                    "output",
                    "source",
                    "message",
                    "observation",
                    "results",
                    "steps",
                    "id",
                    "error",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_marked = st.lists(
    st.dictionaries(st.sampled_from(["role", "content", "event", "source", "type", "message"]), _json), max_size=4
)


@given(_marked | _json)
def test_no_value_of_any_kind_stops_a_reader(value):
    for name in ("messages", "events", "trajectory", "steps", "input", "output"):
        transcript, _ = transcript_of({name: value})
        msgspec.json.encode(transcript)
    read_file("trajectories.json", json.dumps(value).encode())


@given(st.sampled_from(["OpenAI", "Anthropic"]), st.text(alphabet="abcxyz", min_size=3, max_size=8), st.integers(1, 9))
def test_a_field_that_no_format_knows_is_kept(name, field, value):
    record = json.loads(json.dumps({"OpenAI": OPENAI, "Anthropic": ANTHROPIC}[name]))
    for message in record["messages"]:
        message[f"x_{field}"] = [value]
        for block in message["content"] if isinstance(message["content"], list) else ():
            block[f"y_{field}"] = value
    transcript, _ = transcript_of(record)
    text = msgspec.json.encode(transcript).decode()
    # Media are named and not shown, so a block of an image keeps its fields in the raw data only.
    media = sum(part.kind == "media" for turn in transcript.turns for part in turn.parts)
    blocks = sum(len(one["content"]) for one in record["messages"] if isinstance(one["content"], list))
    assert text.count(f"x_{field}") >= len(record["messages"]) - 1 and text.count(f"y_{field}") == blocks - media
