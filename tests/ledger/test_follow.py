"""Following a ledger: what is there, and then what comes, without asking for much meanwhile."""

from __future__ import annotations

import threading
import time

import pytest

from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.follow import follow_lines
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.sqlite import SqliteStore


def append(store, *notes: str) -> None:
    store.append(lambda _: [NewEvent("run_1", Annotated(author="a", note=note)) for note in notes], lambda _: None)


@pytest.fixture(params=[JsonlStore, SqliteStore])
def store(request, tmp_path):
    return request.param(tmp_path / "ledger", notice=pytest.fail)


def test_what_is_there_comes_first_and_then_what_comes(store, monkeypatch):
    append(store, "a", "b")
    lines = follow_lines(store, after=1)
    assert next(lines) == list(store.read_lines())[1]
    assert next(lines) is None
    waits = iter(["c", "d"])

    def sleep(_):
        # Nothing was there: now somebody appends.
        append(store, next(waits))

    monkeypatch.setattr(time, "sleep", sleep)
    assert [next(lines), next(lines), next(lines)] == [list(store.read_lines())[2], None, list(store.read_lines())[3]]


def test_a_ledger_that_is_not_there_yet_can_be_waited_for(store, monkeypatch):
    lines = follow_lines(store)
    assert next(lines) is None
    monkeypatch.setattr(time, "sleep", lambda _: append(store, "first"))
    assert b'"first"' in next(lines)


def test_waiting_costs_next_to_nothing(store):
    append(store, *map(str, range(100)))
    lines = follow_lines(store)
    while next(lines) is not None:
        pass
    arrived = threading.Event()

    def wait():
        next(lines)
        arrived.set()

    waiter = threading.Thread(target=wait, daemon=True)
    before = time.process_time()
    waiter.start()
    assert not arrived.wait(1.0)
    used = time.process_time() - before
    print(f"{used * 1e3:.1f} ms of processor time in a second of waiting")
    append(store, "new")
    assert arrived.wait(10)
    assert used < 0.2, "a loop without rest would have used all of it"
