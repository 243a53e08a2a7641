"""Both projections at once: what the commands that change the history leave behind for its readers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...ledger.store import EventReader
from .database import ForeignDatabase, open_readonly, rebuild, refresh
from .viewer_data import update_dataset, write_dataset

Notice = Callable[[str], None]

_REBUILT_UP_TO = 2_000
"""Up to so many events, building anew costs next to nothing, and leaves the very bytes that an export leaves."""


def update_all(database: Path, viewer_data: Path, store: EventReader, *, notice: Notice) -> None:
    """Bring both files up to the ledger's head. Raises ProjectionError and LedgerDamaged.

    The tables of a longer history follow the ledger: they say the same as if built anew, in other bytes. A database
    of another program in that place is kept under another name, and `notice` is told.
    """
    try:
        state = refresh(database, store)
    except ForeignDatabase:
        _put_aside(database, notice)
        state = refresh(database, store)
    if state.position <= _REBUILT_UP_TO:
        rebuild(database, store)
    with open_readonly(database) as connection:
        update_dataset(connection, viewer_data, store)


def rebuild_all(database: Path, viewer_data: Path, store: EventReader, *, notice: Notice) -> Path:
    """Build both files anew from the ledger; the path of the JSON one. Otherwise as `update_all`."""
    try:
        rebuild(database, store)
    except ForeignDatabase:
        _put_aside(database, notice)
        rebuild(database, store)
    with open_readonly(database) as connection:
        write_dataset(connection, viewer_data)
    return viewer_data


def _put_aside(database: Path, notice: Notice) -> None:
    """Rename a database of another program, with the files that SQLite keeps beside it."""
    names = (f"{database.stem}.first{number or ''}{database.suffix}" for number in range(1_000))
    kept = next(path for path in map(database.with_name, names) if not path.exists())
    for ending in ("-wal", "-shm", "-journal", ""):
        beside = database.with_name(database.name + ending)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + ending))
    notice(
        f"{database.name} was the database of another program: it is kept as {kept}. "
        f"Bring its runs into the ledger with: benchmarks ledger import-sqlite {kept}"
    )
