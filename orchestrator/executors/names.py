"""The names of the executors, as `--executor` takes them."""

from __future__ import annotations

from ...ledger.suggestions import did_you_mean
from ..errors import UsageError

LOCAL = "local"
RAY = "ray"
SLURM = "slurm"
NAMES = (LOCAL, RAY, SLURM)


def check_executor(name: str) -> None:
    """Raises UsageError, with the nearest name, for an unknown name."""
    if name not in NAMES:
        raise UsageError(f"unknown executor '{name}'", did_you_mean(name, NAMES, f"executors: {', '.join(NAMES)}"))
