"""`show-run`: everything that the ledger holds about one run."""

from __future__ import annotations

import shlex
import sqlite3

import click
import msgspec

from ...ledger.events import (
    UNKNOWN_REVISION,
    Annotated,
    Json,
    Record,
    Reinstated,
    Reproduced,
    Rescored,
    Retracted,
    SamplesExcluded,
    SamplesIncluded,
    TaskRevision,
)
from ...ledger.fold import Run
from ...ledger.index.keeping import read_stream
from ...orchestrator.errors import UsageError
from ...orchestrator.running.control import words_of
from ...projections.render.score_tables import run_score
from ...projections.render.text import format_score, named
from ...projections.scores.served import served_before
from ...projections.sqlite.database import read_runs
from ...projections.sqlite.opening import open_history
from ...projections.sqlite.reproductions import reproductions_of, summed
from ...projections.sqlite.rows import event_row, run_row
from ..context import Place, in_place, json_option, note, print_json
from ..printing import print_facts

_MAX_NAMED = 10


@click.command()
@click.argument("run_id")
@json_option
@in_place
def command(place: Place, run_id: str, as_json: bool) -> None:
    """Show the run RUN_ID (the beginning of an id is enough) with its configuration, result and events."""
    store = place.store()
    with open_history(place.workspace, store, notice=note) as history:
        run = _find(history, run_id)
        reproductions = summed(reproductions_of(history, [run.run_id]))
        before = served_before(history, run.provider, run.model, run.run_id)
    events = list(read_stream(store, run.run_id, after=run.first_seq - 1))
    if as_json:
        shown = [event_row(record) for record in events]
        print_json({"run": run_row(run), "served_before": before, "reproduced": reproductions, "events": shown})
        return
    facts = {"reproduced": str(reproductions or ""), "reproduces": "\n".join(filter(None, map(_reproduces, events)))}
    corrections = "\n".join(filter(None, map(_correction, events)))
    print_facts({**_facts(run, before), **facts, "corrections": corrections})
    print("\nevents")
    for record in events:
        print(f"  {record.seq:>6}  {record.at}  {record.type:<10}  {record.hash[:12]}")


def _find(history: sqlite3.Connection, run_id: str) -> Run:
    if run := _read(history, run_id):
        return run
    # The ids from this text on, up to the first that does not begin with it.
    query = "SELECT count(*), min(run_id) FROM benchmark_runs WHERE run_id >= ? AND run_id < ?"
    count, first = history.execute(query, (run_id, run_id + chr(0x10FFFF))).fetchone()
    if count == 1 and (run := _read(history, first)):
        return run
    if count:
        raise UsageError(f"{count} runs begin with '{run_id}', such as {first}", "give more of the id")
    raise UsageError(f"the ledger has no run '{run_id}'", "benchmarks show-runs lists the runs")


def _read(history: sqlite3.Connection, run_id: str) -> Run | None:
    return next(read_runs(history, "WHERE run_id = ?", (run_id,)), None)


def _facts(run: Run, before: str | None) -> dict[str, str]:
    delta = run.delta_to_high_score
    return {
        "run": run.run_id,
        "benchmark": named(run.benchmark_id, run.extra_config),
        "status": run.status + (f" ({run.reason})" if run.reason else ""),
        "error": run.error or "",
        "notes": "\n".join(run.notes),
        "score": run_score(run) + (f" {run.unit}" if run.unit and run.score is not None else ""),
        "first score": "" if run.original_score is None else f"{format_score(run.original_score)} (original_score)",
        "scorer": f"{run.scorer.name} ({run.scorer.sha256[:12]})" if run.scorer else "",
        "excluded": f"{len(run.excluded)}: {', '.join(run.excluded[:_MAX_NAMED])}" if run.excluded else "",
        "samples": "" if run.samples is None else str(run.samples),
        "high score": f"{format_score(run.high_score_value)} ({run.high_score_label}, {run.high_score_source})"
        if run.high_score_label
        else "",
        "delta": "" if delta is None else f"{delta:+.4f}",
        "metrics": _lines(run.metrics),
        "usage": _lines(run.usage),
        "agent": run.agent,
        "model": f"{run.provider}:{run.model}",
        "config": _lines(run.extra_config),
        "attempt": str(run.attempt),
        "group": run.run_group_id,
        "started": run.started_at,
        "ended": run.ended_at or "",
        "seconds": "" if run.duration_seconds is None else f"{run.duration_seconds:.3f}",
        "command": shlex.join(run.command),
        "cwd": run.cwd,
        "stdout": run.stdout_path,
        "stderr": run.stderr_path,
        "result": run.result_json_path or "",
        "artifacts": "\n".join(f"{a.path}  {a.bytes} bytes  {a.sha256[:12]}" for a in run.artifacts),
        "commit": run.benchmarks_commit or "",
        "revision": _revision(run.task_revision),
        "answered by": (run.served_model or "") + (f" (before: {before})" if before else ""),
        "signature": run.signature,
        "provenance": _lines(run.provenance),
        "cancelled": words_of(run.cancel_requested).removeprefix("cancelled ") if run.cancel_requested else "",
        "retracted": f"by {run.retracted.author}: {run.retracted.reason}" if run.retracted else "",
    }


def _reproduces(record: Record) -> str:
    """Which run this one reproduces, with the verdict; empty for other events."""
    event = record.data
    if not isinstance(event, Reproduced):
        return ""
    return f"{event.of.run} of {event.of.origin}: {event.verdict.replace('_', ' ')}, by {event.by}"


def _correction(record: Record) -> str:
    """What a correction says: its time, its author and the reason; empty for other events."""
    event = record.data
    if isinstance(event, Annotated):
        said, change = event.note, "annotated" + "".join(f" #{tag}" for tag in event.tags)
    elif isinstance(event, SamplesExcluded | SamplesIncluded):
        verb = "excluded" if isinstance(event, SamplesExcluded) else "counted again"
        said, change = event.reason, f"{len(event.samples)} samples {verb}, score {format_score(event.anew.score)}"
    elif isinstance(event, Rescored):
        said, change = event.reason, f"rescored by {event.scorer.name}, score {format_score(event.score)}"
    elif isinstance(event, Retracted | Reinstated):
        said, change = event.reason, event.type
    else:
        return ""
    return f"{record.at}  {change}, by {event.author}" + (f": {said}" if said else "")


def _revision(revision: TaskRevision | None) -> str:
    """The digest of the revision, and its parts."""
    if revision is None:
        return UNKNOWN_REVISION
    parts = {
        "version": revision.version,
        "driver": revision.driver,
        "data": revision.data,
        "packages": revision.packages,
    }
    return f"{revision.digest[:12]} ({', '.join(f'{name} {value[:12]}' for name, value in parts.items() if value)})"


def _lines(values: Json) -> str:
    return "\n".join(f"{name}: {_text(value)}" for name, value in sorted(values.items()) if value not in (None, [], {}))


def _text(value: object) -> str:
    """A JSON value for people: lists and objects of plain values without their brackets."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "none"
    if isinstance(value, dict) and not any(isinstance(item, list | dict) and item for item in value.values()):
        return ", ".join(f"{name}={_text(item)}" for name, item in value.items())
    return msgspec.json.encode(value).decode()
