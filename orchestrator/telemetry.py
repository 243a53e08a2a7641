"""What a benchmark tells while it runs: model calls in one file, progress in another, a JSON object a line in each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from ..ledger.events import Json, Progress

_CALL_FIELDS = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "total_tokens": ("total_tokens",),
    "cached_tokens": ("cached_tokens", "cache_read_input_tokens"),
}
_LINES_AT_ONCE = 1024 * 1024


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
        self._offset += end
        for line in reversed(piece[:end].splitlines()):
            try:
                self.latest = msgspec.json.decode(line, type=Progress)
            except msgspec.DecodeError:
                continue
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
            for line in file:
                call = _call(line)
                if call is None:
                    continue
                calls += 1
                for field, names in _CALL_FIELDS.items():
                    value = next((call[name] for name in names if isinstance(call.get(name), int)), None)
                    if value is not None:
                        sums[field] = sums.get(field, 0) + value
                if isinstance(latency := call.get("latency_ms"), int | float):
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
    except msgspec.DecodeError:
        return None  # Torn by a kill, or a note of somebody's own.
    return call if isinstance(call, dict) else None


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
