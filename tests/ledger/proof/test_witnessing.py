"""A witness signs one history of a log, whatever it is asked, and keeps it on disk before it answers."""

from __future__ import annotations

from hashlib import sha256

import aics_tlog
import pytest

from benchmarks.ledger.proof.checkpoint import Checkpoint, parse_checkpoint
from benchmarks.ledger.proof.signing import COSIGNATURE, new_signer, parse_signatures
from benchmarks.ledger.proof.tree import EMPTY_ROOT
from benchmarks.ledger.proof.witnessing import Refused, Request, StateUnusable, WitnessState, parse_request
from benchmarks.ledger.storage import disk

LOG = new_signer("log.example/a")
WITNESS = new_signer("witness.example/w1", COSIGNATURE)


def tree(count: int, kind: bytes = b"") -> aics_tlog.MerkleTree:
    return aics_tlog.MerkleTree([kind + bytes([number]) for number in range(count)])


def request(old: int, new: int, kind: bytes = b"", *, log=LOG, proof=None, root=None) -> bytes:
    leaves = tree(max(new, 1), kind)
    root = root or (leaves.root(new) if new else EMPTY_ROOT)
    proof = leaves.consistency_proof(old, new) if proof is None and old <= new else proof or []
    note = log.sign(Checkpoint(LOG.verifier.name, new, root.hex()).note())
    return str(Request(old, proof, note)).encode()


@pytest.fixture
def open_state(tmp_path):
    opened = []

    def open_state(signer=WITNESS, logs=(LOG.verifier,)):
        opened.append(WitnessState(tmp_path / "state", signer, logs, clock=lambda: 1_700_000_000.5))
        return opened[-1]

    yield open_state
    for state in opened:
        state.close()


def refused(state, body: bytes) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        state.add_checkpoint(body)
    return caught.value.status, caught.value.text


def test_it_signs_what_continues(open_state):
    state = open_state()
    for old, new in ((0, 0), (0, 3), (3, 3), (3, 8), (8, 9), (9, 200)):
        [line] = parse_signatures(state.add_checkpoint(request(old, new)))
        key = aics_tlog.parse_vkey(str(WITNESS.verifier))
        root = tree(max(new, 1)).root(new) if new else EMPTY_ROOT
        assert aics_tlog.verify_cosignature(
            line.signature, line.name, key.public_key, LOG.verifier.name, new, root, now=1_700_000_000
        )
        kept = state.checkpoint_of(sha256(LOG.verifier.name.encode()).hexdigest())
        checkpoint, note = parse_checkpoint(kept)
        assert checkpoint.position == new and LOG.verifier.signature_of(note) and WITNESS.verifier.signature_of(note)
    state.close()
    assert refused(open_state(), request(0, 3)) == (409, "200\n"), "another process goes on where this one was"


def test_each_wrong_request_has_its_answer(open_state):
    state = open_state()
    assert state.checkpoint_of("0" * 64) is None
    state.add_checkpoint(request(0, 5))
    stranger = new_signer(LOG.verifier.name)
    other_log = new_signer("log.example/b")
    unknown = str(Request(0, [], other_log.sign(Checkpoint("log.example/b", 1, "ab" * 32).note()))).encode()
    assert refused(state, unknown)[0] == 404
    assert refused(state, request(5, 6, log=stranger))[0] == 403
    forged = request(5, 6).decode()
    forged = forged[:-4] + ("A" if forged[-4] != "A" else "B") + forged[-3:]
    assert refused(state, forged.encode())[0] in (400, 403)
    assert refused(state, request(7, 6))[0] == 400
    assert refused(state, request(0, 6)) == (409, "5\n")
    assert refused(state, request(4, 6)) == (409, "5\n")
    assert refused(state, request(5, 6, proof=[b"x" * 32]))[0] == 422
    assert refused(state, request(5, 6, b"fork"))[0] == 422
    assert refused(state, request(5, 5, b"fork"))[0] == 422
    assert refused(state, request(5, 5, proof=[b"x" * 32]))[0] == 422
    for body in (b"", b"old 5", b"old 05\n\n", b"old -1\n\nx", b"\xff", b"old 5\n!\n\nx", b"x" * 70_000):
        assert refused(state, body)[0] == 400
    many = str(Request(5, [b"x" * 32] * 64, "x")).encode()
    assert refused(state, many) == (400, "a proof has at most 63 lines, got 64\n")
    assert state.add_checkpoint(request(5, 6)), "none of these has changed its state"


def test_the_empty_tree_has_one_root(open_state):
    state = open_state()
    assert refused(state, request(0, 0, root=b"x" * 32))[0] == 422
    assert refused(state, request(0, 3, proof=[b"x" * 32]))[0] == 422


def test_two_processes_do_not_share_a_state(open_state):
    open_state()
    with pytest.raises(StateUnusable, match="another process is the witness"):
        open_state()


def test_nothing_is_signed_that_is_not_on_disk(open_state, monkeypatch):
    state = open_state()
    state.add_checkpoint(request(0, 3))

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "sync", fail)
    with pytest.raises(StateUnusable, match="nothing was signed"):
        state.add_checkpoint(request(3, 4))
    monkeypatch.undo()
    state.close()
    assert refused(open_state(), request(0, 1)) == (409, "3\n")


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other key"])
def test_a_damaged_state_signs_nothing(open_state, tmp_path, damage):
    state = open_state()
    state.add_checkpoint(request(0, 3))
    state.close()
    path = tmp_path / "state" / sha256(LOG.verifier.name.encode()).hexdigest()
    content = path.read_bytes()
    changed = {"cut": content[:-30], "bit": content.replace(b"\n3\n", b"\n2\n"), "empty": b"", "other key": content}
    path.write_bytes(changed[damage])
    signer = new_signer(WITNESS.verifier.name, COSIGNATURE) if damage == "other key" else WITNESS
    with pytest.raises(StateUnusable, match="so nothing is signed for"):
        open_state(signer)
    path.write_bytes(content)
    later = open_state()
    path.write_bytes(changed["cut"])
    with pytest.raises(StateUnusable):
        later.add_checkpoint(request(3, 4))


def test_a_request_comes_back_as_it_was():
    body = request(3, 8)
    parsed = parse_request(body)
    assert (
        str(parsed).encode() == body and parsed.old == 3 and len(parsed.proof) == len(tree(8).consistency_proof(3, 8))
    )
