"""Action calling: the answer key fits its own tools, and nothing but the right call scores."""

from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.suites.action_calling.requests import INDIRECT, PLAIN
from benchmarks.adapters.suites.action_calling.tasks import judge, make_tasks
from benchmarks.adapters.suites.action_calling.tools import NO_TOOL, TOOLS, answer_schema

TYPES = {"string": str, "integer": int}


def fits(value, schema) -> bool:
    """Whether a value fits a JSON schema, of the keywords that the tools use; another keyword is an error."""
    assert schema.keys() <= {"type", "properties", "required", "additionalProperties", "const", "enum"}, schema
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if schema["type"] != "object":
        return type(value) is TYPES[schema["type"]]
    assert schema["additionalProperties"] is False
    return (
        isinstance(value, dict)
        and set(schema["required"]) <= value.keys() <= schema["properties"].keys()
        and all(fits(item, schema["properties"][name]) for name, item in value.items())
    )


@given(st.integers(0, 10_000))
def test_the_answer_key_is_a_call_that_the_schema_of_its_tool_alone_allows(seed):
    for task in make_tasks(seed, 30):
        assert len({tool.name for tool in task.tools}) == 5
        call = {"tool": task.tool, "arguments": task.arguments}
        allowing = [schema for schema in answer_schema(task.tools)["anyOf"] if fits(call, schema)]
        assert [schema["properties"]["tool"]["const"] for schema in allowing] == [task.tool]
        if task.kind != "indirect":
            assert all(str(value) in task.request for value in task.arguments.values()), "it says all that is needed"
        assert judge(task, json.dumps(call)).score == 1


def test_a_list_goes_from_easy_to_hard_and_each_tool_has_both():
    assert [task.kind for task in make_tasks(1, 10)] == ["plain", "no_tool", "plain", "corrected", "indirect"] * 2
    assert PLAIN.keys() == INDIRECT.keys() == {tool.name for tool in TOOLS}


def test_if_no_tool_is_right_the_tool_of_the_request_is_not_offered():
    starts = {"Turn": "set_light", "Set a timer": "set_timer", "Copy": "copy_file", "Play": "play_song"}
    seen = set()
    for task in make_tasks(1, 400):
        for start, name in starts.items():
            if task.tool == NO_TOOL and task.request.startswith(start):
                seen.add(name)
                assert name not in {tool.name for tool in task.tools}
    assert seen == set(starts.values())


def test_what_has_to_be_computed_is_computed_right():
    rng, checked = random.Random(1), 0
    for _ in range(50):
        for tool, argument, expected in (
            ("set_temperature", "degrees", lambda now, more: now + more),
            ("set_timer", "minutes", lambda hours, minutes: 60 * hours + minutes),
            ("send_money", "amount", lambda tickets, lunch: tickets + lunch),
            ("add_event", "hour", lambda later, hour, _: hour + later),
        ):
            request, arguments = INDIRECT[tool](rng)
            assert arguments[argument] == expected(*map(int, re.findall(r"\d+", request))), request
            checked += 1
        request, arguments = INDIRECT["delete_file"](rng)
        kept = re.search(r"still need (\S+)\. ", request)[1]
        assert arguments["file"] in request and arguments["file"] != kept
        request, arguments = INDIRECT["play_song"](rng)
        assert f'"{arguments["title"]}"' in request and not request.endswith(f'not "{arguments["title"]}", please.')
        request, arguments = INDIRECT["add_event"](rng)
        named = re.search(r"day after (\w+)", request)[1]
        week = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
        assert week.index(arguments["day"]) == week.index(named) + 1
    assert checked == 200


def test_in_a_corrected_request_the_second_counts():
    for task in make_tasks(1, 100):
        if task.kind == "corrected":
            first, second = task.request.split(" No, forget that. ")
            assert first != second
            assert all(str(value) in second for value in task.arguments.values())


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
    for text in ("", "{", "[" * 100_000, f"Sure! {good}", good + good, f"```json\n{good}\n```\nThat is it."):
        assert judge(task, text).valid_json is False


def test_a_code_block_around_the_answer_does_not_count_against_it(task):
    good = json.dumps({"tool": task.tool, "arguments": task.arguments}, indent=2)
    for text in (f"```json\n{good}\n```", f"\n```\n{good}\n```\n"):
        assert judge(task, text).score == 1
