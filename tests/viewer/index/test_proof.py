"""The proof of the chain in the background: it names the first fault, and begins again if an old part changes."""

from __future__ import annotations

import pytest

from benchmarks.ledger.events import Heartbeat, NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.viewer.index import proof as proofs
from benchmarks.viewer.index.proof import ChainProof


@pytest.fixture
def store(tmp_path, histories, monkeypatch):
    monkeypatch.setattr(proofs, "_LINES_AT_ONCE", 7)
    store = JsonlStore(tmp_path / "ledger", notice=print, segment_bytes=2_000)
    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    for _ in range(30):
        histories.append_anyway(store, [NewEvent("run_1", Heartbeat())])
    return store


def prove(proof):
    while proof.step():
        pass
    return proof.position, proof.damage


def test_the_whole_chain_is_proven_and_then_what_is_new(store, histories):
    proof = ChainProof(store)
    assert prove(proof) == (31, "")
    histories.append_anyway(store, [NewEvent("run_1", histories.finished())])
    assert prove(proof) == (32, "")


def test_events_that_were_there_before_are_missed(store, histories):
    """The chain of what is left is sound: only who has seen more can tell."""
    histories.append_anyway(store, [NewEvent("run_1", histories.finished())])
    proof = ChainProof(store)
    assert prove(proof) == (32, "")
    last = store.files()[-1]
    whole = last.read_bytes()
    last.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    position, damage = prove(proof)
    assert position == 31 and damage.startswith("event 32 was there before with the hash")
    assert proof.state(31) == "damaged"
    last.write_bytes(whole)
    assert prove(proof) == (32, "")


def test_a_changed_event_is_named_until_it_is_mended(store):
    first = store.files()[0]
    sound = first.read_bytes()
    assert len(store.files()) > 2
    proof = ChainProof(store)
    assert prove(proof) == (31, "")
    lines = sound.splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"heartbeat"', b'"Heartbeat"')
    first.write_bytes(b"".join(lines))
    assert prove(proof) == (1, "event 2: its hash does not match its bytes")
    assert prove(proof)[1], "it stays"
    first.write_bytes(sound)
    assert prove(proof) == (31, "")
