"""Trajectories that a run left in files of its own: `trajectories.jsonl`, ATIF's `trajectory.json` and the like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

import msgspec

from .shapes import read_turns, transcript_of
from .turns import Transcript

PATTERNS = ("trajectory*.json", "trajectory*.jsonl", "*trajectories*.json", "*trajectories*.jsonl", "*.traj")
"""Names of files with trajectories."""

MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of one file. A larger one is left out, since its decoded JSON takes many times as much memory."""

MAX_TRAJECTORIES = 10_000

_NAMES = (
    "task_id",
    "sample_id",
    "scenario_id",
    "trajectory_id",
    "session_id",
    "episode_id",
    "instance_id",
    "id",
    "task",
)
_WHOLE = ("trajectories", "episodes", "rollouts", "results", "tasks", "runs")


class Trajectory(msgspec.Struct, frozen=True):
    """A trajectory: its `name` is that of its task if it has one, else that of its file with a number."""

    name: str
    path: str
    transcript: Transcript
    more: dict[str, Any] = {}


def is_trajectory(path: str) -> bool:
    """Whether a file is called as one with trajectories."""
    name = PurePosixPath(path).name
    return any(fnmatch(name, pattern) for pattern in PATTERNS)


def read_file(path: str, content: bytes) -> list[Trajectory]:
    """The trajectories of a file: of a document, or of lines, each of which is a trajectory or a step of one."""
    found: list[Trajectory] = []
    steps: dict[str, list[Any]] = {}
    for record in _records(path, content):
        if len(found) >= MAX_TRAJECTORIES:
            break
        name = _name(record)
        if _is_step(record):
            steps.setdefault(name, []).append(record)
            continue
        transcript, taken = transcript_of(record)
        if transcript is not None:
            more = {key: value for key, value in record.items() if key not in taken and value not in (None, "", [], {})}
            if transcript.more:
                more = {**more, **transcript.more}
            found.append(Trajectory(name, path, _named(transcript, record), more))
    for name, some in steps.items():
        found.append(Trajectory(name, path, read_turns(some)))
    return [_numbered(one, at, len(found)) for at, one in enumerate(found)]


def _numbered(one: Trajectory, at: int, all: int) -> Trajectory:
    if one.name:
        return one
    name = str(PurePosixPath(one.path).parent / PurePosixPath(one.path).stem).removeprefix("output/")
    return msgspec.structs.replace(one, name=name if all == 1 else f"{name} {at + 1}")


def _named(transcript: Transcript, record: Mapping[str, Any]) -> Transcript:
    schema = record.get("schema_version")
    return msgspec.structs.replace(transcript, shape=schema) if isinstance(schema, str) else transcript


def _records(path: str, content: bytes) -> Iterator[dict[str, Any]]:
    if path.endswith(".jsonl"):
        for line in content.splitlines():
            yield from _objects(_decoded(line))
    else:
        yield from _objects(_decoded(content))


def _objects(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The records in a document: itself, or those in its lists."""
    if isinstance(value, list):
        if value and depth < 3 and all(isinstance(one, dict) for one in value):
            if _is_talk(value):
                yield {"messages": value}
            else:
                for one in value:
                    yield from _objects(one, depth + 1)
    elif isinstance(value, dict):
        if _is_step(value) or transcript_of(value)[0] is not None:
            yield value
        elif depth < 3:
            for name in _WHOLE:
                if isinstance(value.get(name), list | dict):
                    inner = value[name]
                    yield from _objects(list(inner.values()) if isinstance(inner, dict) else inner, depth + 1)


def _is_talk(value: Sequence[Any]) -> bool:
    return all("role" in one or "from" in one for one in value)


def _is_step(record: Mapping[str, Any]) -> bool:
    """Whether a record is one step, such as a model call, and not a whole trajectory."""
    return ("request" in record and "response" in record) or (
        isinstance(record.get("role") or record.get("source") or record.get("event"), str)
        and not any(isinstance(record.get(name), list) for name in ("messages", "steps", "trajectory", "turns"))
    )


def _name(record: Mapping[str, Any]) -> str:
    for name in _NAMES:
        value = record.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None  # Cut short by a kill, or not JSON.
