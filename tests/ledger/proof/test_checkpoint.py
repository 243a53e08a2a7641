"""A checkpoint kept elsewhere finds out what a chain alone cannot: a history that was cut off or rewritten."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.errors import LedgerDamaged
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.checkpoint import Checkpoint, CheckpointError, parse_note, take_checkpoint
from benchmarks.ledger.proof.signing import parse_verifier
from benchmarks.ledger.proof.tree import EMPTY_ROOT
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.chain import GENESIS, origin_of
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments


def fill(store: JsonlStore, *notes: str) -> None:
    store.append(lambda _: [NewEvent("run_1", Annotated(author="a", note=note)) for note in notes], lambda _: None)


def damage(folder, checkpoint):
    store = JsonlStore(folder, notice=print)
    return [(finding.seq, finding.text) for finding in verify(store, checkpoint=checkpoint).damage]


@given(st.integers(0, 10**12), st.binary(min_size=32, max_size=32), st.sampled_from(["", "\n", "\nsignature\n"]))
def test_a_note_comes_back_as_it_was(position, digest, more):
    checkpoint = Checkpoint(origin_of("ab" * 32), position, digest.hex())
    assert checkpoint.note().count("\n") == 3
    assert parse_note(checkpoint.note() + more) == checkpoint


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines[:2], "three lines"),
        (lambda lines: ["", *lines[1:]], "its first line must be a name"),
        (lambda lines: ["a\tb", *lines[1:]], "its first line must be a name"),
        (lambda lines: [lines[0], "03", lines[2]], "must be a position, got"),
        (lambda lines: [*lines[:2], lines[2][:-2] + "1="], "in its one right form"),
        (lambda lines: [*lines, "", "x"], None),
        (lambda lines: [lines[0], "-3", lines[2]], "must be a position, got"),
        (lambda lines: [lines[0], lines[1], "!!"], "not base64"),
        (lambda lines: [lines[0], lines[1], "aGVsbG8="], "5 bytes"),
    ],
)
def test_a_text_that_is_not_a_checkpoint_is_refused(change, told):
    lines = Checkpoint(origin_of("ab" * 32), 3, "cd" * 32).note().splitlines()
    if told is None:
        assert parse_note("\n".join(change(lines))) == parse_note("\n".join(lines)), "signatures are not looked at"
        return
    with pytest.raises(CheckpointError, match=told):
        parse_note("\n".join(change(lines)))


def test_a_history_that_only_grew_is_the_same(tmp_path):
    store = JsonlStore(tmp_path, notice=print, segment_bytes=800)
    taken = [take_checkpoint(JsonlStore(tmp_path, notice=print))]
    assert taken[0] == Checkpoint(origin_of(GENESIS), 0, EMPTY_ROOT.hex())
    for number in range(12):
        fill(store, str(number))
        taken.append(take_checkpoint(JsonlStore(tmp_path, notice=print)))
    assert [checkpoint.position for checkpoint in taken] == list(range(13))
    assert all(damage(tmp_path, checkpoint) == [] for checkpoint in taken)
    assert len({checkpoint.origin for checkpoint in taken[1:]}) == 1


def test_a_history_that_was_cut_off_is_found(store):
    fill(store, "a", "b", "c")
    checkpoint = take_checkpoint(store)
    [segment] = list_segments(store.folder)
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:2]))
    assert verify(store).damage == [], "the chain alone can't know"
    [(seq, told)] = damage(store.folder, checkpoint)
    assert seq == 3 and "cut off" in told


def test_a_history_that_was_written_anew_is_found(store, tmp_path):
    fill(store, "a", "b")
    checkpoint = take_checkpoint(store)
    fill(store, "c")
    anew = JsonlStore(tmp_path / "anew", notice=print)
    fill(anew, "a", "B", "c")
    assert verify(JsonlStore(anew.folder, notice=print)).damage == []
    [(seq, told)] = damage(anew.folder, checkpoint)
    assert seq == 2 and "the history was rewritten" in told


def test_another_ledger_altogether_is_found(store, tmp_path):
    fill(store, "a")
    other = JsonlStore(tmp_path / "other", notice=print)
    fill(other, "a")
    assert damage(other.folder, take_checkpoint(store))


def test_a_broken_chain_gets_no_note(store):
    fill(store, "a", "b")
    [segment] = list_segments(store.folder)
    segment.write_bytes(segment.read_bytes().replace(b'"note":"a"', b'"note":"x"'))
    with pytest.raises(LedgerDamaged):
        take_checkpoint(store)


TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["head", "head-signed"])
@pytest.mark.parametrize("how", ["checkpoint", "since"])
def test_notes_of_the_earlier_form_go_on_being_verified(tmp_path, name, how):
    """Their third line is the hash of the last event, and not the root of a tree."""
    text = (TESTS / "samples" / "notes" / f"{name}.txt").read_text()
    shutil.copytree(TESTS / "golden" / "2026-11", tmp_path / "ledger")
    store = JsonlStore(tmp_path / "ledger", notice=print)
    checkpoint = parse_note(text)
    assert checkpoint.position == 21 and checkpoint.hash == next(store.read(20)).hash
    assert verify(store, **{how: checkpoint}).damage == []
    changed = Checkpoint(checkpoint.origin, 20, checkpoint.hash)
    assert verify(store, **{how: changed}).damage
    key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert parse_verifier(key).has_signed(text) == (name == "head-signed")


def test_a_public_name_stands_for_the_ledger(store):
    fill(store, "a", "b")
    checkpoint = take_checkpoint(store, "bench.example.org/team")
    assert checkpoint.note().startswith("bench.example.org/team\n2\n")
    assert damage(store.folder, checkpoint) == []
    fill(store, "c")
    assert damage(store.folder, checkpoint) == []
    assert damage(store.folder, Checkpoint("other.example/log", 1, checkpoint.hash))


def test_extension_lines_are_kept(store):
    fill(store, "a")
    text = take_checkpoint(store).note() + "more\nlines\n"
    assert parse_note(text).extensions == ("more", "lines") and parse_note(text).note() == text
