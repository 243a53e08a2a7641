"""Reads what a benchmark reports while it runs: model calls and progress, in two files with a JSON object per line."""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeGuard

import msgspec
from msgspec.structs import replace

from ...ledger.events import Json, Progress
from ...ledger.run_files import Missing, NotReadable, open_inside

_CALL_FIELDS = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "total_tokens": ("total_tokens",),
    "cached_tokens": ("cached_tokens", "cache_read_input_tokens"),
    "cache_creation_tokens": ("cache_creation_tokens", "cache_creation_input_tokens"),
    "reasoning_tokens": ("reasoning_tokens",),
}
_WHOLE = ("input_tokens", "output_tokens", "total_tokens")
"""The token fields of a call. If a call reports only some of these, the sums of the others are unknown."""
_LINES_AT_ONCE = 1024 * 1024
_MAX_LINE_BYTES = 1024 * 1024
"""A longer line is not a call. It is read in pieces that cannot be decoded."""
MAX_BYTES = 256 * 1024 * 1024
"""Maximum bytes that are read of a telemetry file: about a million calls."""
_MAX_LATENCIES = 1_000_000
"""Percentiles are computed from at most this number of calls, the first ones."""
_MAX_NOTE_LENGTH = 200
_MAX_MODEL_LENGTH = 200
_MAX_SERVED = 8
_MAX_AMOUNT = 2**40
"""Tokens or milliseconds of a call; a larger value is treated as garbage."""


class ProgressFile:
    """Follows a progress file while a benchmark writes it. A line that cannot be decoded is ignored.

    `problem` is None, or says why the file could not be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.latest: Progress | None = None
        self.problem: str | None = None

    def look(self) -> bool:
        """Read new lines. Returns whether they changed `latest`."""
        try:
            with open_inside(self._path.parent, self._path.name) as file:
                file.seek(self._offset)
                piece = file.read(_LINES_AT_ONCE)
        except Missing:
            return False  # Most benchmarks never write one.
        except NotReadable as problem:
            self.problem = f"{self._path.name} {problem}"
            return False
        except OSError as problem:
            self.problem = f"{self._path.name} cannot be read: {problem.strerror}"
            return False
        end = piece.rfind(b"\n") + 1
        self._offset += end or (len(piece) if len(piece) == _LINES_AT_ONCE else 0)  # Such a long line is not progress.
        for line in reversed(piece[:end].splitlines()):
            try:
                progress = msgspec.json.decode(line, type=Progress)
            except (ValueError, RecursionError):
                continue
            self.latest = replace(progress, note=progress.note[:_MAX_NOTE_LENGTH])
            return True
        return False


class Calls(msgspec.Struct, frozen=True):
    """The usage in a telemetry file (empty without calls), notes about the file, and the models that answered.

    `served` is the model that the API named, with its `system_fingerprint`; commas separate several.
    """

    usage: Json = {}
    notes: list[str] = []
    served: str | None = None


def summarize_calls(folder: Path, path: str, *, is_over: Callable[[], bool] = lambda: False) -> Calls:
    """Counts, token sums and latency percentiles (ms, nearest rank) of the telemetry file at `path` in a run's folder.

    A sum covers the calls that report tokens. It is unknown if one of them does not report the field, and the field
    cannot be computed from the others. Calls that the server refused used no tokens. Lines after MAX_BYTES, or after
    `is_over` returns true, are left out.
    """
    sums = _Sums()
    left = 0
    try:
        with open_inside(folder, path) as file:
            while line := file.readline(_MAX_LINE_BYTES):
                if file.tell() > MAX_BYTES or is_over():
                    left = os.fstat(file.fileno()).st_size - file.tell() + len(line)
                    break
                if (call := _call(line)) is not None:
                    sums.add(call)
    except Missing:
        return Calls()  # The benchmark reports no calls.
    except NotReadable as problem:
        return Calls(notes=[f"calls were not counted: {path} {problem}"])
    except OSError as problem:
        return Calls(notes=[f"calls were not counted: {path} cannot be read: {problem.strerror}"])
    notes = [f"{path}: calls in its last {left} bytes were not counted"] if left else []
    return Calls(sums.usage(), notes, sums.served())


def usage_of(calls: Iterable[Json]) -> Json:
    """The same summary for calls from another source; empty without calls."""
    sums = _Sums()
    for call in calls:
        sums.add(call)
    return sums.usage()


class _Sums:
    """The sums of many calls."""

    def __init__(self) -> None:
        self._sums: dict[str, int] = {}
        self._reported: set[str] = set()
        self._unknown: set[str] = set()
        self._costs: list[float] = []
        self._latencies = array("d")
        self._served: dict[str, None] = {}
        self._calls = self._refused = 0

    def add(self, call: Mapping[str, Any]) -> None:
        """Count a call."""
        self._calls += 1
        self._refused += call.get("ok") is False and isinstance(call.get("status"), int)
        self._add_tokens(call)
        if (served := _served(call)) and len(self._served) < _MAX_SERVED:
            self._served[served] = None
        if _is_amount(cost := call.get("cost_usd"), int | float):
            self._costs.append(cost)
        if _is_amount(latency := call.get("latency_ms"), int | float) and len(self._latencies) < _MAX_LATENCIES:
            self._latencies.append(latency)

    def _add_tokens(self, call: Mapping[str, Any]) -> None:
        counts = {field: _amount(call, names) for field, names in _CALL_FIELDS.items()}
        self._reported.update(field for field, value in counts.items() if value is not None)
        reports_tokens = any(counts[field] is not None for field in _WHOLE)
        _complete(counts)
        for field, value in counts.items():
            if value is not None:
                self._sums[field] = self._sums.get(field, 0) + value
            elif (reports_tokens and field in _WHOLE) or _is_null(call, _CALL_FIELDS[field]):
                self._unknown.add(field)

    def served(self) -> str | None:
        """The models that answered, with their fingerprints, in alphabetical order; None if no call names one."""
        return ", ".join(sorted(self._served)) or None

    def usage(self) -> Json:
        """The usage of all calls; empty without any."""
        if not self._calls:
            return {}
        sums = {name: total for name, total in self._sums.items() if name in self._reported}
        if self._refused == self._calls and not sums:
            sums = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        known = {name: total for name, total in sums.items() if name not in self._unknown}
        usage: Json = {**known, "calls": self._calls}
        if self._costs and len(self._costs) == self._calls:
            usage["cost_usd"] = math.fsum(self._costs)
        if self._latencies:
            ordered = sorted(self._latencies)
            usage["latency_mean_ms"] = round(math.fsum(ordered) / len(ordered), 3)
            usage["latency_p50_ms"] = _percentile(ordered, 0.50)
            usage["latency_p95_ms"] = _percentile(ordered, 0.95)
        return usage


def _served(call: Mapping[str, Any]) -> str | None:
    """The model that answered a call, by the API: its `served_model`, with its `system_fingerprint`."""
    model, fingerprint = call.get("served_model"), call.get("system_fingerprint")
    if not isinstance(model, str) or not model.strip():
        return None
    named = " ".join(model.split())[:_MAX_MODEL_LENGTH]
    if isinstance(fingerprint, str) and fingerprint.strip():
        return f"{named} ({' '.join(fingerprint.split())[:_MAX_MODEL_LENGTH]})"
    return named


def _amount(call: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The number of tokens under the first name that has one."""
    return next((call[name] for name in names if _is_amount(call.get(name), int)), None)


def _is_null(call: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Whether a field is present and null, so its value is unknown."""
    return any(name in call and call[name] is None for name in names)


def _complete(counts: dict[str, int | None]) -> None:
    """Compute a missing count from the two others: total = input + output."""
    read, written, total = (counts[field] for field in _WHOLE)
    if total is None and read is not None and written is not None:
        counts["total_tokens"] = read + written
    elif total is not None and written is None and read is not None and read <= total:
        counts["output_tokens"] = total - read
    elif total is not None and read is None and written is not None and written <= total:
        counts["input_tokens"] = total - written


def _call(line: bytes) -> dict[str, Any] | None:
    try:
        call = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None  # A line that a kill cut short, or that is not JSON.
    return call if isinstance(call, dict) else None


def _is_amount(value: object, kind: type | UnionType) -> TypeGuard[int]:
    return isinstance(value, kind) and isinstance(value, int | float) and value is not True and 0 <= value < _MAX_AMOUNT


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
