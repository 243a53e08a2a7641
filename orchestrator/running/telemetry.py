"""What a benchmark tells while it runs: model calls in one file, progress in another, a JSON object a line in each."""

from __future__ import annotations

import math
from pathlib import Path
from types import UnionType
from typing import Any, TypeGuard

import msgspec
from msgspec.structs import replace

from ...ledger.events import Json, Progress

_CALL_FIELDS = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "total_tokens": ("total_tokens",),
    "cached_tokens": ("cached_tokens", "cache_read_input_tokens"),
}
_LINES_AT_ONCE = 1024 * 1024
_LONGEST_LINE = 1024 * 1024
"""A longer line is no call: it is passed over in pieces, none of which makes sense."""
_LONGEST_NOTE = 200
_MOST = 2**40
"""Nobody's call has so many tokens, or takes so many milliseconds."""


class ProgressFile:
    """Follows a progress file while somebody writes it. A line that makes no sense is no progress."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.latest: Progress | None = None

    def look(self) -> bool:
        """Read what is new; whether it changed `latest`."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(_LINES_AT_ONCE)
        except OSError:
            return False  # Most benchmarks never write one.
        end = piece.rfind(b"\n") + 1
        self._offset += end or (len(piece) if len(piece) == _LINES_AT_ONCE else 0)  # So long a line makes no sense.
        for line in reversed(piece[:end].splitlines()):
            try:
                progress = msgspec.json.decode(line, type=Progress)
            except (ValueError, RecursionError):
                continue
            self.latest = replace(progress, note=progress.note[:_LONGEST_NOTE])
            return True
        return False


def summarize_calls(path: Path) -> Json:
    """Counts, token sums and latency percentiles (ms, nearest rank) of a telemetry file; empty without calls.

    A sum is of the calls that name its field.
    """
    sums: dict[str, int] = {}
    latencies: list[float] = []
    calls = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                call = _call(line)
                if call is None:
                    continue
                calls += 1
                for field, names in _CALL_FIELDS.items():
                    value = next((call[name] for name in names if _is_amount(call.get(name), int)), None)
                    if value is not None:
                        sums[field] = sums.get(field, 0) + value
                if _is_amount(latency := call.get("latency_ms"), int | float):
                    latencies.append(latency)
    except OSError:
        return {}  # The benchmark reports no calls.
    if not calls:
        return {}
    usage: Json = {**sums, "calls": calls}
    if latencies:
        latencies.sort()
        usage["latency_p50_ms"] = _percentile(latencies, 0.50)
        usage["latency_p95_ms"] = _percentile(latencies, 0.95)
    return usage


def _call(line: bytes) -> dict[str, Any] | None:
    try:
        call = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None  # Torn by a kill, or a note of somebody's own.
    return call if isinstance(call, dict) else None


def _is_amount(value: object, kind: type | UnionType) -> TypeGuard[int]:
    return isinstance(value, kind) and isinstance(value, int | float) and value is not True and 0 <= value < _MOST


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
