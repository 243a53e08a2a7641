"""Both projections at once: what the commands that change the history leave behind for its readers."""

from __future__ import annotations

from pathlib import Path

from ..ledger.store import EventStore
from ..projections.database import ProjectionError, open_readonly, rebuild, refresh
from ..projections.viewer_data import build_dataset, write_dataset

_REBUILT_UP_TO = 2_000
"""Up to so many events, building anew costs next to nothing, and leaves the very bytes that an export leaves."""


def update_all(database: Path, viewer_data: Path, store: EventStore) -> None:
    """Bring both files up to the ledger's head. Raises ProjectionError and LedgerDamaged.

    The tables of a longer history follow the ledger: they say the same as if built anew, in other bytes.
    """
    if refresh(database, store).position <= _REBUILT_UP_TO:
        rebuild(database, store)
    _write_dataset(database, viewer_data)


def rebuild_all(database: Path, viewer_data: Path, store: EventStore) -> Path:
    """Build both files anew from the ledger; the path of the JSON one. Raises ProjectionError and LedgerDamaged."""
    rebuild(database, store)
    _write_dataset(database, viewer_data)
    return viewer_data


def _write_dataset(database: Path, viewer_data: Path) -> None:
    with open_readonly(database) as connection:
        dataset = build_dataset(connection)
    try:
        write_dataset(dataset, viewer_data)
    except OSError as problem:
        raise ProjectionError(f"cannot write {viewer_data}: {problem.strerror}") from problem
