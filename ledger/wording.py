"""Tells the identities among the fields of an event from free text.

An identity is a field by which the program decides, counts or finds things: ids, names, statuses, digests, times,
paths, and the options that a signature is made of. It is recorded unchanged or not at all. Everything else may
be changed before it is recorded, such as an error that quotes a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import msgspec

from . import events as e

AnEvent = TypeVar("AnEvent", bound=e.Event)
Rewrite = Callable[[str, Any], Any]
"""Gets the path of a field (`request.extra`) and its value as plain JSON data; returns the value to record."""

_OWNER = "owner"
_OUTCOME = (
    "ended_at",
    "unit",
    "artifacts",
    "logs",
    "result_json_path",
    "high_score",
    "revealed",
    "task_revision",
    "served_model",
)

_FIELDS: dict[type[e.Event], tuple[str, ...]] = {
    e.GroupOpened: (
        *("request.benchmarks", "request.agent", "request.provider", "request.model"),
        *("benchmarks", "created_by", "opened_at", "imported", _OWNER),
    ),
    e.Started: (
        *("run_group_id", "benchmark_id", "benchmark_directory", "signature", "preimage", "comparison_key"),
        *("agent", "provider", "model", "extra_config", "cwd", "stdout_path", "stderr_path", _OWNER),
        *("benchmark_version", "benchmarks_commit", "eliza_commit", "eliza_version", "task_revision", "registration"),
        "reproduces",
        *("provenance.manifest", "provenance.environment", "provenance.benchmarks", "provenance.model_sha256"),
    ),
    e.Heartbeat: (),
    e.Finished: _OUTCOME,
    e.Failed: (*_OUTCOME, "reason"),
    e.Recovered: ("last_seen_at", "ended_at", "by", *(f"adopted.{name}" for name in _OUTCOME)),
    e.Skipped: ("benchmark_id", "signature", "reason", "existing_run_id", "agent", "provider", "model"),
    e.Incompatible: ("benchmark_id", "signature", "agent", "provider", "model"),
    e.GroupClosed: ("counts", "reason", "closed_at"),
    e.CancelRequested: (),
    e.Paused: (),
    e.Resumed: (),
    e.HighScorePublished: ("unit", "date"),
    e.Annotated: (),
    e.Retracted: (),
    e.EquivalenceDeclared: ("revisions",),
    e.EquivalenceWithdrawn: ("revisions",),
    e.Reinstated: (),
    e.SamplesExcluded: ("samples", "anew"),
    e.SamplesIncluded: ("samples", "anew"),
    e.Rescored: ("scorer.sha256", "unit", "artifact"),
    e.Imported: (
        "source",
        *(
            f"run.{name}"
            for name in (
                *("run_group_id", "benchmark_id", "benchmark_directory", "signature", "comparison_key", "preimage"),
                *("agent", "provider", "model", "extra_config", "status", "unit", "started_at", "ended_at"),
                *("cwd", "stdout_path", "stderr_path", "result_json_path", "benchmark_version"),
                *("benchmarks_commit", "eliza_commit", "eliza_version"),
            )
        ),
    ),
    e.Repaired: ("head_hash", "quarantined"),
    e.SetAside: ("head_hash", "events"),
    e.Merged: ("origin", "head_hash", "stretches"),
    e.Registered: (
        *("benchmarks", "contenders", "options", "seeds", "metric", "test", "deadline", "exclusions.reasons"),
    ),
    e.RegistrationAmended: ("changes",),
    e.TablePublished: ("name", "rules", "rows", "registration", "checkpoint"),
    e.Reproduced: ("of", "verdict"),
}
IDENTITIES: Mapping[type[e.Event], frozenset[str]] = {kind: frozenset(fields) for kind, fields in _FIELDS.items()}
"""Paths of the fields that are never rewritten. A field that is not named here is free text."""


def reword(event: AnEvent, rewrite: Rewrite) -> AnEvent:
    """The event with its free texts rewritten; the same object if nothing changed. An unknown event is not changed."""
    if isinstance(event, e.Unknown):
        return event
    before = msgspec.to_builtins(event)
    after = _reworded(before, "", IDENTITIES.get(type(event), frozenset()), rewrite)
    return event if after == before else msgspec.convert(after, type(event))


def _reworded(data: dict[str, Any], path: str, identities: frozenset[str], rewrite: Rewrite) -> dict[str, Any]:
    reworded = {}
    for name, value in data.items():
        inner = f"{path}{name}"
        if inner in identities or value is None or isinstance(value, bool | int | float):
            reworded[name] = value
        elif isinstance(value, dict) and any(identity.startswith(f"{inner}.") for identity in identities):
            reworded[name] = _reworded(cast("dict[str, Any]", value), f"{inner}.", identities, rewrite)
        else:
            reworded[name] = rewrite(inner, value)
    return reworded
