"""Imports the history of the first orchestrator: the rows of its `orchestrator.sqlite` become events.

A row keeps its values and times. It is unknown whether its score was valid, and whether the row was changed later. So
the run is marked as imported, and never becomes a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import file_digest
from pathlib import Path

import msgspec

from ...adapters.adapter import Adapter
from ...adapters.secret_shapes import hide, holds_a_key
from ...ledger.errors import ImpossibleTransition
from ...ledger.events import FIRST_ORCHESTRATOR, Event, Imported, ImportSource, Json, NewEvent, Record
from ...ledger.fold import Run, evolve, evolve_group
from ...ledger.history import History
from ...ledger.identity import utc_now
from ...ledger.judgement import faults_of
from ...ledger.ledger import Ledger
from .first_orchestrator import UNDONE, First, ListFiles, Reader, group_events, read_database, run_event

_COMPARED = ("status", "score", "unit", "comparison_key", "synthetic", "agent", "provider", "model")
"""The fields in which an imported run in the ledger is compared with its row in the database."""


class Migration(msgspec.Struct, frozen=True):
    """The result of an import: the numbers of added and known runs and groups, and of rows of work that was not done.

    `different` names the known runs whose rows have other values, with the fields that differ. `problems` are rows that
    could not be imported.
    """

    added: int
    known: int
    groups_added: int
    groups_known: int
    undone: int
    different: dict[str, list[str]]
    problems: list[str]


def import_sqlite(path: Path, ledger: Ledger, adapters: Mapping[str, Adapter], list_files: ListFiles) -> Migration:
    """Append the events of the runs and groups of a database that the ledger does not have yet.

    Raises UsageError if the file is not such a database, and what `Ledger.decide` raises.
    """
    first = read_database(path)
    with path.open("rb") as file:
        source = ImportSource(FIRST_ORCHESTRATOR, path.name, file_digest(file, "sha256").hexdigest())
    problems: list[str] = []
    runs = _runs(first, Reader(path, source, adapters, list_files), problems)
    groups = _groups(first, source, problems)
    before: dict[str, list[str]] = {}
    fresh_runs: set[str] = set()
    fresh_groups: set[str] = set()

    def decide(history: History) -> list[NewEvent]:
        fresh_runs.clear()
        fresh_runs.update(run_id for run_id in runs if run_id not in history.runs)
        fresh_groups.clear()
        fresh_groups.update(name for name in groups if name not in history.groups)
        before.clear()
        before.update(_different(runs, history))
        opened = [NewEvent(id, event) for id, events in groups.items() if id in fresh_groups for event in events]
        return opened + [NewEvent(id, event) for id, event in runs.items() if id in fresh_runs]

    if runs or groups:
        ledger.decide(decide)
    return Migration(
        added=len(fresh_runs),
        known=len(runs) - len(fresh_runs),
        groups_added=len(fresh_groups),
        groups_known=len(groups) - len(fresh_groups),
        undone=sum(row["status"] in UNDONE for row in first.runs),
        different=before,
        problems=problems,
    )


def _runs(first: First, reader: Reader, problems: list[str]) -> dict[str, Imported]:
    runs: dict[str, Imported] = {}
    for row in first.runs:
        if row["status"] in UNDONE:
            continue
        run_id = row["run_id"]
        if not isinstance(run_id, str) or not run_id or run_id in runs:
            problems.append(f"the id of a run is missing or not unique: {run_id!r}")
            continue
        event = run_event(row, first.calls.get(run_id, []), reader)
        if problem := _key_in_names(run_id, event) or _why_impossible(run_id, [event]):
            problems.append(problem)
        else:
            runs[run_id] = event
    return runs


def _key_in_names(run_id: str, event: Imported) -> str | None:
    """An error if a name of a run holds a key: a name cannot be changed, and a key must not be recorded."""
    for name in ("benchmark_id", "benchmark_directory", "agent", "provider", "model"):
        if holds_a_key(str(event.run.get(name, ""))):
            return f"{hide(run_id)}: its {name} holds what looks like a key"
    return None


def _groups(first: First, source: ImportSource, problems: list[str]) -> dict[str, list[Event]]:
    of_group: dict[str, list[Json]] = {}
    for row in first.runs:
        of_group.setdefault(str(row.get("run_group_id")), []).append(row)
    groups: dict[str, list[Event]] = {}
    for row in sorted(first.groups, key=lambda row: (str(row.get("created_at")), str(row.get("run_group_id")))):
        group_id = row.get("run_group_id")
        if not isinstance(group_id, str) or not group_id or group_id in groups:
            problems.append(f"the id of a run group is missing or not unique: {group_id!r}")
            continue
        events = group_events(row, of_group.get(group_id, []), source)
        if problem := _why_impossible(group_id, events):
            problems.append(problem)
        else:
            groups[group_id] = events
    return groups


def _why_impossible(stream: str, events: Iterable[Event]) -> str | None:
    """Why the ledger would refuse these first events of a stream; None if it accepts them."""
    run = group = None
    at = utc_now()
    try:
        for event in events:
            record = Record(seq=1, id="row", at=at, stream=stream, version=1, data=event, prev="", hash="")
            if isinstance(event, Imported):
                run = evolve(run, record)
            else:
                group = evolve_group(group, record)
            if fault := next(faults_of(record), None):
                return f"{stream}: {fault}"
    except ImpossibleTransition as problem:
        return str(problem)
    return None


def _different(runs: Mapping[str, Imported], history: History) -> dict[str, list[str]]:
    """The fields in which runs in the ledger differ from their rows in the database."""
    differences = {}
    for run_id, event in runs.items():
        known = history.runs.get(run_id)
        if known is None:
            continue
        now = _as_run(run_id, event)
        if changed := [name for name in _COMPARED if getattr(known, name) != getattr(now, name)]:
            differences[run_id] = changed
    return differences


def _as_run(run_id: str, event: Imported) -> Run:
    return evolve(None, Record(seq=1, id="", at=utc_now(), stream=run_id, version=1, data=event, prev="", hash=""))
