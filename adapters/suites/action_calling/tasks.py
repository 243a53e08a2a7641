"""Requests with the one call that answers each, made from a seed; and the strict check of an answer."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .tools import CITIES, FILES, NO_TOOL, NONE, PEOPLE, ROOMS, SONGS, TOOLS, Tool

_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
_EVENTS = ["Dentist", "Team lunch", "Piano lesson", "Budget review"]
_FOLDERS = ["archive", "shared", "travel", "work"]
_MESSAGES = ["I am late", "Happy birthday", "The door is open", "Call me back"]
_OFF_TOPIC = [
    "Tell me a joke about penguins.",
    "Who wrote the book you like best?",
    "What is seven times eight?",
    "Write a haiku about snow.",
    "Explain why the sky is blue.",
]
_NO_TOOL_SHARE = 0.2
_OFFERED = 4

Arguments = dict[str, Any]
Form = Callable[[random.Random], tuple[str, Arguments]]


@dataclass(frozen=True)
class Task:
    """A request, the tools on offer, and the right call."""

    id: str
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
    """So many requests; the same arguments make the same tasks."""
    return [_make_task(random.Random(f"{seed}/{number}"), number) for number in range(count)]  # noqa: S311 - no secrets


def judge(task: Task, text: str) -> Judgement:
    """Compare an answer with the right call. Text is compared without regard to case and outer spaces."""
    try:
        call = json.loads(text)
    except ValueError:
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
    if rng.random() < _NO_TOOL_SHARE:
        offered = [*rng.sample(TOOLS, _OFFERED), NONE]
        return Task(f"{number:03d}-{NO_TOOL}", rng.choice(_OFF_TOPIC), tuple(offered), NO_TOOL, {})
    right = rng.choice(TOOLS)
    others = rng.sample([tool for tool in TOOLS if tool is not right], _OFFERED - 1)
    offered = [right, *others]
    rng.shuffle(offered)
    request, arguments = _FORMS[right.name](rng)
    return Task(f"{number:03d}-{right.name}", request, (*offered, NONE), right.name, arguments)


def _light(rng: random.Random) -> tuple[str, Arguments]:
    room, state = rng.choice(ROOMS), rng.choice(["on", "off"])
    return f"Turn {state} the light in the {room}.", {"room": room, "state": state}


def _temperature(rng: random.Random) -> tuple[str, Arguments]:
    room, degrees = rng.choice(ROOMS), rng.randrange(16, 26)
    return f"Make it {degrees} degrees in the {room}.", {"room": room, "degrees": degrees}


def _weather(rng: random.Random) -> tuple[str, Arguments]:
    city = rng.choice(CITIES)
    return f"What is the weather in {city}?", {"city": city}


def _timer(rng: random.Random) -> tuple[str, Arguments]:
    minutes = rng.randrange(2, 60)
    return f"Set a timer for {minutes} minutes.", {"minutes": minutes}


def _money(rng: random.Random) -> tuple[str, Arguments]:
    to, amount = rng.choice(PEOPLE), rng.randrange(5, 500, 5)
    return f"Please send {amount} euros to {to}.", {"to": to, "amount": amount}


def _delete(rng: random.Random) -> tuple[str, Arguments]:
    file = rng.choice(FILES)
    return f"I don't need {file} any more, delete it.", {"file": file}


def _copy(rng: random.Random) -> tuple[str, Arguments]:
    file, folder = rng.choice(FILES), rng.choice(_FOLDERS)
    return f"Copy {file} to the folder {folder}.", {"file": file, "folder": folder}


def _event(rng: random.Random) -> tuple[str, Arguments]:
    title, day, hour = rng.choice(_EVENTS), rng.choice(_DAYS), rng.randrange(8, 20)
    return f'Put "{title}" into my calendar on {day} at {hour}:00.', {"title": title, "day": day, "hour": hour}


def _song(rng: random.Random) -> tuple[str, Arguments]:
    title = rng.choice(SONGS)
    return f'Play the song "{title}".', {"title": title}


def _message(rng: random.Random) -> tuple[str, Arguments]:
    to, text = rng.choice(PEOPLE), rng.choice(_MESSAGES)
    return f'Send {to} the message "{text}".', {"to": to, "text": text}


_FORMS: dict[str, Form] = {
    "set_light": _light,
    "set_temperature": _temperature,
    "get_weather": _weather,
    "set_timer": _timer,
    "send_money": _money,
    "delete_file": _delete,
    "copy_file": _copy,
    "add_event": _event,
    "play_song": _song,
    "send_message": _message,
}
