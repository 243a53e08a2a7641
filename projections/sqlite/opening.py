"""The history as SQL, for a reader that may not be allowed to write the projection."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...ledger.store import EventReader
from ..workspace import Workspace
from .database import open_current, open_readonly, rebuild
from .keeping import Notice, ProjectionError


@contextlib.contextmanager
def open_history(
    workspace: Workspace, store: EventReader, *, notice: Notice | None = None
) -> Iterator[sqlite3.Connection]:
    """A read-only connection to an up-to-date `orchestrator.sqlite`.

    If the workspace has no results yet, or they cannot be written, it is a temporary one: nothing is made in the
    workspace. `notice` gets a line about what another program has changed. Raises LedgerDamaged.
    """
    with contextlib.ExitStack() as opened:
        connection: sqlite3.Connection | None = None
        if workspace.results.is_dir():
            # In a read-only workspace, the temporary database answers.
            with contextlib.suppress(ProjectionError, sqlite3.DatabaseError):
                connection, _ = opened.enter_context(open_current(workspace.database, store, notice=notice))
        yield connection or opened.enter_context(open_apart(store))


@contextlib.contextmanager
def open_apart(store: EventReader) -> Iterator[sqlite3.Connection]:
    """The same of any events, in a temporary database: such as of a ledger's past. Raises LedgerDamaged."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "history.sqlite"
        rebuild(database, store)
        with open_readonly(database) as connection:
            yield connection
