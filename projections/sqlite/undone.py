"""What a campaign did not run: work that was skipped or could not run here. It stands in its group, and has no run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Literal

import msgspec

from ...ledger.events import Incompatible, Skipped
from ...ledger.fold import Group
from .database import read_groups

UndoneStatus = Literal["skipped", "incompatible"]


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of work that needed no run, or could have none. The names are those of a run's row where it has them.

    `at` is when its group began. `existing_run_id` is the run that made it needless, `missing` what it lacks here.
    """

    run_group_id: str
    benchmark_id: str
    signature: str
    status: UndoneStatus
    agent: str
    provider: str
    model: str
    at: str
    reason: str | None = None
    existing_run_id: str | None = None
    missing: list[str] = []

    @property
    def why(self) -> str:
        """The reason in a line."""
        if self.missing:
            return "missing: " + "; ".join(self.missing)
        return f"{self.reason} ({self.existing_run_id})" if self.existing_run_id else self.reason or ""


def read_undone(connection: sqlite3.Connection, status: UndoneStatus, benchmark_id: str | None = None) -> list[Undone]:
    """The work of that status in an `orchestrator.sqlite`, of one benchmark or of all, the oldest first."""
    column = f"{status}_json"
    groups = read_groups(connection, f"WHERE {column} <> '[]' ORDER BY julianday(created_at), rowid")
    return [
        _undone(connection, group, event)
        for group in groups
        for event in _events(group, status)
        if benchmark_id in (None, event.benchmark_id)
    ]


def _events(group: Group, status: str) -> Iterator[Skipped | Incompatible]:
    yield from group.skipped if status == "skipped" else group.incompatible


def _undone(connection: sqlite3.Connection, group: Group, event: Skipped | Incompatible) -> Undone:
    skip = event if isinstance(event, Skipped) else None
    existing = skip.existing_run_id if skip else None
    request = group.request
    who = (event.agent, event.provider, event.model)
    if who == (None, None, None) and existing:
        # Events of earlier versions do not say who was to run: the run that made it needless was by the same.
        query = "SELECT agent, provider, model FROM benchmark_runs WHERE run_id = ?"
        who = connection.execute(query, (existing,)).fetchone() or who
    agent, provider, model = (
        told or asked or "" for told, asked in zip(who, (request.agent, request.provider, request.model), strict=True)
    )
    return Undone(
        run_group_id=group.run_group_id,
        benchmark_id=event.benchmark_id,
        signature=event.signature,
        status="skipped" if skip else "incompatible",
        agent=agent,
        provider=provider,
        model=model,
        at=group.created_at,
        reason=skip.reason if skip else None,
        existing_run_id=existing,
        missing=event.missing if isinstance(event, Incompatible) else [],
    )
