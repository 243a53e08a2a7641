"""The usage in files of trajectories, for a benchmark that does not report its model calls.

Suites write what an agent did as `trajectories.jsonl` or `…trajectories….json`, each in a shape of its own. What they
share: a model call is a table with tokens under one of the known names, or the table `usage` inside one that also has
a latency. Sums that such files repeat at a higher level, such as those of a run over its turns, are left out: the parts
count, and not the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from ...ledger.events import Artifact, Json
from ...ledger.run_files import NotReadable, open_inside

PATTERNS = ("trajectories.jsonl", "trajectory*.jsonl", "*trajectories*.json", "*trajectories*.jsonl")
MAX_BYTES = 64 * 1024 * 1024
"""Of one file: a longer one is left out, since its JSON would take many times as much memory."""
_MAX_LINE_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 60

_NAMES = {
    "input_tokens": ("input_tokens", "prompt_tokens", "inputTokens", "promptTokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "outputTokens", "completionTokens"),
    "total_tokens": ("total_tokens", "totalTokens", "tokens_used"),
    "cached_tokens": ("cached_tokens", "cache_read_input_tokens", "cachedTokens", "cacheReadInputTokens"),
    "cache_creation_tokens": ("cache_creation_tokens", "cache_creation_input_tokens", "cacheCreationInputTokens"),
    "reasoning_tokens": ("reasoning_tokens", "reasoningTokens"),
}
_DETAILS = ("prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "output_tokens_details")
_OF_A_CALL = {"usage", *_DETAILS}
_LATENCY = ("latency_ms", "latencyMs", "duration_ms")
_COST = ("cost_usd", "costUsd", "total_cost_usd")


def read_calls(
    folder: Path, artifacts: Iterable[Artifact], *, is_over: Callable[[], bool] = lambda: False
) -> tuple[list[Json], list[str]]:
    """The model calls in the trajectories of a run, in the terms of a telemetry file; and what could not be read."""
    calls: list[Json] = []
    notes: list[str] = []
    counted: set[str] = set()
    for artifact in artifacts:
        path = PurePosixPath(artifact.path)
        if is_over() or not any(fnmatch(path.name, pattern) for pattern in PATTERNS):
            continue
        if str(path.with_suffix("")) in counted:
            continue  # The same as lines and as one document.
        if artifact.bytes > MAX_BYTES:
            notes.append(f"calls were not counted: {artifact.path} has {artifact.bytes} bytes")
            continue
        try:
            found = [call for document in _documents(folder, artifact.path) for call in _calls_in(document, _MAX_DEPTH)]
        except NotReadable as problem:
            notes.append(f"calls were not counted: {artifact.path} {problem}")
        except OSError as problem:
            notes.append(f"calls were not counted: {artifact.path} cannot be read: {problem.strerror}")
        else:
            calls += found
            if found:
                counted.add(str(path.with_suffix("")))
    # A mock reports 0 tokens; a model never answers without any.
    if not any(amount for call in calls for name, amount in call.items() if name.endswith("_tokens")):
        calls = [{name: value for name, value in call.items() if not name.endswith("_tokens")} for call in calls]
    return calls, notes


def _documents(folder: Path, path: str) -> Iterator[Any]:
    """The JSON values of a file: one, or one a line. What is not JSON is passed over."""
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
        return  # Torn by a kill, or not JSON.


def _calls_in(value: Any, levels: int) -> list[Json]:
    """The calls in a value: those of its parts, or else the value itself if it is one."""
    if levels == 0 or not isinstance(value, dict | list):
        return []
    parts = value if isinstance(value, list) else [part for name, part in value.items() if name not in _OF_A_CALL]
    found = [call for part in parts if isinstance(part, dict | list) for call in _calls_in(part, levels - 1)]
    if found or isinstance(value, list):
        return found
    usage = value.get("usage")
    if isinstance(usage, dict):
        # It may list its calls, or be one sum.
        lists = [part for part in usage.values() if isinstance(part, list)]
        if inner := [call for part in lists for call in _calls_in(part, levels - 1)]:
            return inner
        if call := _call(usage):
            return [{**_timed(value), **call}]
    if call := _call(value):
        return [{**_timed(value), **call}]
    return []


def _call(table: Json) -> Json:
    """The tokens and the cost of a table under the known names; empty if it has no tokens."""
    call: Json = {}
    for field, names in _NAMES.items():
        amount = next((table[name] for name in names if _is_number(table.get(name))), None)
        if amount is None:
            inner = [table[details] for details in _DETAILS if isinstance(table.get(details), dict)]
            amount = next((one[name] for one in inner for name in names if _is_number(one.get(name))), None)
        if amount is not None and float(amount).is_integer():
            call[field] = int(amount)
    if not call:
        return {}
    cost = next((table[name] for name in _COST if _is_number(table.get(name))), None)
    return call if cost is None else {**call, "cost_usd": cost}


def _timed(table: Json) -> Json:
    latency = next((table[name] for name in _LATENCY if _is_number(table.get(name))), None)
    return {} if latency is None else {"latency_ms": latency}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**40
