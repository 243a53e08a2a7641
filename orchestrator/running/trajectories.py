"""Reads model usage from trajectory files, for a benchmark that does not report its model calls.

Suites write the actions of an agent as `trajectories.jsonl` or `…trajectories….json`, each in its own format. In all of
them a model call is a table with tokens under one of the known names, or a table with a latency that holds such tokens
in its table `usage`. A sum at a higher level, such as that of a run over its turns, is left out, because its parts are
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from ...ledger.events import Artifact, Json
from ...ledger.run_files import NotReadable, open_inside
from ...ledger.usage import MILLISECONDS_NAMES, TOKEN_NAMES

PATTERNS = ("trajectories.jsonl", "trajectory*.jsonl", "*trajectories*.json", "*trajectories*.jsonl")
MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of one file. A larger one is left out, since its decoded JSON takes many times as much memory."""
_MAX_LINE_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 60

_DETAILS = ("prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "output_tokens_details")
_OF_A_CALL = {"usage", *_DETAILS}
_COST = ("cost_usd", "costUsd", "total_cost_usd")


def read_calls(
    folder: Path, artifacts: Iterable[Artifact], *, is_over: Callable[[], bool] = lambda: False
) -> tuple[list[Json], list[str]]:
    """The model calls in the trajectories of a run, with the field names of telemetry, and notes on unread files."""
    calls: list[Json] = []
    notes: list[str] = []
    counted: set[str] = set()
    for artifact in artifacts:
        path = PurePosixPath(artifact.path)
        # A .jsonl and a .json file of one name may hold the same calls.
        name = str(path.with_suffix(""))
        if is_over() or name in counted or not _has_calls(path.name):
            continue
        try:
            found = _calls_of(folder, artifact)
        except NotReadable as problem:
            notes.append(f"calls were not counted: {artifact.path} {problem}")
        except OSError as problem:
            notes.append(f"calls were not counted: {artifact.path} cannot be read: {problem.strerror}")
        else:
            calls += found
            counted |= {name} if found else set()
    return calls if _has_tokens(calls) else [_without_tokens(call) for call in calls], notes


def _has_calls(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in PATTERNS)


def _calls_of(folder: Path, artifact: Artifact) -> list[Json]:
    """The calls in one file. Raises NotReadable, also for a file that is too large, and OSError."""
    if artifact.bytes > MAX_BYTES:
        raise NotReadable(f"has {artifact.bytes} bytes")
    return [call for document in _documents(folder, artifact.path) for call in _calls_in(document, _MAX_DEPTH)]


def _has_tokens(calls: list[Json]) -> bool:
    """Whether any call has tokens. A mock reports 0, but a real model always uses tokens."""
    return any(amount for call in calls for name, amount in call.items() if name.endswith("_tokens"))


def _without_tokens(call: Json) -> Json:
    return {name: value for name, value in call.items() if not name.endswith("_tokens")}


def _documents(folder: Path, path: str) -> Iterator[Any]:
    """The JSON values of a file: one, or one per line. Text that is not JSON is skipped."""
    with open_inside(folder, path) as file:
        if not path.endswith(".jsonl"):
            yield from _decoded(file.read(MAX_BYTES))
            return
        while line := file.readline(_MAX_LINE_BYTES):
            yield from _decoded(line)


def _decoded(text: bytes) -> Iterator[Any]:
    try:
        yield msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return  # Cut short by a kill, or not JSON.


def _calls_in(value: Any, levels: int) -> list[Json]:
    """The calls in the parts of a value; if there are none, the value itself if it is a call."""
    if levels == 0 or not isinstance(value, dict | list):
        return []
    if isinstance(value, list):
        return _calls_in_parts(value, levels)
    if found := _calls_in_parts([part for name, part in value.items() if name not in _OF_A_CALL], levels):
        return found
    return _calls_of_usage(value, levels) or _timed_call(value, value)


def _calls_in_parts(parts: list[Any], levels: int) -> list[Json]:
    return [call for part in parts if isinstance(part, dict | list) for call in _calls_in(part, levels - 1)]


def _calls_of_usage(table: Json, levels: int) -> list[Json]:
    """The calls in the table `usage` of a table, which may list calls or be one sum."""
    usage = table.get("usage")
    if not isinstance(usage, dict):
        return []
    lists = [part for part in usage.values() if isinstance(part, list)]
    return _calls_in_parts(lists, levels) or _timed_call(table, usage)


def _timed_call(table: Json, tokens: Json) -> list[Json]:
    """The call whose tokens are in `tokens`, with the latency of `table`; none without tokens."""
    call = _call(tokens)
    return [{**_timed(table), **call}] if call else []


def _call(table: Json) -> Json:
    """The tokens and the cost of a table under the known names; empty if it has no tokens."""
    details = [inner for name in _DETAILS if isinstance(inner := table.get(name), dict)]
    amounts = {field: _first_number([table, *details], names) for field, names in TOKEN_NAMES.items()}
    call: Json = {
        field: int(amount) for field, amount in amounts.items() if amount is not None and float(amount).is_integer()
    }
    cost = _first_number([table], _COST)
    return {**call, "cost_usd": cost} if call and cost is not None else call


def _first_number(tables: list[Json], names: tuple[str, ...]) -> int | float | None:
    """The first number under one of the names, searched table by table."""
    return next((table[name] for table in tables for name in names if _is_number(table.get(name))), None)


def _timed(table: Json) -> Json:
    latency = _first_number([table], MILLISECONDS_NAMES)
    return {} if latency is None else {"latency_ms": latency}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**40
