"""Runs that should be under way and give no sign of life.

The ledger does not change when that happens, only time passes: so it is asked anew with every request.
"""

from __future__ import annotations

import sqlite3

from ..ledger.staleness import is_stale
from ..projections.database import read_runs


def stale_runs(connection: sqlite3.Connection) -> list[str]:
    """The ids of all stale runs of an open projection, in the order of their start."""
    return [run.run_id for run in read_runs(connection, "WHERE status = 'running'") if is_stale(run)]
