"""Ids of runs and groups: they hold a time, runs also their benchmark, and random digits make them unique."""

from __future__ import annotations

import os

from ...ledger.identity import utc_now


def new_run_id(benchmark_id: str, attempt: int) -> str:
    """`run_<benchmark_id>_<YYYYmmddTHHMMSSZ>_<attempt>_<8 hex>`."""
    return f"run_{benchmark_id}_{_now()}_{attempt}_{os.urandom(4).hex()}"


def new_group_id() -> str:
    """`rg_<YYYYmmddTHHMMSSZ>_<8 hex>`."""
    return f"rg_{_now()}_{os.urandom(4).hex()}"


def _now() -> str:
    return utc_now()[:19].replace("-", "").replace(":", "") + "Z"
