"""A run is stale after the silence that it may have had, and never while its process is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from benchmarks.ledger.events import Heartbeat
from benchmarks.ledger.identity import this_process
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.staleness import is_stale

ELSEWHERE = replace(this_process(), boot_id="another boot", machine_id="another machine")


@pytest.fixture
def run(store, histories):
    ledger = Ledger(store)
    ledger.append("run_1", histories.started(owner=ELSEWHERE))
    ledger.append("run_1", Heartbeat(lease_seconds=2000.0))
    return ledger.history().runs["run_1"]


def silent(run, seconds: float, **changes):
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    return replace(run, last_seen_at=at.isoformat(), **changes)


def test_an_announced_interval_counts_unless_a_limit_is_given(run):
    assert not is_stale(silent(run, 1900))
    assert is_stale(silent(run, 2100))
    assert is_stale(silent(run, 400), 300)
    assert not is_stale(silent(run, 200), 300)


def test_a_run_that_promised_nothing_or_little_has_the_usual_limit(run):
    for lease in (None, 10.0):
        assert not is_stale(silent(run, 250, lease_seconds=lease))
        assert is_stale(silent(run, 310, lease_seconds=lease))


def test_only_a_running_run_whose_process_is_not_there_is_stale(run):
    assert not is_stale(silent(run, 10_000, owner=this_process()), 0)
    assert not is_stale(silent(run, 10_000, status="failed"), 0)
    assert is_stale(silent(run, 10_000, owner=None))
