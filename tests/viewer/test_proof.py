"""The proof of a run, as the API gives it: a reader can check it without the ledger."""

from __future__ import annotations

import pytest

from benchmarks.ledger.events import Heartbeat, NewEvent, Retracted
from benchmarks.ledger.proof.issuing import sign_checkpoint
from benchmarks.ledger.proof.policy import parse_policy
from benchmarks.ledger.proof.proof import NotProven, verify_proof
from benchmarks.ledger.proof.signing import new_signer


@pytest.fixture
def proof_of(client):
    def proof_of(run_id, **parameters):
        return client.simulate_get(f"/api/runs/{run_id}/proof", params=parameters)

    return proof_of


def test_it_proves_the_end_of_a_run(store, add, proof_of, histories):
    add("run_a", 0.942)
    add("run_b", 0.5)
    histories.append_anyway(store, [NewEvent("run_a", Retracted(author="a", reason="wrong"))])
    found = proof_of("run_a").json
    assert [one["seq"] for one in found["events"]] == [1, 2, 5]
    assert (found["proven_seq"], found["signed_by"]) == (2, [])
    [_, end, _] = found["events"]
    proven = verify_proof(found["tlog_proof"], None, end["line"].encode())
    assert (proven.position, proven.accepted.checkpoint.position) == (2, 5)
    with pytest.raises(NotProven):
        verify_proof(found["tlog_proof"], None, end["line"].replace("0.942", "0.992").encode())
    then = proof_of("run_a", as_of="4").json
    assert [one["seq"] for one in then["events"]] == [1, 2]
    assert then["checkpoint"].splitlines()[1] == "4"
    assert proof_of("run_c").status_code == 404
    assert proof_of("run_b", as_of="2").status_code == 404


def test_a_signed_checkpoint_is_used_if_it_has_the_run(store, add, proof_of):
    add("run_a", 0.942)
    signer = new_signer("lab.example")
    sign_checkpoint(store, signer)
    add("run_b", 0.5)
    found = proof_of("run_a").json
    assert found["signed_by"] == ["lab.example"]
    verify_proof(found["tlog_proof"], parse_policy(f"log {signer.verifier}\nquorum none\n"))
    assert proof_of("run_b").json["signed_by"] == [], "the checkpoint is older than the run"


def test_heartbeats_of_a_long_run_are_left_out(store, add, proof_of, histories):
    add("run_a", end=False)
    histories.append_anyway(store, [NewEvent("run_a", Heartbeat()) for _ in range(250)])
    histories.append_anyway(store, [NewEvent("run_a", histories.finished(0.5))])
    assert [one["seq"] for one in proof_of("run_a").json["events"]] == [1, 252]
