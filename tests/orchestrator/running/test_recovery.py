"""Groups that no process is left to close. Runs are recovered in `tests/e2e/test_processes.py`, by real processes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from benchmarks.ledger.events import CancelRequested, Owner
from benchmarks.ledger.identity import this_process
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.orchestrator.models.prices import Prices
from benchmarks.orchestrator.running.recovery import OBEY_SECONDS, recover
from benchmarks.projections.workspace import Workspace

ELSEWHERE = Owner(host="other", boot_id="another boot", pid=1, process_start=1.0, machine_id="another machine")


@pytest.mark.parametrize(
    ("owner", "is_asked", "is_late", "reason"),
    [
        (ELSEWHERE, True, True, "cancelled"),
        (ELSEWHERE, True, False, None),
        (ELSEWHERE, False, True, None),
        (this_process(), True, True, None),
    ],
    ids=["gone", "has still time", "not asked", "alive"],
)
def test_a_group_on_a_lost_machine_is_closed_if_it_does_not_obey(
    tmp_path, histories, monkeypatch, owner, is_asked, is_late, reason
):
    store = JsonlStore(tmp_path / "ledger", notice=print)
    ledger = Ledger(store)
    ledger.append("rg_1", replace(histories.opened(), owner=owner))
    if is_asked:
        ledger.append("rg_1", CancelRequested(author="Ada", reason="the machine is gone"))
    now = store.now()
    monkeypatch.setattr(store, "now", lambda: now + OBEY_SECONDS + (1 if is_late else -1))
    recover(ledger, lambda run: False, workspace=Workspace(tmp_path), adapters={}, prices=Prices([]))
    group = ledger.look(lambda history: history.groups["rg_1"])
    assert (group.finished_at is not None, group.reason) == (reason is not None, reason)
