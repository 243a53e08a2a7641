"""Registered plans in `orchestrator.sqlite`, and the runs of their work."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from ...ledger.fold import Run
from ...ledger.registrations import Registration
from ..scores.registered import Status, status_of
from ..scores.samples import SampleReader
from .following import read_runs


def registrations_beginning_with(connection: sqlite3.Connection, name: str) -> list[str]:
    """The ids of the registered plans that begin with a name; the id alone if it is one."""
    ids = [row[0] for row in connection.execute("SELECT registration_id FROM registrations ORDER BY seq")]
    return [name] if name in ids else [one for one in ids if name and one.startswith(name)]


def status_in(
    connection: sqlite3.Connection, registration: Registration, read_samples: SampleReader, *, now: str
) -> Status:
    """What became of a registered plan, at the time `now`."""
    return status_of(registration, _runs_of(connection, registration), read_samples, now=now)


def _runs_of(connection: sqlite3.Connection, registration: Registration) -> Iterator[Run]:
    """The runs of the benchmarks and options of any version of a plan, with their details."""
    tasks = [task for plan in registration.versions for task in plan.benchmarks]
    ids, keys = {one.id for one in tasks}, {one.comparison_key for one in tasks}
    return read_runs(connection, _OF_WORK, (_json(sorted(ids)), _json(sorted(keys))))


_OF_WORK = "WHERE benchmark_id IN (SELECT value FROM json_each(?)) AND options_key IN (SELECT value FROM json_each(?))"
"""Lists as JSON: a plan may have more keys than a statement may have values."""


def _json(values: list[str]) -> str:
    return msgspec.json.encode(values).decode()
