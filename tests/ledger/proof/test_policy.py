"""Policies after tlog-policy: whom to believe, and how many witnesses must have seen a checkpoint."""

from __future__ import annotations

import itertools

import aics_tlog
import pytest

from benchmarks.ledger.proof.checkpoint import Checkpoint
from benchmarks.ledger.proof.encoding import BadText
from benchmarks.ledger.proof.policy import NotTrusted, PolicyError, Witness, parse_policy, policy_text
from benchmarks.ledger.proof.signing import COSIGNATURE, Note, SignatureLine, new_signer, parse_signed

LOG = new_signer("bench.example.org/team")
W = [new_signer(f"w{number}.example", COSIGNATURE) for number in range(6)]
TEXT = Checkpoint(LOG.verifier.name, 7, "ab" * 32).note()
KEYS = "".join(f"witness X{number} {one.verifier} https://w.example/{number}\n" for number, one in enumerate(W))


def note(*witnesses: int, log=LOG) -> str:
    signed = parse_signed(log.sign(TEXT))
    return str(signed.with_signatures(W[number].cosign(TEXT, 1_700_000_000 + number) for number in witnesses))


def policy(quorum: str):
    return parse_policy(f"log {LOG.verifier}\n{KEYS}{quorum}")


def test_a_cosignature_is_that_of_another_implementation():
    line = W[0].cosign(TEXT, 1_700_000_000)
    key = aics_tlog.parse_vkey(str(W[0].verifier))
    args = (line.name, key.public_key, LOG.verifier.name, 7, bytes.fromhex("ab" * 32))
    assert key.key_type == 4 and aics_tlog.verify_cosignature(line.signature, *args)
    theirs = aics_tlog.verify_checkpoint(
        aics_tlog.parse_note(note(0, 1)),
        aics_tlog.parse_vkey(str(LOG.verifier)),
        [aics_tlog.parse_vkey(str(one.verifier)) for one in W],
        quorum=2,
    )
    assert theirs.ok


def test_two_of_three_witnesses_are_enough():
    two = policy("group some 2 X0 X1 X2\nquorum some\n")
    for seen in itertools.chain.from_iterable(itertools.combinations(range(6), count) for count in range(7)):
        if len({0, 1, 2} & set(seen)) >= 2:
            assert two.judge(note(*seen)).witnesses == [f"X{number}" for number in seen]
        else:
            with pytest.raises(NotTrusted, match=r"requires some \(2 of 3\) to have seen the checkpoint"):
                two.judge(note(*seen))


@pytest.mark.parametrize(
    ("quorum", "enough", "too_few"),
    [
        ("quorum none\n", (), None),
        ("quorum X3\n", (3,), (0, 1, 2, 4, 5)),
        ("group a all X0 X1\nquorum a\n", (0, 1), (0,)),
        ("group a any X0 X1\nquorum a\n", (1,), (2,)),
        ("group a 2 X0 X1 X2\ngroup b any X3 X4\ngroup c all a b\nquorum c\n", (0, 2, 4), (0, 1, 2)),
        ("# words\n\n \tgroup  a\t1 X0\t\n  quorum a", (0,), ()),
    ],
)
def test_groups_of_groups(quorum, enough, too_few):
    assert policy(quorum).judge(note(*enough)).checkpoint.position == 7
    if too_few is not None:
        with pytest.raises(NotTrusted):
            policy(quorum).judge(note(*too_few))


def test_a_wrong_signature_by_a_known_key_spoils_the_note():
    any_one = policy("group a any X0 X1\nquorum a\n")
    good = parse_signed(note(0, 1))
    for number, line in enumerate(good.signatures):
        for at in range(0, len(line.signature), 7):
            raw = bytearray(line.signature)
            raw[at] ^= 1
            lines = list(good.signatures)
            lines[number] = SignatureLine(line.name, line.id, bytes(raw))
            with pytest.raises(NotTrusted, match="is not by its key"):
                any_one.judge(str(Note(TEXT, lines)))
    with pytest.raises(NotTrusted, match="has 2 signatures by"):
        any_one.judge(str(Note(TEXT, [*good.signatures, good.signatures[1]])))


def test_no_bit_of_an_accepted_note_can_change():
    strict = policy("group a all X0 X1\nquorum a\n")
    text = note(0, 1)
    assert strict.judge(text)
    raw = text.encode()
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        with pytest.raises((NotTrusted, BadText)):
            strict.judge(changed.decode(errors="replace"))


def test_signatures_of_strangers_are_ignored():
    stranger = new_signer("w0.example", COSIGNATURE)
    text = str(parse_signed(note(0)).with_signatures([stranger.cosign(TEXT, 5)]))
    assert policy("quorum X0\n").judge(text).witnesses == ["X0"]


def test_a_checkpoint_of_another_log_or_key_is_refused():
    with pytest.raises(NotTrusted, match="is not signed by"):
        policy("quorum none\n").judge(note(log=new_signer(LOG.verifier.name)))
    with pytest.raises(NotTrusted, match="is not signed by"):
        policy("quorum none\n").judge(TEXT)
    other = parse_policy(f"log {new_signer('other.example').verifier}\nquorum none\n")
    with pytest.raises(NotTrusted, match=r"is of bench\.example\.org/team, and the policy accepts other\.example"):
        other.judge(note())
    with pytest.raises(NotTrusted, match="accepts none"):
        parse_policy("quorum none\n").judge(note())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "does not have a quorum"),
        ("quorum none\nquorum none", "line 2: there is already a quorum"),
        ("quorum a", "'a' is not defined above"),
        ("group a 1 b\nquorum a", "'b' is not defined above"),
        (f"{KEYS}group a 1 X0\ngroup b 1 X0\nquorum a", "already a member"),
        (f"{KEYS}group a 0 X0\nquorum a", "the threshold must be"),
        (f"{KEYS}group a 2 X0\nquorum a", "the threshold must be"),
        (f"{KEYS}group a -1 X0\nquorum a", "the threshold must be"),
        (f"{KEYS}group X0 1 X1\nquorum X0", "is used twice"),
        (f"{KEYS}group none 1 X1\nquorum none", "is used twice"),
        (f"{KEYS}witness again {W[0].verifier}\nquorum none", "the same key is used twice"),
        (f"log {W[0].verifier}\nquorum none", "the key of a witness"),
        (f"witness a {LOG.verifier}\nquorum none", "the key of a signer"),
        ("log x\nquorum none", "line 1: the key is not base64|line 1: a key has the form"),
        ("logs x\nquorum none", "a line begins with log, witness, group or quorum"),
        ("log\nquorum none", "a wrong number of words"),
        ("quorum none\x07", "control characters"),
    ],
    ids=map(str, range(17)),  # Not the texts: the keys are random, and every worker has to collect the same names.
)
def test_a_text_that_is_not_a_policy_is_refused(text, told):
    with pytest.raises(PolicyError, match=told):
        parse_policy(text)


def test_the_text_of_a_policy_is_one():
    witnesses = [Witness(f"X{number}", one.verifier, None) for number, one in enumerate(W[:3])]
    text = policy_text([LOG.verifier], witnesses, 2)
    assert parse_policy(text).judge(note(0, 2)).witnesses == ["X0", "X2"]
    assert parse_policy(policy_text([LOG.verifier], [], 0)).judge(note())
