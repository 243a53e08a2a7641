"""OpenLineage: the life of each run as run events, for lineage stores such as Marquez or DataHub.

Source: OpenLineage specification 2-0-2. A run has a START event, and a COMPLETE, FAIL or ABORT once it has ended; its
group is its parent. Ids of runs are UUIDs there: they are made from ours (version 5), so that sending an event twice
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import NAMESPACE_URL, uuid5

from ....ledger.events import Json
from ....ledger.fold import Run
from ....ledger.identity import parse_utc
from ....ledger.usage import tokens_of
from ...scores.leaderboard import is_eligible
from ...scores.uncertainty import uncertainty

SCHEMA_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
PRODUCER = "urn:benchmark-orchestrator"

_ABORTED = ("interrupted", "orchestrator_lost")
_FACETS = {
    "parent": "https://openlineage.io/spec/facets/1-0-1/ParentRunFacet.json#/$defs/ParentRunFacet",
    "nominalTime": "https://openlineage.io/spec/facets/1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet",
    "errorMessage": "https://openlineage.io/spec/facets/1-0-0/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
}
_OWN_FACET = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet"


def run_events(runs: Iterable[Run], namespace: str) -> Iterator[Json]:
    """The events of runs, in the order of the runs; jobs are benchmarks in `namespace`."""
    for run in runs:
        yield _event("START", run.started_at, run, namespace, {})
        if run.ended_at is not None:
            yield _event(_end(run), run.ended_at, run, namespace, _outcome(run))


def run_uuid(run_id: str) -> str:
    """The UUID that stands for a run or a group."""
    return str(uuid5(NAMESPACE_URL, f"benchmark-orchestrator:{run_id}"))


def _end(run: Run) -> str:
    if run.status == "succeeded":
        return "COMPLETE"
    return "ABORT" if run.reason in _ABORTED else "FAIL"


def _event(kind: str, at: str, run: Run, namespace: str, more: Json) -> Json:
    facets: Json = {"benchmark_orchestrator_run": _facet(_OWN_FACET, **_identity(run)), **more}
    if run.run_group_id:
        group = {"run": {"runId": run_uuid(run.run_group_id)}, "job": {"namespace": namespace, "name": "run"}}
        facets["parent"] = _facet(_FACETS["parent"], **group)
    return {
        "eventType": kind,
        "eventTime": _time(at, run),
        "run": {"runId": run_uuid(run.run_id), "facets": facets},
        "job": {"namespace": namespace, "name": run.benchmark_id, "facets": {}},
        "inputs": [],
        "outputs": [],
        "producer": PRODUCER,
        "schemaURL": SCHEMA_URL,
    }


def _time(at: str, run: Run) -> str:
    try:
        parse_utc(at)
    except ValueError:
        return run.created_at  # Who imports it may have written anything; this is the ledger's own.
    return at


def _identity(run: Run) -> Json:
    return {
        "run_id": run.run_id,
        "run_group_id": run.run_group_id,
        "attempt": run.attempt,
        "agent": run.agent,
        "provider": run.provider,
        "model": run.model,
        "options": run.extra_config,
        "signature": run.signature,
        "comparison_key": run.comparison_key,
    }


def _outcome(run: Run) -> Json:
    found = uncertainty([run]) if run.score is not None else None
    score = {
        "score": run.score,
        "unit": run.unit,
        "higher_is_better": run.higher_is_better,
        "samples": run.samples,
        "standard_error": found.stderr if found else None,
        "interval": [found.low, found.high] if found and found.low is not None else None,
        "total_tokens": tokens_of(run.usage),
        "counts": is_eligible(run),
    }
    facets = {
        "benchmark_orchestrator_score": _facet(_OWN_FACET, **score),
        "nominalTime": _facet(_FACETS["nominalTime"], nominalStartTime=run.started_at, nominalEndTime=run.ended_at),
    }
    if run.error:
        facets["errorMessage"] = _facet(_FACETS["errorMessage"], message=run.error, programmingLanguage="unknown")
    return facets


def _facet(schema: str, **fields: object) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": schema, **fields}
