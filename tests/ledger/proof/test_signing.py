"""Signed notes: what one signer says, in the form that other tools read."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.proof.checkpoint import Checkpoint, parse_note
from benchmarks.ledger.proof.signing import SigningError, new_signer, parse_signer, parse_verifier
from benchmarks.ledger.storage.chain import origin_of

NOTE = Checkpoint(origin_of("ab" * 32), 7, "cd" * 32).note()
# The example of golang.org/x/mod/sumdb/note.
SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = (
    TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_keys_and_signatures_are_those_of_others():
    signer = parse_signer(SIGNER)
    assert (str(signer), str(signer.verifier)) == (SIGNER, VERIFIER)
    assert signer.sign(TEXT) == SIGNED
    assert parse_verifier(VERIFIER).has_signed(SIGNED)


def test_a_new_key_signs_and_is_written_and_read():
    signer = new_signer("bench.example.org")
    signed = parse_signer(str(signer) + "\n").sign(NOTE)
    assert parse_verifier(str(signer.verifier) + "\n").has_signed(signed)
    assert signed.startswith(NOTE + "\n— bench.example.org ")
    assert parse_note(signed) == parse_note(NOTE)
    assert str(new_signer("bench.example.org")) != str(signer)


def test_several_may_sign_one_note():
    first, second, third = (new_signer(name) for name in ("first", "second", "third"))
    signed = second.sign(first.sign(NOTE))
    assert first.verifier.has_signed(signed) and second.verifier.has_signed(signed)
    assert not third.verifier.has_signed(signed)


def test_a_signer_of_the_same_name_has_another_key():
    one, other = new_signer("same"), new_signer("same")
    assert not other.verifier.has_signed(one.sign(NOTE))
    # Not even one whose key has the same four bytes of hash.
    _, _, signature = one.sign(NOTE).strip().rpartition(" ")
    raw = base64.b64decode(signature)
    forged = f"{NOTE}\n— same {base64.b64encode(other.verifier.hash + raw[4:]).decode()}\n"
    assert not other.verifier.has_signed(forged)


@given(st.integers(0, len(NOTE.encode()) - 1), st.integers(0, 7))
def test_no_bit_of_the_text_can_change(place, bit):
    signer = parse_signer(SIGNER)
    signed = signer.sign(NOTE).encode()
    changed = bytearray(signed)
    changed[place] ^= 1 << bit
    assert not signer.verifier.has_signed(changed.decode(errors="replace"))


@pytest.mark.parametrize("text", ["", NOTE, NOTE + "\n", NOTE + "\n— x y\n", NOTE + "\n— PeterNeumann !!\n", "\n\n"])
def test_what_is_not_signed_is_not_signed(text):
    assert not parse_verifier(VERIFIER).has_signed(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a\nb"])
def test_a_name_that_would_not_survive_is_refused(name):
    with pytest.raises(SigningError, match="cannot be the name"):
        new_signer(name)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("", "a private key begins with"),
        (VERIFIER, "a private key begins with"),
        (SIGNER[:-4], "has the form"),
        (SIGNER.replace("c74f20a3", "c74f20a4"), "is damaged: its hash does not match"),
        (SIGNER.replace("Neumann", "Newman"), "is damaged: its hash does not match"),
        (SIGNER.replace("+AYEK", "+!!"), "not base64"),
        (SIGNER.replace("+AYEK", "+AoEK"), "has the form"),
    ],
)
def test_a_text_that_is_not_a_private_key_is_refused(key, told):
    with pytest.raises(SigningError, match=told):
        parse_signer(key)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("", "has the form"),
        (SIGNER, "this is a private key"),
        (VERIFIER[:-4], "has the form"),
        (VERIFIER.replace("c74f20a3", "00000000"), "is damaged: its hash does not match"),
        ("name+hash+é", "not base64"),
    ],
)
def test_a_text_that_is_not_a_public_key_is_refused(key, told):
    with pytest.raises(SigningError, match=told):
        parse_verifier(key)
