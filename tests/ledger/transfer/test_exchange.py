"""A ledger on its way: files that are whole or not there, copies with the same chain."""

from __future__ import annotations

import gzip

import pytest

from benchmarks.ledger.errors import LedgerDamaged, LedgerError, LedgerUnwritable, OtherHistory
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments
from benchmarks.ledger.storage.sqlite import SqliteStore
from benchmarks.ledger.transfer.exchange import LinesFile, UnreadableFile, copy, export_lines, head_of


@pytest.fixture
def ledger(tmp_path):
    store = JsonlStore(tmp_path / "ledger", notice=pytest.fail, segment_bytes=2000)
    for number in range(10):
        note = Annotated(author="a", note=f"{number}é\u2028")
        store.append(lambda _, note=note: [NewEvent("run_1", note)] * 3, lambda _: None)
    return store


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_an_export_is_every_line_and_the_same_each_time(ledger, tmp_path, name):
    head = export_lines(ledger, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    assert export_lines(ledger, tmp_path / name) == head
    assert (tmp_path / name).read_bytes() == first
    content = gzip.decompress(first) if name.endswith(".gz") else first
    assert content == b"".join(line + b"\n" for line in ledger.read_lines())
    file = LinesFile(tmp_path / name)
    assert head_of(file.prove()) == head
    assert list(file.read()) == list(ledger.read()) and list(file.read(7)) == list(ledger.read(7))
    assert [record.seq for record in file.read(28, stream="run_1", types=["annotated"])] == [29, 30]


def test_a_damaged_ledger_leaves_no_export_and_spares_an_earlier_one(ledger, tmp_path):
    export_lines(ledger, tmp_path / "x.jsonl")
    before = (tmp_path / "x.jsonl").read_bytes()
    segment = list_segments(ledger.folder)[1]
    segment.write_bytes(segment.read_bytes().replace(b'"author":"a"', b'"author":"b"', 1))
    for name in ("x.jsonl", "y.jsonl"):
        with pytest.raises(LedgerDamaged):
            export_lines(ledger, tmp_path / name)
    assert (tmp_path / "x.jsonl").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger", "x.jsonl"]


def test_a_place_that_cannot_be_written_is_named(ledger, tmp_path):
    with pytest.raises(LedgerUnwritable, match="nowhere"):
        export_lines(ledger, tmp_path / "nowhere" / "x.jsonl")


@pytest.mark.parametrize("damage", ["cut", "changed", "no gzip", "gone"])
def test_a_damaged_packed_file_is_reported(ledger, tmp_path, damage):
    path = tmp_path / "x.jsonl.gz"
    export_lines(ledger, path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-20])
    elif damage == "changed":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    elif damage == "no gzip":
        path.write_bytes(b"plain text")
    else:
        path.unlink()
    with pytest.raises((UnreadableFile, LedgerDamaged), match=path.name):
        head_of(LinesFile(path).prove())


def test_a_changed_or_missing_line_is_reported_with_its_place(ledger, tmp_path):
    lines = list(ledger.read_lines())
    for wrong, seq in ((lines[:3] + lines[4:], 4), ([*lines[:5], lines[5].replace(b'"a"', b'"b"')], 6), (lines[1:], 1)):
        (tmp_path / "x.jsonl").write_bytes(b"".join(line + b"\n" for line in wrong))
        with pytest.raises(LedgerDamaged) as told:
            head_of(LinesFile(tmp_path / "x.jsonl").prove())
        assert (told.value.trusted, told.value.line) == (seq - 1, seq)


def test_a_copy_has_the_same_lines_in_whatever_kind_of_store(ledger, tmp_path):
    there = SqliteStore(tmp_path / "copy.sqlite", notice=pytest.fail)
    assert copy(ledger, there) == 30
    assert copy(ledger, there) == 0
    [record] = ledger.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="more"))], lambda _: None)
    assert copy(ledger, there) == 1
    back = JsonlStore(tmp_path / "back", notice=pytest.fail)
    assert copy(there, back) == record.seq
    assert list(back.read_lines()) == list(there.read_lines()) == list(ledger.read_lines())
    assert [verify(store).damage for store in (back, there)] == [[], []]


def test_a_copy_never_writes_over_another_history(ledger, tmp_path):
    other = JsonlStore(tmp_path / "other", notice=pytest.fail)
    other.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="mine"))], lambda _: None)
    with pytest.raises(OtherHistory, match="not an earlier copy"):
        copy(ledger, other)
    longer = JsonlStore(tmp_path / "longer", notice=pytest.fail)
    copy(ledger, longer)
    longer.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="more"))], lambda _: None)
    with pytest.raises(OtherHistory):
        copy(ledger, longer)
    assert len(list(other.read())) == 1 and len(list(longer.read())) == 31


def test_a_copy_that_was_interrupted_goes_on(ledger, tmp_path):
    there = JsonlStore(tmp_path / "there", notice=print)
    lines = list(ledger.read_lines())

    def interrupted():
        yield from lines[:12]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        there.append_lines(interrupted())
    copy(ledger, there)
    assert list(there.read_lines()) == lines


def test_every_error_of_a_file_is_one_of_the_ledger(tmp_path):
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(LedgerError):
        list(LinesFile(tmp_path / "folder.jsonl").read())
