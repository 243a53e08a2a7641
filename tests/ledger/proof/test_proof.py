"""A proof of one event: no field of it, of the event's line or of the policy can change."""

from __future__ import annotations

import random

import pytest

from benchmarks.ledger.errors import LedgerError
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.checkpoint import take_checkpoint
from benchmarks.ledger.proof.encoding import BadText
from benchmarks.ledger.proof.issuing import Forked, kept_note, sign_checkpoint
from benchmarks.ledger.proof.kept import tiles_folder
from benchmarks.ledger.proof.policy import NotTrusted, parse_policy
from benchmarks.ledger.proof.proof import EventProof, NotProven, parse_proof, prove_event, verify_proof
from benchmarks.ledger.proof.signing import new_signer
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments

KEY = new_signer("bench.example.org")
POLICY = parse_policy(f"log {KEY.verifier}\nquorum none\n")


def fill(store, count: int) -> None:
    events = [NewEvent("run_1", Annotated(author="a", note=str(number))) for number in range(count)]
    store.append(lambda _: events, lambda _: None)


def line_of(store, position: int) -> bytes:
    return next(store.read_lines(position - 1))


@pytest.mark.parametrize("position", [1, 2, 17, 256, 257, 300])
def test_each_event_has_a_proof(store, position):
    fill(store, 300)
    proof = str(prove_event(store, position, str(sign_checkpoint(store, KEY))))
    assert str(parse_proof(proof)) == proof
    assert verify_proof(proof, POLICY, line_of(store, position)).position == position
    assert verify_proof(proof, POLICY).event_hash.encode() in line_of(store, position)


def test_an_earlier_checkpoint_proves_what_it_has(store):
    fill(store, 5)
    old = str(sign_checkpoint(store, KEY))
    fill(store, 300)
    assert verify_proof(str(prove_event(store, 5, old)), POLICY).accepted.checkpoint.position == 5
    with pytest.raises(NotProven, match="has 5 events, so it does not prove event 6"):
        prove_event(store, 6, old)


def test_no_bit_of_a_proof_can_change(store):
    fill(store, 37)
    proof = str(prove_event(store, 17, str(sign_checkpoint(store, KEY))))
    line = line_of(store, 17)
    raw = proof.encode()
    for place in range(len(raw)):
        for bit in (place % 7, (place + 3) % 7):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            with pytest.raises((NotProven, NotTrusted, BadText)):
                proven = verify_proof(changed.decode(errors="replace"), POLICY, line)
                # The extra line is a help for who does not have the event's line.
                assert parse_proof(changed.decode()).event_hash is None and proven.position == 17
                raise NotProven("it was not needed")


def test_no_bit_of_the_event_can_change(store):
    fill(store, 37)
    proof = str(prove_event(store, 17, str(sign_checkpoint(store, KEY))))
    line = line_of(store, 17)
    for place in range(len(line)):
        changed = bytearray(line)
        changed[place] ^= 1 << place % 7
        with pytest.raises((NotProven, BadText)):
            verify_proof(proof, POLICY, bytes(changed))
    for other in range(1, 38):
        if other != 17:
            with pytest.raises(NotProven, match=f"is about event 17, and the line is event {other}"):
                verify_proof(proof, POLICY, line_of(store, other))


def test_hashes_cannot_be_added_dropped_or_swapped(store):
    fill(store, 37)
    proof = prove_event(store, 17, str(sign_checkpoint(store, KEY)))
    hashes = proof.hashes
    rng = random.Random(1)
    wrong = [hashes[1:], hashes[:-1], [*hashes, hashes[0]], hashes[::-1], [], [*hashes[:2], b"x" * 32, *hashes[3:]]]
    wrong += [rng.sample(hashes, len(hashes)) for _ in range(5)]
    for changed in wrong:
        if changed != hashes:
            with pytest.raises(NotProven):
                verify_proof(str(EventProof(proof.index, changed, proof.note, proof.event_hash)), POLICY)
    for index in (*range(37), 10**17):
        if index != 16:
            with pytest.raises(NotProven):
                verify_proof(str(EventProof(index, hashes, proof.note, proof.event_hash)), POLICY)
    with pytest.raises(BadText, match="at most 63 hashes"):
        parse_proof(str(EventProof(16, [b"x" * 32] * 64, proof.note)))


@pytest.mark.parametrize(
    "text", ["", "c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v1\n\n", "c2sp.org/tlog-proof@v2\nindex 0\n\nx\n1\nx\n"]
)
def test_a_text_that_is_not_a_proof_is_refused(text):
    with pytest.raises(BadText):
        parse_proof(text)


def test_a_forked_ledger_has_no_proof_for_the_checkpoint(store, tmp_path):
    fill(store, 9)
    note = str(sign_checkpoint(store, KEY))
    fork = JsonlStore(tmp_path / "fork", notice=print)
    fill(fork, 9)
    with pytest.raises(NotProven, match="is not one of this ledger"):
        prove_event(fork, 3, note)


def test_a_signature_goes_on_from_the_last_one_and_never_forks(store):
    for count in (3, 300, 1, 0):
        if count:
            fill(store, count)
        note = sign_checkpoint(store, KEY)
        assert note.text == take_checkpoint(store, KEY.verifier.name).note()
        assert kept_note(store) == note
    [segment] = list_segments(store.folder)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[:200]))
    cut = JsonlStore(store.folder, notice=print)
    fill(cut, 500)
    with pytest.raises(Forked, match="does not continue"):
        sign_checkpoint(cut, KEY)
    assert sign_checkpoint(cut, new_signer("other.example")), "another key has not signed the other history"


def test_false_tiles_do_not_get_a_signature(store, tmp_path):
    """A process of the same user writes tiles that fit each other, but not the chain."""
    fill(store, 300)
    prove_event(store, 5, str(sign_checkpoint(store, KEY)))
    foreign = JsonlStore(tmp_path / "foreign", notice=print)
    fill(foreign, 300)
    prove_event(foreign, 5, str(sign_checkpoint(foreign, KEY)))
    for path in tiles_folder(foreign).rglob("*"):
        if path.is_file() and path.name not in ("checkpoint", ".lock", "tree.json"):
            (tiles_folder(store) / path.relative_to(tiles_folder(foreign))).write_bytes(path.read_bytes())
    state = (tiles_folder(foreign) / "tree.json").read_text()
    mine = line_of(store, 300)[-66:-2].decode()
    theirs = line_of(foreign, 300)[-66:-2].decode()
    (tiles_folder(store) / "tree.json").write_text(state.replace(theirs, mine))
    assert verify_proof(str(prove_event(store, 5, str(kept_note(store)))), POLICY)
    (tiles_folder(store) / "tree.json").write_text(state.replace(theirs, mine))
    fill(store, 1)
    assert sign_checkpoint(store, KEY).text == take_checkpoint(store, KEY.verifier.name).note()


def test_a_broken_chain_gets_no_signature(store):
    fill(store, 5)
    sign_checkpoint(store, KEY)
    fill(store, 5)
    [segment] = list_segments(store.folder)
    segment.write_bytes(segment.read_bytes().replace(b'"note":"3"', b'"note":"x"', 2))
    with pytest.raises(LedgerError):
        sign_checkpoint(JsonlStore(store.folder, notice=print), KEY)
