"""What a reader finds: a run that was made elsewhere, in words of ours; and how readers read numbers and times."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

Document = Mapping[str, Any]


class UnreadableResult(Exception):
    """A file that cannot be read as what it seems to be: which, and why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class ForeignRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was made elsewhere.

    `name` tells the runs of one file apart. `harness` is what made it, and stands as the benchmark directory: scores
    of two harnesses are never compared. Times are ISO 8601 UTC; `config` is what the score depends on besides the
    model.
    """

    name: str
    harness: str
    benchmark_id: str
    status: Literal["succeeded", "failed"] = "succeeded"
    reason: str | None = None
    error: str | None = None
    agent: str = ""
    provider: str = ""
    model: str = ""
    score: float | None = None
    unit: str | None = None
    higher_is_better: bool | None = None
    samples: int | None = None
    stderr: float | None = None
    metrics: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    config: dict[str, Any] = {}
    synthetic: bool = False
    started_at: str | None = None
    ended_at: str | None = None
    duration_seconds: float | None = None
    benchmark_version: str | None = None
    provenance: dict[str, Any] = {}


def decode_json(content: bytes) -> Any:
    """The value of a JSON text, also of one that strict readers refuse: harnesses write NaN, and models half a letter.

    What is no letter becomes a question mark, because no event could hold it. Raises ValueError.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return _printable(json.loads(content))
    except RecursionError as problem:
        raise ValueError("nested too deep") from problem


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def without_nonfinite(value: Any) -> Any:
    """A JSON value with null for NaN and Infinity, which no signature can be made of."""
    if isinstance(value, dict):
        return {key: without_nonfinite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nonfinite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def slug(text: str) -> str:
    """A benchmark's id, as manifests have them, made from any name."""
    return re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")[:80] or "unnamed"


def number(value: object) -> float | None:
    """A finite number, also one that was written as text; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def count(value: object) -> int | None:
    """A whole number that is not negative; None for all else."""
    read = number(value)
    return int(read) if read is not None and read >= 0 and read.is_integer() else None


def finite(values: Mapping[str, object]) -> dict[str, Any]:
    """Those of the values that are finite numbers."""
    return {name: read for name, value in values.items() if (read := number(value)) is not None}


def moment(value: object) -> str | None:
    """A time as ISO 8601 UTC, of a text or of Unix seconds; a time without a zone is taken for UTC. Else None."""
    seconds = number(value)
    try:
        at = datetime.fromisoformat(str(value)) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_between(start: str | None, end: str | None) -> float | None:
    """The time between two moments, in seconds."""
    if start is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def table(value: object) -> dict[str, Any]:
    """The value, where it is a JSON object; else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[dict[str, Any]]:
    """The objects of a JSON list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that say something."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


_RATIOS = re.compile(r"(acc|accuracy|exact_match|quasi_exact_match|em|f1|mc1|mc2|mcc|pass[@_].*|.*_match)(_.*)?")


def unit_of(metric: str) -> str:
    """The unit of a metric by its name: `ratio` for those that are shares of one, else the name itself."""
    return "ratio" if _RATIOS.fullmatch(metric.lower()) else metric
