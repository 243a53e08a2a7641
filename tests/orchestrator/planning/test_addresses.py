"""An address is shown without what may be secret, and found again in the ledger."""

from __future__ import annotations

import pytest

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.history import History
from benchmarks.ledger.ledger import Ledger
from benchmarks.orchestrator.planning import addresses
from benchmarks.orchestrator.planning.addresses import public_address, recorded_addresses


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("https://Me:Secret@API.example.org/v1/?key=abc#frag", "https://api.example.org/v1"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
        ("http://token@host", "http://host"),
        ("http://[::1", None),
        ("http://host:port", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url, public):
    assert public_address(url) == public


@pytest.mark.parametrize("many", [0, 200])
def test_the_address_of_each_run_is_found(store, histories, monkeypatch, many):
    monkeypatch.setattr(addresses, "_MANY", many)
    recorded = {"run_1": "http://a/v1", "run_2": None, "run_3": "http://u:p@b/v1"}
    for run_id, url in recorded.items():
        histories.append_anyway(store, [NewEvent(run_id, histories.started(run_id, provenance={"base_url": url}))])
    runs = History.of(store, details=False).runs.values()
    assert recorded_addresses(Ledger(store), runs) == {"run_1": "http://a/v1", "run_3": "http://b/v1"}
    assert recorded_addresses(Ledger(store), []) == {}
