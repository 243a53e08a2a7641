"""Registered plans in `orchestrator.sqlite`, and the runs of their work."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from ...ledger.events import Registered
from ...ledger.fold import Run
from .following import read_runs


def registrations_beginning_with(connection: sqlite3.Connection, name: str) -> list[str]:
    """The ids of the registered plans that begin with a name; the id alone if it is one."""
    ids = [row[0] for row in connection.execute("SELECT registration_id FROM registrations ORDER BY seq")]
    return [name] if name in ids else [one for one in ids if name and one.startswith(name)]


def runs_for(connection: sqlite3.Connection, plan: Registered) -> Iterator[Run]:
    """The runs of the benchmarks and options of a plan, with their details, in the order of their start."""
    ids = list(dict.fromkeys(task.id for task in plan.benchmarks))
    keys = [task.comparison_key for task in plan.benchmarks]
    return read_runs(connection, _OF_WORK, (_json(ids), _json(keys)))


_OF_WORK = "WHERE benchmark_id IN (SELECT value FROM json_each(?)) AND options_key IN (SELECT value FROM json_each(?))"
"""Lists as JSON: a plan may have more keys than a statement may have values."""


def _json(values: list[str]) -> str:
    return msgspec.json.encode(values).decode()
