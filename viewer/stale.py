"""Runs that should be under way and give no sign of life.

The ledger does not change when that happens, only time passes: so it is asked anew with every request.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from ..ledger.fold import Run
from ..ledger.identity import liveness, parse_utc
from ..projections.database import read_runs

STALE_SECONDS = 300
"""The silence after which a run is in doubt; the same as the default of `recover-stale-runs`."""


def is_stale(run: Run) -> bool:
    """Whether a run that should be under way gives no sign of life, and its owner is not provably alive."""
    if run.status != "running":
        return False
    silence = (datetime.now(UTC) - parse_utc(run.last_seen_at)).total_seconds()
    return silence > STALE_SECONDS and liveness(run.owner) != "alive"


def stale_runs(connection: sqlite3.Connection) -> list[str]:
    """The ids of all stale runs of an open projection, in the order of their start."""
    return [run.run_id for run in read_runs(connection, "WHERE status = 'running'") if is_stale(run)]
