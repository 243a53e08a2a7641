"""Both projections at once: commands that change the history bring them up to date for its readers."""

from __future__ import annotations

from pathlib import Path

from ...ledger.store import EventReader
from .database import ForeignDatabase, open_current, rebuild, refresh
from .keeping import Notice
from .remains import put_aside
from .viewer_data import update_dataset, write_dataset

_REBUILT_UP_TO = 2_000
"""The maximum number of events for which building anew is cheap; it leaves the same bytes as an export."""


def update_all(database: Path, viewer_data: Path, store: EventReader, *, notice: Notice) -> None:
    """Bring both files up to the ledger's head. Raises ProjectionError and LedgerDamaged.

    The tables of a longer history follow the ledger: they say the same as if built anew, in other bytes. A database
    of another program in that place is kept under another name, and `notice` gets a line.
    """
    try:
        state = refresh(database, store, notice=notice)
    except ForeignDatabase:
        _put_aside(database, notice)
        state = refresh(database, store)
    if state.position <= _REBUILT_UP_TO:
        rebuild(database, store)
    with open_current(database, store, notice=notice) as (connection, _):
        update_dataset(connection, viewer_data, store, notice=notice)


def rebuild_all(database: Path, viewer_data: Path, store: EventReader, *, notice: Notice) -> Path:
    """Build both files anew from the ledger; the path of the JSON one. Otherwise as `update_all`."""
    try:
        rebuild(database, store, notice=notice)
    except ForeignDatabase:
        _put_aside(database, notice)
        rebuild(database, store)
    with open_current(database, store, notice=notice) as (connection, _):
        write_dataset(connection, viewer_data)
    return viewer_data


def _put_aside(database: Path, notice: Notice) -> None:
    kept = put_aside(database)
    notice(
        f"{database.name} was the database of another program: it is kept as {kept}\n"
        f"hint: bring its runs into the ledger with: benchmarks ledger import-sqlite {kept}"
    )
