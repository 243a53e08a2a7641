"""A look at the history as SQL, for a reader who may not be able to write where the projection lies."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...ledger.store import EventReader
from ..workspace import Workspace
from .database import ProjectionError, open_readonly, rebuild, refresh


@contextlib.contextmanager
def open_history(workspace: Workspace, store: EventReader) -> Iterator[sqlite3.Connection]:
    """A read-only connection to an up-to-date `orchestrator.sqlite`.

    Where there are no results yet, or they can't be written, it is a temporary one: nothing is made in the workspace.
    Raises LedgerDamaged.
    """
    if workspace.results.is_dir() and _refreshed(workspace, store):
        with open_readonly(workspace.database) as connection:
            yield connection
        return
    with open_apart(store) as connection:
        yield connection


@contextlib.contextmanager
def open_apart(store: EventReader) -> Iterator[sqlite3.Connection]:
    """The same of any events, in a temporary database: such as of a ledger's past. Raises LedgerDamaged."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "history.sqlite"
        rebuild(database, store)
        with open_readonly(database) as connection:
            yield connection


def _refreshed(workspace: Workspace, store: EventReader) -> bool:
    try:
        refresh(workspace.database, store)
    except ProjectionError:
        return False  # A read-only workspace is no reason not to answer.
    return True
