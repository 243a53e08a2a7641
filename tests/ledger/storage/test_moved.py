"""A store notices that its ledger is not where it was, before it appends anything there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.ledger.errors import LedgerMoved
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.sqlite import SqliteStore
from tests.e2e.attacks import test_moved_ledgers as changes

KINDS = {"jsonl": JsonlStore, "sqlite": SqliteStore}


def append(store, *texts):
    events = [NewEvent("run_1", Annotated(author="a", note=text)) for text in texts]
    records = store.append(lambda _: events, lambda _: None)
    store.sync()
    return records


@pytest.mark.parametrize("change", changes.STOPS, ids=lambda change: change.__name__)
def test_a_changed_folder_stops_an_append(tmp_path, change):
    store = JsonlStore(tmp_path / "results" / "ledger", notice=print)
    append(store, "a", "b")
    change(store.folder)
    for _ in range(2):
        with pytest.raises(LedgerMoved) as told:
            append(store, "c")
    assert Path(changes.NEW_PLACE.get(change, "")).name in str(told.value)


@pytest.mark.parametrize("change", changes.DATABASE_STOPS, ids=lambda change: change.__name__)
def test_a_changed_database_stops_an_append(tmp_path, change):
    store = SqliteStore(tmp_path / "results" / "ledger.db", notice=print)
    append(store, "a", "b")
    change(store.path)
    for _ in range(2):
        with pytest.raises(LedgerMoved) as told:
            append(store, "c")
    assert changes.NEW_PLACE.get(change, "") in str(told.value)


@pytest.mark.parametrize("change", changes.GOES_ON, ids=lambda change: change.__name__)
def test_another_folder_with_the_same_events_is_gone_on_with(tmp_path, change):
    store = JsonlStore(tmp_path / "results" / "ledger", notice=print)
    append(store, "a", "b")
    change(store.folder)
    assert append(store, "c")[0].seq == 3
    assert [record.data.note for record in JsonlStore(store.folder, notice=print).read()] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_ledger_that_was_moved_back_is_gone_on_with(tmp_path, kind):
    folder = tmp_path / "here"
    store = KINDS[kind](folder / "ledger", notice=print)
    append(store, "a")
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(LedgerMoved):
        append(store, "b")
    (tmp_path / "elsewhere").rename(folder)
    assert append(store, "b")[0].seq == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_others_appended_before_the_move_counts_too(tmp_path, kind):
    one, other = (KINDS[kind](tmp_path / "here" / "ledger", notice=print) for _ in range(2))
    append(one, "a")
    shutil.copytree(tmp_path / "here", tmp_path / "copy")
    append(other, "b")
    append(one, "c")
    (tmp_path / "here").rename(tmp_path / "elsewhere")
    (tmp_path / "copy").rename(tmp_path / "here")
    for store in (one, other):
        with pytest.raises(LedgerMoved):
            append(store, "d")
