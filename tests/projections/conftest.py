"""Runs with scores, as the projections that weigh them see them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from benchmarks.ledger.events import ImportSource, Retracted
from benchmarks.ledger.fold import Run

RunMaker = Callable[..., Run]


@pytest.fixture
def make_run() -> RunMaker:
    """Makes runs that have succeeded, each later than the one before."""
    numbers = itertools.count(1)

    def make(score: float | None = 0.5, **changes: object) -> Run:
        number = next(numbers)
        kinds = {
            "imported": lambda: {"imported": ImportSource("json", "x", "0" * 64)},
            "retracted": lambda: {"retracted": Retracted(author="a", reason="r")},
            "synthetic": lambda: {"synthetic": True},
            "late": lambda: {"late": True},
            "reproduction": lambda: {"reproduces": "run_1"},
        }
        doubt = kinds[str(changes.pop("doubt"))]() if "doubt" in changes else {}
        fields = {
            "run_id": f"run_{number}",
            "run_group_id": "rg_1",
            "benchmark_id": "b",
            "benchmark_directory": "b",
            "signature": "s",
            "status": "succeeded",
            "attempt": 1,
            "agent": "bare-model",
            "provider": "local",
            "model": "m",
            "started_at": f"{datetime(2026, 11, 23, 10) + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S.%fZ}",
            "created_at": "",
            "last_seen_at": "",
            "comparison_key": "k",
            "unit": "ratio",
            "higher_is_better": True,
            "first_seq": number,
            **doubt,
            **changes,
        }
        return Run(score=score, **fields)  # type: ignore[arg-type]

    return make
