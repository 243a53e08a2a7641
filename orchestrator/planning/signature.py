"""The signature, which makes two runs the same work, and the looser key by which scores are compared."""

from __future__ import annotations

import math
from hashlib import sha256
from typing import Any

import msgspec

from ...ledger.events import REPEAT, Json

_encode = msgspec.json.Encoder(order="sorted").encode


class Signature(msgspec.Struct, frozen=True):
    """The identity of a piece of work; `preimage` is what was hashed."""

    digest: str
    preimage: Json
    comparison_key: str


def sign(
    *, benchmark_id: str, benchmark_directory: str, agent: str, provider: str, model: str, extra_config: Json
) -> Signature:
    """The signature of running a benchmark with its effective configuration.

    SHA-256 of the canonical JSON: keys sorted, no spaces, a whole number without a fraction, provider in lower case.
    The comparison key leaves out the contender (agent, provider, model) and the number of the repetition.
    """
    work = {"benchmark_id": benchmark_id, "benchmark_directory": benchmark_directory}
    contender = {"agent": agent, "provider": provider.lower(), "model": model}
    preimage = canonical({**work, **contender, "extra_config": extra_config})
    task = {key: value for key, value in preimage["extra_config"].items() if key != REPEAT}
    return Signature(_digest(preimage), preimage, _digest({**work, "extra_config": task}))


def canonical(value: Any) -> Any:
    """The canonical form of a JSON value; equal values have the same form. Raises ValueError for NaN and infinity."""
    if isinstance(value, str | int):
        return value  # The usual case.
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a JSON number")
        return int(value) if value.is_integer() else value
    return value


def difference(before: Json, after: Json, path: str = "") -> list[str]:
    """The fields in which two pre-images differ, each as `extra_config.seed: 42 -> 43`."""
    changes = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changes += difference(old, new, f"{path}{key}.")
        else:
            changes.append(f"{path}{key}: {_show(old)} -> {_show(new)}")
    return changes


def _show(value: Any) -> str:
    return "(none)" if value is None else value if isinstance(value, str) else _encode(value).decode()


def _digest(value: Json) -> str:
    return sha256(_encode(value)).hexdigest()
