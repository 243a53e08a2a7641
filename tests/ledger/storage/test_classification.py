"""Every cut and every flipped bit in the files of a ledger is reported as damage or as a torn last line."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.ledger.errors import LedgerDamaged
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.checkpoint import take_checkpoint
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage import codec, disk
from benchmarks.ledger.storage.chain import BadLine, BrokenChain, Head, follow
from benchmarks.ledger.storage.inventory import read_manifest, write_manifest
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments, seal_all

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("TEST_SEED", random.randrange(10**6)))

NOTES = ["a", "b", "Jane *", "d", "e"]
"""One flipped bit makes a newline of a J and of an asterisk."""


def note(text):
    return NewEvent("run_1", Annotated(author="a", note=text), id=text, at="t")


def append(store, *texts):
    records = store.append(lambda _: [note(text) for text in texts], lambda _: None)
    store.sync()
    return records


class Ledger:
    """A small ledger with its original bytes: events 1 and 2 in a sealed segment, 3 to 5 in the last one."""

    def __init__(self, folder):
        self.folder = folder
        store = JsonlStore(folder, notice=print, segment_bytes=500)
        for text in NOTES[:2]:
            append(store, text)
        append(store, *NOTES[2:])
        store.close()
        self.sealed, self.last = list_segments(folder)
        self.manifest = folder / "manifest.json"
        self.files = {path: path.read_bytes() for path in (self.sealed, self.last, self.manifest)}
        self.notices = []
        self._is_changed = False

    def store(self):
        return JsonlStore(self.folder, notice=self.notices.append)

    def verify(self):
        return verify(self.store())

    def restore(self):
        """Take back what an append has done."""
        if self._is_changed:
            self.notices.clear()
            shutil.rmtree(self.folder / "quarantine", ignore_errors=True)
            for path, content in self.files.items():
                path.write_bytes(content)
            self._is_changed = False

    def quarantined(self):
        return [path.read_bytes() for path in self.folder.glob("quarantine/*.part")]

    def flips(self, path):
        """Each bit of a file, flipped in turn: the place of its byte."""
        content = self.files[path]
        for place, bit in itertools.product(range(len(content)), range(8)):
            self.put(path, flipped(content, place, bit))
            yield place
        self.put(path, content)

    def some_flips(self, path):
        """One bit of each byte, another one each time."""
        content = self.files[path]
        for place in range(len(content)):
            self.put(path, flipped(content, place, place % 8))
            yield place
        self.put(path, content)

    def cuts(self, path):
        """A file at every length but its own."""
        content = self.files[path]
        for size in range(len(content)):
            self.put(path, content[:size])
            yield size
        self.put(path, content)

    def put(self, path, content):
        """Make a file another one; all others are as they were."""
        self.restore()
        path.write_bytes(content)

    def append(self):
        """What comes of an append: the events before it, or None where the ledger is damaged."""
        self._is_changed = True
        store = self.store()
        before = {path: path.read_bytes() for path in self.files}
        try:
            return append(store, "after")[0].seq - 1
        except LedgerDamaged:
            assert {path: path.read_bytes() for path in self.files} == before, "nothing is mended by itself"
            assert not self.notices and not self.quarantined()
            return None
        finally:
            store.close()


@pytest.fixture
def tmp_path():
    """In memory, where there is such a folder: thousands of ledgers are written here."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "sync", lambda fd: None)
    monkeypatch.setattr(disk, "sync_folder", lambda folder: None)
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def lines(ledger):
    """The lines of the last segment."""
    return ledger.files[ledger.last].splitlines(keepends=True)


def flipped(content, place, bit):
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def whole_lines(content):
    return content.count(b"\n")


def test_every_flipped_bit_of_a_segment_is_reported(ledger):
    for path in (ledger.sealed, ledger.last):
        end = len(ledger.files[path]) - 1
        for place in ledger.flips(path):
            report = ledger.verify()
            if path == ledger.last and place == end:
                assert (report.damage, report.torn_bytes) == ([], len(ledger.files[path].splitlines()[-1]) + 1)
            else:
                assert report.damage, f"byte {place} of {path.name}"
            assert report.position <= 5


def test_every_flipped_bit_of_the_manifest_is_reported(ledger):
    for place in ledger.flips(ledger.manifest):
        assert ledger.verify().damage, f"byte {place}"


def test_a_cut_last_segment_is_reported_alone_or_against_a_checkpoint(ledger):
    checkpoint = take_checkpoint(ledger.store())
    whole = ledger.files[ledger.last]
    for size in ledger.cuts(ledger.last):
        rest = whole[:size]
        report = ledger.verify()
        assert report.damage == [] and report.position == 2 + whole_lines(rest)
        assert report.torn_bytes == size - (rest.rfind(b"\n") + 1)
        assert verify(ledger.store(), checkpoint=checkpoint).damage
    ledger.last.unlink()
    assert ledger.verify().damage == [] and verify(ledger.store(), checkpoint=checkpoint).damage


def test_every_cut_of_a_sealed_segment_is_reported(ledger):
    write_manifest(ledger.folder, seal_all([ledger.sealed, ledger.last], read_manifest(ledger.folder)))
    ledger.files[ledger.manifest] = ledger.manifest.read_bytes()
    for path in (ledger.sealed, ledger.last):
        for size in ledger.cuts(path):
            assert ledger.verify().damage, f"{path.name}, {size} bytes"
            assert ledger.append() is None
        path.unlink()
        assert ledger.verify().damage
        ledger.put(path, ledger.files[path])
    for size in ledger.cuts(ledger.manifest):
        assert ledger.verify().damage or size == len(ledger.files[ledger.manifest]) - 1, "all but its last newline"


def test_an_append_to_a_cut_ledger_moves_the_torn_line(ledger):
    whole = ledger.files[ledger.last]
    for size in ledger.cuts(ledger.last):
        rest = whole[:size]
        kept = rest[: rest.rfind(b"\n") + 1]
        assert ledger.append() == 2 + whole_lines(kept)
        assert ledger.last.read_bytes().startswith(kept)
        assert ledger.quarantined() == [rest[len(kept) :]] * (size > len(kept))
        assert len(ledger.notices) == (size > len(kept))
        assert ledger.verify().damage == []
    for _ in ledger.cuts(ledger.sealed):
        assert ledger.append() is None


def test_an_append_after_a_flipped_bit_in_the_last_segment_is_refused(ledger, lines):
    end = len(ledger.files[ledger.last]) - 1
    for place in ledger.some_flips(ledger.last):
        if place < end:
            assert ledger.append() is None, f"byte {place}"
        else:
            torn = ledger.last.read_bytes()[-len(lines[-1]) :]
            assert ledger.append() == 4 and ledger.quarantined() == [torn] and len(ledger.notices) == 1
            assert ledger.last.read_bytes().startswith(b"".join(lines[:-1]))


def test_an_append_hides_no_flipped_bit_of_a_sealed_segment(ledger):
    for path in (ledger.sealed, ledger.manifest):
        for place in ledger.some_flips(path):
            # A writer compares the size of a sealed segment and its last event, and leaves the rest to verification.
            assert ledger.append() in (None, 5) and not ledger.quarantined()
            assert ledger.verify().damage, f"byte {place} of {path.name}"
            assert ledger.last.read_bytes().startswith(ledger.files[ledger.last])


def test_two_flipped_bits_are_damage_in_any_place(ledger):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    for _ in range(500):
        for path in (ledger.sealed, ledger.last):
            content = ledger.files[path]
            path.write_bytes(flipped(content, rng.randrange(len(content) - 1), rng.randrange(8)))
        assert len({finding.seq for finding in ledger.verify().damage} - {0}) == 2


READS = (
    lambda store: store.read(),
    lambda store: store.read(details=False),
    lambda store: store.read(stream="run_1"),
    lambda store: store.read(types=["annotated"]),
    lambda store: store.read(after=1),
    lambda store: store.read_lines(after=1),
    lambda store: store.prove(),
)


def test_a_reader_notices_a_flipped_bit_or_sees_events(ledger):
    for path in (ledger.sealed, ledger.last, ledger.manifest):
        for place in ledger.some_flips(path):
            for read in READS:
                try:
                    assert len(list(read(ledger.store()))) <= 6
                except LedgerDamaged:
                    assert path != ledger.manifest, f"byte {place}"


LINES = [
    codec.encode(
        NewEvent("run_1", Annotated(author="a", note=text)), seq=seq, id=f"{seq}", at="t", version=seq, prev="0" * 64
    )[0][:-1]
    for seq, text in enumerate(NOTES, 1)
]

DEEP = LINES[0].replace(b'"tags":[]', b'"more":%b%b' % (b"[" * 100_000, b"]" * 100_000))
NOT_UTF8 = LINES[0].replace(b'"note":"a"', b'"note":"\xff"')
LONG_NUMBER = b'{"seq":' + b"9" * 5000 + b","


@st.composite
def mutated(draw):
    """A line of which some parts are left out, doubled, or replaced by arbitrary bytes."""
    line = draw(st.sampled_from(LINES))
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(line)))
        end = draw(st.integers(begin, min(len(line), begin + 20)))
        part = draw(st.one_of(st.binary(max_size=8), st.just(line[begin:end] * 2), st.just(b"")))
        line = line[:begin] + part + line[end:]
    return line


@pytest.mark.parametrize("line", [b"", DEEP, NOT_UTF8, LONG_NUMBER], ids=["empty", "deep", "no UTF-8", "long number"])
def test_a_reader_reports_lines_that_are_not_events(tmp_path, line):
    for lines in ([LINES[0], line, LINES[2]], [line]):
        (tmp_path / f"{1:020d}.jsonl").write_bytes(b"".join(text + b"\n" for text in lines))
        for read in READS:
            with contextlib.suppress(LedgerDamaged):
                assert len(list(read(JsonlStore(tmp_path, notice=print)))) <= 3


some_bytes = st.one_of(st.binary(max_size=200), mutated())


@given(some_bytes)
@example(DEEP)
@example(NOT_UTF8)
@example(LONG_NUMBER)
@settings(max_examples=400)
def test_any_line_is_an_event_or_a_bad_line(line):
    for read in (codec.decode, codec.read_envelope, codec.raw_data):
        with contextlib.suppress(BadLine):
            read(line)


@given(st.lists(some_bytes, max_size=4))
@example([DEEP])
@example([NOT_UTF8])
@example([b""])
@settings(max_examples=300)
def test_any_lines_are_events_or_one_is_bad(lines):
    content = b"".join(line + b"\n" for line in lines)
    for details in (False, True):
        try:
            records = codec.decode_lines(content, details=details)
        except BadLine:
            continue
        # An empty one is passed over: that it does not belong there, the chain says.
        assert len(records) == sum(bool(line.strip(b" \t\r")) for line in content.split(b"\n")[:-1])


@given(st.lists(st.one_of(some_bytes, st.sampled_from(LINES)), max_size=4), st.integers(0, 3))
@example([DEEP], 0)
@example(LINES[:1], 0)
@settings(max_examples=300)
def test_any_line_continues_the_chain_or_is_reported(lines, seq):
    try:
        head = follow(lines, Head(seq))
    except BrokenChain as told:
        assert 0 <= told.index < len(lines) and told.head.seq == seq + told.index
    else:
        assert head.seq == seq + len(lines)
