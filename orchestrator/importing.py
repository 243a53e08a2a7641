"""Runs that were made elsewhere become `imported` events: each once, whatever its file is called by then.

A run's id is made from the digest of the content that it was read from, so that the same file is the same run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from ..adapters.imports.found import ForeignRun
from ..adapters.imports.reading import Source
from ..ledger.events import Imported, ImportSource, Json, NewEvent
from ..ledger.history import History
from ..ledger.ledger import Ledger
from .redaction import Redactor, without_named_secrets
from .signature import sign


class Found(msgspec.Struct, frozen=True):
    """A run that was read: its id here, and where it stands."""

    run_id: str
    source: ImportSource
    run: ForeignRun


def read_source(source: Source) -> list[Found]:
    """The runs of a source. Raises UnreadableResult, and OSError."""
    origin = ImportSource(source.kind, str(source.path.absolute()), source.sha256)
    return [Found(_run_id(origin, run), origin, run) for run in source.read()]


def known(found: Iterable[Found], history: History) -> set[str]:
    """The ids of those runs that the ledger has."""
    return {one.run_id for one in found if one.run_id in history.runs}


def take_in(found: Sequence[Found], ledger: Ledger, redactor: Redactor) -> set[str]:
    """Append an `imported` event for each run that the ledger does not have; the ids of those that are new.

    Raises what `Ledger.decide` raises.
    """
    events = {one.run_id: redactor.event(Imported(source=one.source, run=_row(one.run))) for one in found}
    fresh: set[str] = set()

    def decide(history: History) -> list[NewEvent]:
        fresh.clear()
        fresh.update(events.keys() - history.runs.keys())
        return [NewEvent(run_id, event) for run_id, event in events.items() if run_id in fresh]

    if events:
        ledger.decide(decide)
    return fresh


def _run_id(origin: ImportSource, run: ForeignRun) -> str:
    digest = sha256(f"{origin.sha256}\n{run.name}".encode()).hexdigest()
    return f"run_{run.benchmark_id}_imported_{digest[:16]}"


def _row(run: ForeignRun) -> Json:
    """The fields of a run row, without secrets."""
    config = without_named_secrets(run.config)
    who = {"agent": run.agent, "provider": run.provider, "model": run.model}
    signature = sign(
        benchmark_id=run.benchmark_id, benchmark_directory=run.harness, **who, extra_config=msgspec.to_builtins(config)
    )
    row: Json = {
        **who,
        "benchmark_id": run.benchmark_id,
        "benchmark_directory": run.harness,
        "status": run.status,
        "signature": signature.digest,
        "comparison_key": signature.comparison_key,
        "extra_config": config,
        "metrics": run.metrics,
        "usage": run.usage,
        "synthetic": run.synthetic,
        "provenance": {**run.provenance, "name": run.name},
    }
    optional = (
        "reason error score unit higher_is_better samples stderr started_at ended_at duration_seconds benchmark_version"
    )
    return row | {name: value for name in optional.split() if (value := getattr(run, name)) is not None}
