"""Every store keeps the contract, and the contract notices a store that does not."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.ledger.storage import disk
from benchmarks.ledger.storage.contract import EventStoreContract
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.sqlite import SqliteStore


class _InAFolder(EventStoreContract):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class TestJsonl(_InAFolder, unittest.TestCase):
    def open_store(self):
        return JsonlStore(self.folder / "ledger", notice=print)


class TestJsonlInSmallSegments(_InAFolder, unittest.TestCase):
    def open_store(self):
        return JsonlStore(self.folder / "ledger", notice=print, segment_bytes=700)


class TestSqlite(_InAFolder, unittest.TestCase):
    def open_store(self):
        return SqliteStore(self.folder / "ledger.sqlite", notice=print)


class ForgetsIds(JsonlStore):
    def append(self, decide, accept):
        return super().append(lambda fresh: [replace(new, id=None) for new in decide(fresh)], accept)


class ExpectsNothing(JsonlStore):
    def append(self, decide, accept):
        return super().append(lambda fresh: [replace(new, expected_version=None) for new in decide(fresh)], accept)


class DecidesOnNothing(JsonlStore):
    def append(self, decide, accept):
        return super().append(lambda _: decide(iter(())), accept)


class ReadsEverything(JsonlStore):
    def read(self, after=0, *, stream=None, types=None, details=True):
        return super().read(after, details=details)


class StandsStill(JsonlStore):
    def revision(self):
        return 1


class TakesAnything(JsonlStore):
    def append_lines(self, lines):
        lines = list(lines)
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "00000000000000000001.jsonl").open("ab") as file:
            file.writelines(line + b"\n" for line in lines)
        return len(lines)


class LocksNobodyOut(JsonlStore):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        acquire = self._lock.acquire

        def acquire_for_nothing(*arguments, **options):
            is_new = acquire(*arguments, **options)
            disk.unlock(self._lock._fd)
            return is_new

        self._lock.acquire = acquire_for_nothing


FAULTY = {
    ForgetsIds: {"test_an_id_is_recorded_once", "test_an_id_with_other_content_is_a_conflict"},
    ExpectsNothing: {"test_an_expected_version_must_be_the_one_that_is_there"},
    DecidesOnNothing: {"test_two_handles_see_each_other"},
    ReadsEverything: {"test_reading_can_be_narrowed_to_a_stream_and_to_types"},
    StandsStill: {"test_the_revision_changes_with_every_append_and_only_then"},
    TakesAnything: {"test_a_copy_is_continued_line_by_line"},
    LocksNobodyOut: {"test_processes_make_one_chain"},
}


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda store: store.__name__)
def test_a_store_that_breaks_a_promise_is_caught(faulty):
    class Case(_InAFolder, unittest.TestCase):
        def open_store(self):
            return faulty(self.folder / "ledger", notice=print)

    caught: set[str] = set()
    # Processes without a lock do not always meet, so they try several times.
    for _ in range(10):
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
        caught |= {case.id().rpartition(".")[2] for case, _ in (*result.failures, *result.errors)}
        if FAULTY[faulty] <= caught:
            return
    raise AssertionError(f"not caught: {FAULTY[faulty] - caught}")


def test_the_example_of_the_documentation_runs(tmp_path):
    import re
    import subprocess
    import sys

    page = (Path(__file__).parents[3] / "docs" / "ledger.md").read_text()
    _, example = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "test_mine.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "test_mine"], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0 and "OK" in done.stderr, done.stderr


def test_a_database_with_an_unreadable_log_is_not_taken_for_an_older_one(tmp_path, monkeypatch):
    """Such as a copy of the file and its log in a folder that can't be written."""
    import sqlite3

    from benchmarks.ledger.errors import UnsupportedLedger
    from benchmarks.ledger.events import Annotated, NewEvent
    from benchmarks.ledger.storage import rows

    store = SqliteStore(tmp_path / "ledger.sqlite", notice=print)
    store.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="n"))], lambda _: None)
    assert (tmp_path / "ledger.sqlite-wal").stat().st_size
    connect = rows._connect

    def refuse(uri):
        if "immutable" not in uri:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(uri)

    monkeypatch.setattr(rows, "_connect", refuse)
    with pytest.raises(UnsupportedLedger, match=r"newest events are in ledger\.sqlite-wal"):
        list(store.read())
    store.close()
    assert not (tmp_path / "ledger.sqlite-wal").exists()
    assert len(list(store.read())) == 1, "without a log, the file is all there is"
