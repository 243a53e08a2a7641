"""When a running run counts as dead: it was silent for too long, and its process cannot be seen.

`now` is the time in Unix seconds by the clock that gives the times of events (`EventStore.now`): the clocks of machines
that share a ledger differ. Without it, this machine's clock is used.
"""

from __future__ import annotations

import time

from .fold import Run
from .identity import liveness, parse_utc

STALE_SECONDS = 300.0
"""The silence after which a run is in doubt, unless it announced a longer one."""


def silence(run: Run, now: float | None = None) -> float:
    """Seconds since a run's last sign of life."""
    return (time.time() if now is None else now) - parse_utc(run.last_seen_at).timestamp()


def is_stale(run: Run, seconds: float | None = None, now: float | None = None) -> bool:
    """Whether a running run's last sign of life is at least `seconds` old, and its owner is not provably alive.

    Without `seconds`, the limit is STALE_SECONDS, or the lease of the run's last heartbeat if that is longer.
    """
    limit = max(STALE_SECONDS, run.lease_seconds or 0.0) if seconds is None else seconds
    return (
        run.status == "running" and silence(run, now) >= limit and liveness(run.owner, run.last_seen_at, now) != "alive"
    )
