"""The tools that a model can choose from, as JSON schemas, and the schema of its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NO_TOOL = "no_tool"


@dataclass(frozen=True)
class Tool:
    """A tool: what it is for, and its arguments as JSON schema properties, all of them required."""

    name: str
    purpose: str
    properties: Mapping[str, Mapping[str, Any]]

    def schema(self) -> dict[str, Any]:
        """The JSON schema of an answer that calls this tool."""
        return {
            "type": "object",
            "properties": {
                "tool": {"const": self.name},
                "arguments": {
                    "type": "object",
                    "properties": dict(self.properties),
                    "required": list(self.properties),
                    "additionalProperties": False,
                },
            },
            "required": ["tool", "arguments"],
            "additionalProperties": False,
        }

    def described(self) -> str:
        """The tool in a line, for a prompt."""
        arguments = ", ".join(f"{name}: {_kind(spec)}" for name, spec in self.properties.items())
        return f"- {self.name}({arguments}): {self.purpose}"


def answer_schema(tools: Sequence[Tool]) -> dict[str, Any]:
    """The JSON schema of an answer: a call of one of the tools."""
    return {"anyOf": [tool.schema() for tool in tools]}


def _kind(spec: Mapping[str, Any]) -> str:
    return "/".join(map(str, spec["enum"])) if "enum" in spec else str(spec["type"])


ROOMS = ["kitchen", "bedroom", "office", "garage", "bathroom"]
CITIES = ["Lisbon", "Oslo", "Nairobi", "Lima", "Kyoto", "Toronto", "Vienna"]
PEOPLE = ["Ana", "Boris", "Chen", "Dora", "Emil", "Fatima"]
FILES = ["report.txt", "budget.csv", "photo.png", "notes.md", "backup.zip"]
SONGS = ["Blue Lake", "Night Train", "Paper Moon", "Old Harbour"]

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}

TOOLS = [
    Tool("set_light", "turn the light of a room on or off", {"room": _TEXT, "state": {"enum": ["on", "off"]}}),
    Tool("set_temperature", "set the temperature of a room in degrees", {"room": _TEXT, "degrees": _NUMBER}),
    Tool("get_weather", "tell the weather of a city", {"city": _TEXT}),
    Tool("set_timer", "start a timer", {"minutes": _NUMBER}),
    Tool("send_money", "send money to a person", {"to": _TEXT, "amount": _NUMBER}),
    Tool("delete_file", "delete a file", {"file": _TEXT}),
    Tool("copy_file", "copy a file to a folder", {"file": _TEXT, "folder": _TEXT}),
    Tool("add_event", "put an event into the calendar", {"title": _TEXT, "day": _TEXT, "hour": _NUMBER}),
    Tool("play_song", "play a song", {"title": _TEXT}),
    Tool("send_message", "send a text message to a person", {"to": _TEXT, "text": _TEXT}),
]
NONE = Tool(NO_TOOL, "none of the other tools fits the request", {})
