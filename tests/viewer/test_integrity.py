"""Whether the ledger can be trusted: its proof as the page shows it, corrections, and what changed between moments."""

from __future__ import annotations

import os

from benchmarks.ledger.events import Annotated, NewEvent, Retracted
from benchmarks.ledger.proof.issuing import sign_checkpoint
from benchmarks.ledger.proof.signing import new_signer
from benchmarks.viewer.app import create_app, site_of
from benchmarks.viewer.index.archive import Archive
from benchmarks.viewer.index.proof import ChainProof


def prove(proof):
    while proof.step():
        pass


def tamper(store, old, new):
    """Change bytes of the ledger in place, and keep its size and its time."""
    [file] = store.files()
    told = file.stat()
    content = file.read_bytes()
    assert content.count(old) == 1 and len(old) == len(new)
    with file.open("r+b") as opened:
        opened.write(content.replace(old, new))
    return file, told


def test_the_state_is_green_only_when_everything_is_proven(store, add):
    add("run_a", 0.942)
    proof = ChainProof(store)
    assert proof.state(2) == "checking"
    prove(proof)
    assert proof.state(2) == "proven"
    assert proof.state(2, problems=1) == "damaged", "an event that makes no sense is a fault of the story"
    add("run_b", 0.5)
    assert proof.state(4) == "checking"
    prove(proof)
    assert proof.state(4) == "proven"


def test_a_changed_byte_of_what_was_proven_is_found(store, add):
    add("run_a", 0.942)
    add("run_b", 0.5)
    proof = ChainProof(store)
    prove(proof)
    tamper(store, b"0.942", b"0.992")
    prove(proof)
    assert proof.state(4) == "damaged" and "event 2" in proof.damage


def test_it_is_found_too_if_the_file_has_its_time_again(store, add, monkeypatch):
    add("run_a", 0.942)
    add("run_b", 0.5)
    proof = ChainProof(store)
    prove(proof)
    file, told = tamper(store, b"0.942", b"0.992")
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    prove(proof)
    assert proof.state(4) == "proven", "nothing tells of it yet"
    monkeypatch.setattr("benchmarks.viewer.index.proof._AGAIN_EVERY", -1.0)
    prove_once_more = [proof.step() for _ in range(3)]
    assert proof.state(4) == "damaged", prove_once_more


def test_corrections_are_listed_with_their_events(client, add, store):
    add("run_a")
    add("run_b", synthetic=True)
    changes = [
        NewEvent("run_a", Annotated(author="Ada", note="look", tags=["x"])),
        NewEvent("run_a", Annotated(author="Ada", note="again", tags=[])),
        NewEvent("run_a", Retracted(author="Ben", reason="wrong prompt")),
    ]
    store.append(lambda _: changes, lambda _: None)
    found = client.simulate_get("/api/integrity").json
    assert [(one["type"], one["author"], one["text"]) for one in found["events"]] == [
        ("retracted", "Ben", "wrong prompt"),
        ("annotated", "Ada", "again"),
        ("annotated", "Ada", "look [x]"),
    ]
    assert found["counts"]["annotated_runs"] == 1, "its tile leads to a list of runs"
    assert found["counts"]["retracted_runs"] == 1 and found["counts"]["synthetic_runs"] == 1
    assert [row["run_id"] for row in found["synthetic"]] == ["run_b"]
    assert found["origin"].startswith("benchmark-orchestrator/ledger/")
    before = client.simulate_get("/api/integrity", params={"as_of": 4}).json
    assert before["events"] == [] and before["counts"]["retracted_runs"] == 0


def test_a_signed_checkpoint_is_named_with_its_signers(client, add, store):
    add("run_a")
    assert client.simulate_get("/api/integrity").json["checkpoint"] is None
    sign_checkpoint(store, new_signer("bench.example.org/ours"))
    add("run_b")
    found = client.simulate_get("/api/integrity").json["checkpoint"]
    assert (found["origin"], found["size"]) == ("bench.example.org/ours", 2)
    assert found["signed_by"] == ["bench.example.org/ours"]


def test_what_changed_between_two_moments(client, add, store):
    add("run_a", 0.5)
    add("run_b", 0.7)
    store.append(lambda _: [NewEvent("run_b", Retracted(author="Ben", reason="no"))], lambda _: None)
    found = client.simulate_get("/api/changes", params={"since": 2}).json
    assert (found["before"]["position"], found["head"]["position"]) == (2, 5)
    assert (found["started"], found["succeeded"], found["failed"]) == (1, 1, 0)
    assert found["scores"] == [], "the newest run that counts is the one before again"
    between = client.simulate_get("/api/changes", params={"since": 2, "as_of": 4}).json
    assert [(one["before"], one["after"]) for one in between["scores"]] == [(0.5, 0.7)]
    assert between["events"] == [] and [one["type"] for one in found["events"]] == ["retracted"]
    assert client.simulate_get("/api/changes").status_code == 400


def test_the_site_is_made_once(store, workspace):
    import threading

    site = site_of(Archive(workspace, store), threading.Event())
    assert site.proof.state(0) == "proven", "an empty ledger has nothing to prove"
    assert create_app(workspace.root, store)
