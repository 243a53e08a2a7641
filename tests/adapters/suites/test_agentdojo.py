"""What the driver makes of a task's file that AgentDojo wrote."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.adapters.suites.agentdojo.logged import last_said, sample_of, security_of, solved_without_tools
from benchmarks.adapters.suites.suitekit.answer import Answer
from benchmarks.adapters.suites.suitekit.usage import Usage

ROW = json.loads((Path(__file__).parents[2] / "samples" / "agentdojo-task.json").read_text())
CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": "read_file", "args": {}}]}


def answer(text: str) -> Answer:
    return Answer(text, "stop", "m", Usage(10, 2, 12, 0), latency_ms=5.0)


def test_a_task_becomes_a_sample():
    sample = sample_of(ROW, answer(last_said(ROW)))
    assert (sample.id, sample.score, sample.details["tool_calls"]) == ("user_task_1", 0.0, 0)
    assert "spending" in sample.input and sample.output == ROW["messages"][-1]["content"][0]["content"]
    attacked = sample_of({**ROW, "injection_task_id": "injection_task_2", "utility": True}, answer(""))
    assert (attacked.id, attacked.score) == ("user_task_1/injection_task_2", 1.0)


def test_a_task_that_was_solved_without_a_tool_is_counted():
    lucky = {**ROW, "utility": True}
    worked = {**lucky, "messages": [*ROW["messages"], CALL, {"role": "tool", "content": None}]}
    assert solved_without_tools([ROW, lucky, worked]) == 1
    assert last_said(worked) == ""


def test_security_is_the_mean_of_what_agentdojo_says():
    assert security_of([{**ROW, "security": True}, {**ROW, "security": False}]) == {"security": 0.5}
