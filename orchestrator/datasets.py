"""Both projections at once: what the commands that change the history leave behind for its readers."""

from __future__ import annotations

from pathlib import Path

from ..ledger.store import EventStore
from ..projections.database import ProjectionError, open_readonly, rebuild
from ..projections.viewer_data import build_dataset, write_dataset


def rebuild_all(database: Path, viewer_data: Path, store: EventStore) -> Path:
    """Build both files anew from the ledger; the path of the JSON one. Raises ProjectionError and LedgerDamaged."""
    rebuild(database, store)
    with open_readonly(database) as connection:
        dataset = build_dataset(connection)
    try:
        write_dataset(dataset, viewer_data)
    except OSError as problem:
        raise ProjectionError(f"cannot write {viewer_data}: {problem.strerror}") from problem
    return viewer_data
