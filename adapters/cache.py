"""The folder for what can be made again: environments, locks, answers of checks."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "BENCHMARKS_CACHE"


def cache_folder() -> Path:
    """The cache folder: `$BENCHMARKS_CACHE`, else one below the user's cache folder. It need not exist."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "benchmark-orchestrator"
