"""Requests with the one call that answers each, made from a seed; and the strict check of an answer."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass

from .requests import INDIRECT, OFF_TOPIC, PLAIN, Arguments, corrected
from .tools import NO_TOOL, NONE, TOOLS, Tool

_KINDS = ("plain", "no_tool", "plain", "corrected", "indirect")
"""What a request is like, in turns: so every list of tasks goes from easy to hard, and a longer one only goes on."""
_OFFERED = 4
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*)```\s*\Z", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Task:
    """A request, the tools on offer, and the right call. `kind` is plain, corrected, indirect or no_tool."""

    id: str
    kind: str
    request: str
    tools: tuple[Tool, ...]
    tool: str
    arguments: Arguments


@dataclass(frozen=True)
class Judgement:
    """What is right about an answer. Only one that is right in everything scores."""

    valid_json: bool
    right_tool: bool
    right_arguments: bool

    @property
    def score(self) -> float:
        """1 where tool and arguments are right, else 0."""
        return float(self.right_tool and self.right_arguments)


def make_tasks(seed: int, count: int) -> list[Task]:
    """That number of requests. The same arguments make the same tasks."""
    return [_make_task(random.Random(f"{seed}/{number}"), number) for number in range(count)]  # noqa: S311 - no secrets


def judge(task: Task, text: str) -> Judgement:
    """Compare an answer with the right call. Text is compared without regard to case and spaces around it.

    The answer is JSON and nothing else, but may stand in a Markdown code block.
    """
    fenced = _FENCE.match(text)
    try:
        call = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return Judgement(False, False, False)
    if not isinstance(call, dict) or not isinstance(call.get("arguments"), dict):
        return Judgement(False, False, False)
    right_tool = call.get("tool") == task.tool
    return Judgement(True, right_tool, right_tool and _plain(call["arguments"]) == _plain(task.arguments))


def _plain(arguments: Arguments) -> Arguments:
    return {
        name: value.strip().casefold() if isinstance(value, str) else (type(value).__name__, value)
        for name, value in arguments.items()
    }


def _make_task(rng: random.Random, number: int) -> Task:
    kind = _KINDS[number % len(_KINDS)]
    if kind == "no_tool":
        return _no_tool_task(rng, number)
    right = rng.choice(TOOLS)
    others = rng.sample([tool for tool in TOOLS if tool is not right], _OFFERED - 1)
    offered = [right, *others, NONE]
    rng.shuffle(offered)
    if kind == "corrected":
        request, arguments = corrected(rng, PLAIN[right.name])
    else:
        request, arguments = (PLAIN if kind == "plain" else INDIRECT)[right.name](rng)
    return Task(f"{number:03d}-{kind}-{right.name}", kind, request, tuple(offered), right.name, arguments)


def _no_tool_task(rng: random.Random, number: int) -> Task:
    """A request that no tool is for, or one whose tool is not among those on offer."""
    missing, *others = rng.sample(TOOLS, _OFFERED + 1)
    offered = [*others, NONE]
    rng.shuffle(offered)
    request = rng.choice(OFF_TOPIC) if rng.random() < 0.5 else PLAIN[missing.name](rng)[0]
    return Task(f"{number:03d}-{NO_TOOL}", "no_tool", request, tuple(offered), NO_TOOL, {})
