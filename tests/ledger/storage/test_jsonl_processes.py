"""Many processes at once: each event that was acknowledged is there, once, in one unbroken chain."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore

WRITER = """
import sys
from pathlib import Path
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore

store = JsonlStore(Path(sys.argv[1]), notice=lambda _: None, segment_bytes=20_000)
name, count = sys.argv[2], int(sys.argv[3])
for number in range(count):
    note = f"{name}-{number}"
    store.append(lambda _: [NewEvent("run_1", Annotated(author=name, note=note + "x" * (number % 50)))], lambda _: None)
    store.sync()
    print(note, flush=True)
"""


def start(folder, name, count):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), name, str(count)], stdout=subprocess.PIPE, text=True
    )


def notes(folder):
    return [record.data.note.rstrip("x") for record in JsonlStore(folder, notice=print).read()]


def test_writers_at_once_make_one_chain(tmp_path):
    writers = [start(tmp_path, name, 100) for name in "abcd"]
    acknowledged = [line for writer in writers for line in writer.communicate()[0].split()]
    assert len(acknowledged) == 400
    assert sorted(notes(tmp_path)) == sorted(acknowledged)
    report = verify(JsonlStore(tmp_path, notice=print))
    assert report.damage == [] and report.position == 400 and report.files > 2


def test_a_reader_sees_a_growing_ledger_whole(tmp_path):
    writer = start(tmp_path, "a", 300)
    writer.stdout.readline()
    store = JsonlStore(tmp_path, notice=print)
    lengths = []
    while writer.poll() is None:
        records = list(store.read())
        assert [record.seq for record in records] == list(range(1, len(records) + 1))
        lengths.append(len(records))
    writer.communicate()
    assert lengths == sorted(lengths) and len(list(store.read())) == 300
