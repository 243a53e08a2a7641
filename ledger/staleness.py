"""When a running run counts as dead: it was silent for too long, and its process cannot be seen."""

from __future__ import annotations

from .fold import Run
from .identity import liveness, parse_utc, utc_now

STALE_SECONDS = 300.0
"""The silence after which a run is in doubt, unless it announced a longer one."""


def silence(run: Run) -> float:
    """Seconds since a run's last sign of life."""
    return (parse_utc(utc_now()) - parse_utc(run.last_seen_at)).total_seconds()


def is_stale(run: Run, seconds: float | None = None) -> bool:
    """Whether a running run's last sign of life is at least `seconds` old, and its owner is not provably alive.

    Without `seconds`, the limit is STALE_SECONDS, or the lease of the run's last heartbeat if that is longer.
    """
    limit = max(STALE_SECONDS, run.lease_seconds or 0.0) if seconds is None else seconds
    return run.status == "running" and silence(run) >= limit and liveness(run.owner, run.last_seen_at) != "alive"
