"""A verification of what is new finds what a whole one finds there, and reads nothing else."""

from __future__ import annotations

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.events import Artifact, Imported, ImportSource, NewEvent
from benchmarks.ledger.index.keeping import Keeper
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.proof.checkpoint import Checkpoint
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.open import open_store
from benchmarks.ledger.transfer.merge import take_in
from tests.ledger.proof.plain_tree import root_at


def checkpoint_at(store, position: int) -> Checkpoint:
    """Of an odd position, a note of the earlier form: the hash of the event, and not the root of the tree."""
    hashes = [record.hash for record, _ in zip(store.read(), range(position), strict=False)]
    root = root_at([bytes.fromhex(digest) for digest in hashes]).hex()
    third = hashes[-1] if position % 2 else root
    return Checkpoint(f"benchmark-orchestrator/ledger/{hashes[0][:16]}", position, third)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jsonl", "sqlite"])
@settings(max_examples=30)
@given(data=st.data())
def test_the_story_of_new_events_is_that_of_a_whole_verification(histories, kind, data):
    """On any history, from any position, with an index of any age or without one."""
    events = data.draw(histories.events().filter(bool))
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite://{folder}/l.sqlite" if kind == "sqlite" else f"{folder}/ledger"
        store = open_store(url, notice=print)
        indexed = data.draw(st.integers(0, len(events)))
        histories.append_anyway(store, events[:indexed])
        if data.draw(st.booleans()):
            Keeper(store, behind=0).open()
        histories.append_anyway(store, events[indexed:])
        since = checkpoint_at(store, data.draw(st.integers(1, len(events))))
        whole, new = verify(store), verify(store, since=since)
        assert new.story == [finding for finding in whole.story if finding.seq > since.position]
        assert (new.damage, new.position, new.head_hash) == ([], whole.position, whole.head_hash)
        assert (new.since, new.origin) == (since.position, whole.origin)
        store.close()


@pytest.fixture
def store(tmp_path, histories):
    store = JsonlStore(tmp_path / "ledger", notice=print)
    ledger = Ledger(store)
    ledger.append("rg_1", histories.opened())
    for number in range(4):
        ledger.append(f"run_{number}", histories.started(f"s{number}"))
        ledger.append(f"run_{number}", histories.finished(artifacts=[Artifact(f"{number}.json", 2, "0" * 64)]))
    return store


def test_only_changes_after_the_checkpoint_are_looked_for(store):
    since = checkpoint_at(store, 5)
    [segment] = store.files()
    lines = segment.read_bytes().splitlines(keepends=True)
    for place, damaged in ((2, False), (6, True)):
        changed = [*lines[:place], lines[place].replace(b'"score":0.5', b'"score":0.9'), *lines[place + 1 :]]
        segment.write_bytes(b"".join(changed))
        report = verify(store, since=since)
        assert bool(report.damage) == damaged
        assert report.position == (6 if damaged else 9)


@pytest.mark.parametrize("left", [8, 4])
def test_a_ledger_that_was_cut_or_rewritten_does_not_hold_the_checkpoint(store, left, histories):
    since = checkpoint_at(store, 9)
    [segment] = store.files()
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:left]))
    [finding] = verify(store, since=since).damage
    assert "cut off" in finding.text
    other = JsonlStore(store.folder, notice=print)
    for number in range(9 - left):
        other.append(lambda _, n=number: [NewEvent(f"run_x{n}", histories.started(f"x{n}"))], lambda _: None)
    [finding] = verify(other, since=since).damage
    assert "rewritten" in finding.text


def test_the_checkpoint_of_another_ledger_is_refused(store):
    since = checkpoint_at(store, 5)
    wrong = Checkpoint("benchmark-orchestrator/ledger/" + "f" * 16, since.position, since.hash)
    [finding] = verify(store, since=wrong).damage
    assert "but this ledger is" in finding.text


def test_only_files_of_runs_that_ended_since_are_compared(store, tmp_path):
    report = verify(store, folder_of=lambda _: tmp_path, since=checkpoint_at(store, 5))
    assert [finding.text for finding in report.artifacts] == [
        "run_2: 2.json is missing",
        "run_3: 3.json is missing",
    ]


def test_what_came_with_a_merge_since_is_proven(store, tmp_path, histories):
    other = JsonlStore(tmp_path / "other", notice=print)
    theirs = Ledger(other)
    theirs.append("rg_7", histories.opened())
    theirs.append("run_7", histories.started("s7", run_group_id="rg_7"))
    take_in(store, other, name="other", by="a")
    since = checkpoint_at(store, 9)
    theirs.append("run_7", histories.finished())
    take_in(store, other, name="other", by="a")
    for after in (since, checkpoint_at(store, 12), checkpoint_at(store, store.head().seq)):
        assert verify(store, since=after).is_sound


def test_earlier_events_that_new_ones_are_not_about_are_not_read(store, histories, monkeypatch):
    """Behind the index, the cost is that of what is new."""
    imported = Imported(source=ImportSource("k", "p", "0" * 64), run={"status": "succeeded", "benchmark_id": "b"})
    Ledger(store).append("run_i", imported)
    Keeper(store, behind=0).open()
    since = checkpoint_at(store, 10)
    Ledger(store).append("run_9", histories.started("s9"))
    read = []
    original = JsonlStore.read
    monkeypatch.setattr(
        JsonlStore, "read", lambda self, after=0, **more: read.append(after) or original(self, after, **more)
    )
    assert verify(JsonlStore(store.folder, notice=print), since=since).is_sound
    assert min(read) == 10


def test_a_checkpoint_of_the_head_leaves_nothing_to_check(store):
    report = verify(store, since=checkpoint_at(store, 9))
    assert report.is_sound and (report.since, report.position) == (9, 9)
