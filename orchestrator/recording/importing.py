"""Imports runs of other programs as `imported` events, each once, even if its file is renamed.

A run's id is made from the digest of its file, so the same content gives the same run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from ...adapters.imports.found import ForeignRun, UnreadableResult, slug
from ...adapters.imports.reading import Source
from ...ledger.events import Imported, ImportSource, Json, NewEvent
from ...ledger.history import History
from ...ledger.ledger import Ledger
from ..planning.signature import Signature, sign
from ..redaction import Redactor

_AT_ONCE = 2_000
"""Maximum number of events that are appended together, to limit memory."""


class Found(msgspec.Struct, frozen=True):
    """A run that was read, with its id and its source."""

    run_id: str
    source: ImportSource
    run: ForeignRun


def read_source(source: Source, redactor: Redactor) -> tuple[list[Found], list[str]]:
    """The runs of a source, and remarks on what was not read. Benchmark names and configurations hold no secrets.

    Raises OSError and UnreadableResult, also if the name of an agent, a provider or a model holds a key: such a name
    cannot be changed, and a key must not be recorded.
    """
    origin = ImportSource(source.kind, str(source.path.absolute()), source.sha256)
    findings = source.read()
    named = ((run.agent, run.provider, run.model, run.benchmark) for run in findings.runs)
    redactor.learn(identities={name for names in named for name in names})
    clean = [_clean(source, run, redactor) for run in findings.runs]
    return [Found(_run_id(origin, run), origin, run) for run in clean], findings.remarks


def _clean(source: Source, run: ForeignRun, redactor: Redactor) -> ForeignRun:
    for what in ("agent", "provider", "model", "harness"):
        if key := redactor.key_in(getattr(run, what)):
            raise UnreadableResult(source.path, f"the {what} of a run holds {key}: take it out of the file")
    config = redactor.value(msgspec.to_builtins(run.config))
    return replace(run, benchmark=redactor.text(run.benchmark), config=config)


_COMPARED = ("status", "score", "unit", "higher_is_better", "samples", "stderr")
"""The fields of a run that are compared with the ledger, besides the contender and the options."""


class Comparison(msgspec.Struct, frozen=True):
    """The ids of runs that the ledger does not have yet, and of those that it has with other values."""

    fresh: set[str]
    different: set[str]


def compare(found: Iterable[Found], history: History) -> Comparison:
    """Find the runs that the ledger does not have, and those that it has with other values."""
    fresh, different = set(), set()
    for one in found:
        known = history.runs.get(one.run_id)
        if known is None:
            fresh.add(one.run_id)
        elif any(getattr(known, name) != getattr(one.run, name) for name in _COMPARED) or (
            known.signature != _signature(one.run).digest
        ):
            different.add(one.run_id)
    return Comparison(fresh, different)


def take_in(found: Sequence[Found], ledger: Ledger) -> Comparison:
    """Append an `imported` event for each run that the ledger does not have. Returns the comparison from before.

    Raises what `Ledger.decide` raises.
    """
    before = Comparison(set(), set())

    def decide(batch: Sequence[Found], history: History) -> list[NewEvent]:
        compared = compare(batch, history)
        before.fresh.update(compared.fresh)
        before.different.update(compared.different)
        fresh = {one.run_id: one for one in batch if one.run_id in compared.fresh}
        return [NewEvent(run_id, Imported(source=one.source, run=_row(one.run))) for run_id, one in fresh.items()]

    for first in range(0, len(found), _AT_ONCE):
        ledger.decide(partial(decide, found[first : first + _AT_ONCE]))
    return before


def _run_id(origin: ImportSource, run: ForeignRun) -> str:
    """An id of a run. Only the digest identifies the run; the benchmark's name in it is for people."""
    digest = sha256(f"{origin.sha256}\n{run.name}".encode()).hexdigest()
    return f"run_{slug(run.benchmark)}_imported_{digest[:16]}"


def _row(run: ForeignRun) -> Json:
    """The fields of a run row."""
    signature = _signature(run)
    row: Json = {
        "agent": run.agent,
        "provider": run.provider,
        "model": run.model,
        "benchmark_id": run.benchmark_id,
        "benchmark_directory": run.harness,
        "status": run.status,
        "signature": signature.digest,
        "comparison_key": signature.comparison_key,
        "extra_config": run.options,
        "metrics": run.metrics,
        "usage": run.usage,
        "synthetic": run.synthetic,
        "provenance": {**run.provenance, "name": run.name},
        "notes": run.notes,
    }
    optional = (
        "reason error score unit higher_is_better samples stderr started_at ended_at duration_seconds benchmark_version"
    )
    return row | {name: value for name in optional.split() if (value := getattr(run, name)) is not None}


def _signature(run: ForeignRun) -> Signature:
    return sign(
        benchmark_id=run.benchmark_id,
        benchmark_directory=run.harness,
        agent=run.agent,
        provider=run.provider,
        model=run.model,
        extra_config=run.options,
    )
