"""Action calling: the answer key fits its own tools, and nothing but the right call scores."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.suites.action_calling.tasks import judge, make_tasks
from benchmarks.adapters.suites.action_calling.tools import NO_TOOL, answer_schema

TYPES = {"string": str, "integer": int}


@given(st.integers(0, 10_000))
def test_the_answer_key_is_a_call_that_its_schema_allows(seed):
    for task in make_tasks(seed, 30):
        tools = {tool.name: tool for tool in task.tools}
        assert len(tools) == 5 and NO_TOOL in tools
        properties = tools[task.tool].properties
        assert task.arguments.keys() == properties.keys()
        for name, value in task.arguments.items():
            allowed = properties[name]
            assert value in allowed["enum"] if "enum" in allowed else type(value) is TYPES[allowed["type"]]
            assert str(value).lower() in task.request.lower(), "the request says everything that is needed"
        call = json.dumps({"tool": task.tool, "arguments": task.arguments})
        assert judge(task, call).score == 1
        assert len(answer_schema(task.tools)["anyOf"]) == 5


def test_the_same_seed_makes_the_same_tasks_and_a_longer_list_begins_with_a_shorter_one():
    assert make_tasks(1, 20) == make_tasks(1, 40)[:20]
    assert make_tasks(1, 20) != make_tasks(2, 20)
    kinds = {task.tool for task in make_tasks(1, 100)}
    assert len(kinds) == 11 and NO_TOOL in kinds


@pytest.fixture
def task():
    return next(task for task in make_tasks(1, 100) if task.tool == "set_temperature")


@pytest.mark.parametrize(
    ("change", "valid", "right_tool", "score"),
    [
        ({}, True, True, 1),
        ({"room": lambda room: f" {room.upper()} "}, True, True, 1),
        ({"degrees": lambda degrees: degrees + 1}, True, True, 0),
        ({"degrees": lambda degrees: float(degrees)}, True, True, 0),
        ({"degrees": lambda degrees: str(degrees)}, True, True, 0),
        ({"degrees": lambda degrees: True}, True, True, 0),
    ],
)
def test_arguments_are_compared_strictly(task, change, valid, right_tool, score):
    arguments = {name: change.get(name, lambda x: x)(value) for name, value in task.arguments.items()}
    judgement = judge(task, json.dumps({"tool": task.tool, "arguments": arguments}))
    assert (judgement.valid_json, judgement.right_tool, judgement.score) == (valid, right_tool, score)


def test_missing_additional_and_other_calls_score_nothing(task):
    more = {**task.arguments, "more": 1}
    for call in (
        {"tool": task.tool, "arguments": more},
        {"tool": task.tool, "arguments": {}},
        {"tool": "get_weather", "arguments": task.arguments},
        {"tool": task.tool},
        [task.tool],
        "text",
        None,
    ):
        assert judge(task, json.dumps(call)).score == 0
    good = json.dumps({"tool": task.tool, "arguments": task.arguments})
    for text in ("", "{", f"Sure! {good}", good + good):
        assert judge(task, text).valid_json is False
