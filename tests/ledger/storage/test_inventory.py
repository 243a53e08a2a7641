"""The manifest of sealed segments: what a writer trusts, what it does not, and what verification says of it."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from benchmarks.ledger.errors import LedgerDamaged, LedgerMoved, LedgerUnwritable
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.inventory import Manifest, read_manifest, write_manifest
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments, read_whole_lines


def opened(folder, segment_bytes: int = 1200) -> JsonlStore:
    return JsonlStore(folder, notice=print, segment_bytes=segment_bytes)


def append(store: JsonlStore, *notes: str):
    records = store.append(
        lambda _: [NewEvent("run_1", Annotated(author="a", note=note)) for note in notes], lambda _: None
    )
    store.sync()
    return records


@pytest.fixture
def folder(tmp_path):
    store = opened(tmp_path / "ledger")
    for number in range(14):
        append(store, str(number))
    store.close()
    assert len(list_segments(tmp_path / "ledger")) >= 4
    return tmp_path / "ledger"


def test_every_segment_but_the_last_has_its_entry(folder):
    *sealed, _ = list_segments(folder)
    manifest = read_manifest(folder)
    assert [entry.name for entry in manifest.segments] == [segment.name for segment in sealed]
    for entry, segment in zip(manifest.segments, sealed, strict=True):
        content = segment.read_bytes()
        events = [json.loads(line) for line in content.splitlines()]
        assert (entry.bytes, entry.sha256, entry.count) == (len(content), sha256(content).hexdigest(), len(events))
        assert (entry.first_seq, entry.last_seq) == (events[0]["seq"], events[-1]["seq"])
        assert entry.last_hash == events[-1]["hash"]


def test_a_ledger_without_a_manifest_is_proven_whole_and_gets_one_again(folder):
    before = read_manifest(folder)
    (folder / "manifest.json").unlink()
    store = opened(folder)
    for number in range(6):
        append(store, f"more {number}")
    after = read_manifest(folder)
    assert after.segments[: len(before.segments)] == before.segments
    assert verify(store).damage == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"segments":[],"format":2}', b'{"segments":[{"name":1}]}', b"\xff"])
def test_an_unreadable_manifest_is_reported_and_stops_nothing(folder, content):
    (folder / "manifest.json").write_bytes(content)
    [finding] = verify(opened(folder)).damage
    assert "manifest.json cannot be read" in finding.text
    assert append(opened(folder), "more")[0].seq == 15


def test_what_changed_inside_a_sealed_segment_is_found_by_verification(folder):
    segment = list_segments(folder)[1]
    segment.write_bytes(segment.read_bytes().replace(b'"author":"a"', b'"author":"b"', 1))
    assert append(opened(folder), "more")[0].seq == 15, "a writer compares size and last event"
    assert [finding.seq for finding in verify(opened(folder)).damage] == [int(segment.stem)]


@pytest.mark.parametrize("change", ["shorter", "longer", "last event"])
def test_a_sealed_segment_of_another_size_or_end_stops_every_append(folder, change):
    segment = list_segments(folder)[1]
    content = segment.read_bytes()
    lines = content.splitlines(keepends=True)
    segment.write_bytes(
        {
            "shorter": b"".join(lines[:-1]),
            "longer": content + lines[-1],
            "last event": content[:-12] + (b"0" if content[-12:-11] != b"0" else b"1") + content[-11:],
        }[change]
    )
    with pytest.raises(LedgerDamaged, match="sealed segment") as told:
        append(opened(folder), "more")
    assert (told.value.file, told.value.trusted) == (segment, int(segment.stem) - 1)
    assert verify(opened(folder)).damage


def test_a_sound_segment_that_is_not_the_sealed_file_is_reported(folder):
    manifest = read_manifest(folder)
    first = manifest.segments[0]
    changed = type(first)(**{**{name: getattr(first, name) for name in first.__struct_fields__}, "sha256": "0" * 64})
    write_manifest(folder, Manifest(1, [changed, *manifest.segments[1:]]))
    [finding] = verify(opened(folder)).damage
    assert "is not the file that was sealed" in finding.text


def test_a_crash_between_the_seal_and_the_next_segment_is_gone_on_from(folder):
    *sealed, last = list_segments(folder)
    last.unlink()
    store = opened(folder, segment_bytes=10**6)
    [record] = append(store, "more")
    assert list_segments(folder)[-1].name == f"{record.seq:020d}.jsonl", "a sealed segment is never written to"
    assert [segment.stat().st_size for segment in sealed] == [entry.bytes for entry in read_manifest(folder).segments]
    assert verify(store).damage == []


def test_nothing_is_recorded_if_the_manifest_cannot_be_written(folder, monkeypatch):
    from benchmarks.ledger.storage import disk

    store = opened(folder)
    seq = sum(1 for _ in store.read())

    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "rename", fail)
    with pytest.raises(LedgerUnwritable, match="No space left"):
        for number in range(10):
            append(store, f"more {number}")
            seq += 1
    monkeypatch.undo()
    assert append(store, "after")[0].seq == seq + 1
    assert verify(store).damage == []


def test_other_writers_notice_that_a_segment_was_sealed(folder):
    idle, busy = opened(folder), opened(folder)
    append(idle, "a")
    for number in range(8):
        append(busy, str(number))
    append(idle, "b")
    seqs = [int(line.split(b",")[0][7:]) for segment in list_segments(folder) for line in lines_of(segment)]
    assert seqs == list(range(1, 25))
    assert verify(idle).damage == []


def lines_of(segment):
    return [line for lines in read_whole_lines(segment) for line in lines.splitlines()]


def test_a_ledger_that_was_removed_and_made_again_is_noticed(folder):
    import shutil

    store = opened(folder)
    append(store, "a")
    shutil.rmtree(folder)
    other = opened(folder)
    append(other, "first")
    with pytest.raises(LedgerMoved, match="does not hold event 1"):
        append(store, "second")
    assert len(append(other, "second")) == 1
    assert verify(other).damage == []
