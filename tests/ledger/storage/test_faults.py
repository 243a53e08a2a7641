"""A disk that fails at any call: reports are true, nothing is half recorded, and the lock is released.

LedgerUnwritable means that the ledger is as it was, and that the next append works. OutcomeUnknown means that the
event may be there, whole, or not, and that this handle says nothing else until it is closed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import resource
import shutil
import tempfile
from pathlib import Path

import pytest

from benchmarks.ledger.errors import LedgerMoved, LedgerUnwritable, OutcomeUnknown
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage import disk, numbering, sqlite
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.sqlite import SqliteStore

SEGMENT_BYTES = 600
"""Two events, and a segment is full."""

CALLS = ("open_file", "write", "sync", "truncate", "rename", "sync_folder")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EINTR)


class Faults:
    """Counts the calls of the seam, and makes those from number `first` to `last` fail."""

    def __init__(self, monkeypatch, names):
        self.calls = []
        self.disarm()
        for name in names:
            monkeypatch.setattr(disk, name, self._faulty(name, getattr(disk, name)))

    def arm(self, first, last, code, written=0):
        """Calls are counted anew. A first call that is a write leaves some bytes before it fails."""
        self.calls.clear()
        self._first, self._last, self._code, self._written = first, last, code, written

    def disarm(self):
        self.arm(0, 0, 0)

    def _faulty(self, name, call):
        def faulty(*arguments):
            self.calls.append(name)
            number = len(self.calls)
            if not self._first <= number <= self._last:
                return call(*arguments)
            if name == "write" and number == self._first and 0 < self._written < len(arguments[1]):
                # What went through is a call of its own, and the next one fails.
                self._first, self._last = number + 1, max(self._last, number + 1)
                return call(arguments[0], arguments[1][: self._written])
            raise OSError(self._code, os.strerror(self._code))

        return faulty


@pytest.fixture
def tmp_path():
    """In memory, where there is such a folder: hundreds of ledgers are made here."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def faults(monkeypatch):
    return Faults(monkeypatch, CALLS)


def note(text, id=None):
    return NewEvent("run_1", Annotated(author="a", note=text), id)


def append(store, *events):
    events = [note(event) if isinstance(event, str) else event for event in events]
    records = store.append(lambda _: events, lambda _: None)
    store.sync()
    return records


def open_store(folder):
    return JsonlStore(folder, notice=lambda _: None, segment_bytes=SEGMENT_BYTES)


def a_new_ledger(folder):
    return open_store(folder)


def a_handle_that_has_written(folder):
    store = open_store(folder)
    append(store, "a")
    return store


def a_handle_that_comes_new(folder):
    a_handle_that_has_written(folder).close()
    return open_store(folder)


def a_full_segment(folder):
    store = open_store(folder)
    append(store, "a", "b")
    return store


def another_full_segment(folder):
    for number in range(5):
        store = open_store(folder)
        append(store, str(number), "x")
    return store


def a_torn_tail(folder):
    store = a_handle_that_has_written(folder)
    with store.files()[-1].open("ab") as file:
        file.write(b'{"seq":2,"id":"torn')
    return store


def a_torn_tail_in_a_full_segment(folder):
    store = a_full_segment(folder)
    with store.files()[-1].open("ab") as file:
        file.write(b'{"seq":3,"id":"torn')
    return store


STATES = (
    a_new_ledger,
    a_handle_that_has_written,
    a_handle_that_comes_new,
    a_full_segment,
    another_full_segment,
    a_torn_tail,
    a_torn_tail_in_a_full_segment,
)


def is_locked(path):
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def what_came_of(store, *events):
    try:
        append(store, *events)
    except (LedgerUnwritable, OutcomeUnknown) as told:
        return type(told)
    return None


def assert_true(told, store, before, appended):
    """The report is true; and the next append works, or is refused until the handle is closed."""
    now = list(store.read_lines())
    assert now[: len(before)] == before
    if told is LedgerUnwritable:
        assert now == before
    elif told is OutcomeUnknown:
        assert len(now) <= len(before) + appended
        for call in (lambda: append(store, "refused"), store.sync):
            with pytest.raises(OutcomeUnknown):
                call()
        assert list(store.read_lines()) == now
        store.close()
    else:
        assert len(now) == len(before) + appended
    assert append(store, "next")[0].seq == len(now) + 1
    report = verify(store)
    assert report.damage == [] and report.torn_bytes == 0


@pytest.mark.parametrize("make", STATES)
@pytest.mark.parametrize("is_short", [False, True], ids=["at once", "after a part of the write"])
@pytest.mark.parametrize("lasts", [False, True], ids=["one fault", "a disk that is gone"])
def test_a_fault_at_any_call_of_an_append_is_reported_rightly(tmp_path, faults, make, lasts, is_short):
    store = make(tmp_path / "counted")
    faults.disarm()
    append(store, "x", "y")
    calls = list(faults.calls)
    last_write, last_sync = (max(number for number, call in enumerate(calls) if call == name) for name in CALLS[1:3])
    parts = (1, 100, 400) if is_short else (0,)
    numbers = [number for number, call in enumerate(calls) if call == "write" or not is_short]
    for number, code, written in itertools.product(numbers, ERRORS, parts):
        folder = tmp_path / f"{number}-{code}-{written}"
        store = make(folder)
        before = list(store.read_lines())
        faults.arm(number + 1, 10**6 if lasts else number + 1, code, written)
        told = what_came_of(store, "x", "y")
        faults.disarm()
        assert not is_locked(folder / ".lock")
        if number == last_sync or (lasts and number == last_write):
            assert told is OutcomeUnknown
        elif calls[number] not in ("sync", "sync_folder"):
            assert told is LedgerUnwritable, f"call {number}, {calls[number]}"
        assert told is not None, f"call {number}, {calls[number]}: the fault was kept to itself"
        assert_true(told, store, before, appended=2)
        store.close()


def test_a_fault_while_a_known_event_is_synced_is_reported(tmp_path, faults):
    again = note("b", id="x")
    append(open_store(tmp_path), "a", again)
    faults.disarm()
    append(open_store(tmp_path), again)
    calls = list(faults.calls)
    opened = max(number for number, call in enumerate(calls) if call == "open_file")
    assert calls[opened:] == ["open_file", "sync_folder", "sync"], "its writer may have died before its sync"
    for number in range(len(calls)):
        store = open_store(tmp_path)
        before = list(store.read_lines())
        faults.arm(number + 1, number + 1, errno.EIO)
        told = what_came_of(store, again)
        faults.disarm()
        assert told is (LedgerUnwritable if number <= opened else OutcomeUnknown)
        assert_true(told, store, before, appended=0)
        store.close()


def test_a_full_disk_during_a_copy_reports_what_was_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(numbering, "_COPIED_AT_ONCE", 1)
    source = open_store(tmp_path / "source")
    append(source, "a", "b" * 100_000, "c")
    store = open_store(tmp_path / "ledger")
    with no_file_larger_than(50_000), pytest.raises(LedgerUnwritable) as told:
        store.append_lines(source.read_lines())
    there = len(list(store.read_lines()))
    assert there == 0 or "Nothing was recorded" not in str(told.value)
    store.append_lines(source.read_lines(after=there))
    assert list(store.read_lines()) == list(source.read_lines())


@pytest.mark.parametrize("make", STATES)
@pytest.mark.parametrize("size", [1, 100, 400])
def test_writes_that_write_less_than_they_should_are_gone_on_with(tmp_path, monkeypatch, make, size):
    write = disk.write
    monkeypatch.setattr(disk, "write", lambda fd, data: write(fd, data[:size]))
    store = make(tmp_path)
    before = list(store.read_lines())
    assert_true(what_came_of(store, "x", "y"), store, before, appended=2)
    for kept in tmp_path.glob("quarantine/*.part"):
        assert kept.read_bytes().endswith(b'"id":"torn')


@pytest.mark.parametrize("call", ["lock", "unlock"])
@pytest.mark.parametrize("kind", [JsonlStore, SqliteStore])
def test_a_lock_that_fails_is_reported_rightly(tmp_path, monkeypatch, kind, call):
    store = kind(tmp_path / "ledger", notice=print)
    append(store, "a")
    before = list(store.read_lines())
    with monkeypatch.context() as patched:
        Faults(patched, [call]).arm(1, 1, errno.ENOLCK)
        told = what_came_of(store, "x", "y")
    assert not is_locked(next(tmp_path.rglob("*lock")))
    assert_true(told, store, before, appended=2)


@pytest.mark.parametrize("kind", [JsonlStore, SqliteStore])
def test_an_interrupt_while_a_writer_waits_does_not_hide_that_the_ledger_was_replaced(tmp_path, monkeypatch, kind):
    store = kind(tmp_path / "here" / "ledger", notice=print)
    append(store, "a", "b")
    shutil.rmtree(tmp_path / "here")
    other = kind(tmp_path / "here" / "ledger", notice=print)
    append(other, "c")
    lock = disk.lock
    waits = iter([lock])

    def interrupted(fd):
        # It takes the lock of the old ledger, sees that it is gone, and is interrupted at the new one.
        if (wait := next(waits, None)) is None:
            raise KeyboardInterrupt
        return wait(fd)

    with monkeypatch.context() as patched:
        patched.setattr(disk, "lock", interrupted)
        with pytest.raises(KeyboardInterrupt):
            append(store, "x")
    with pytest.raises(LedgerMoved):
        append(store, "d")
    assert [record.data.note for record in other.read()] == ["c"]
    assert verify(other).damage == []


@contextlib.contextmanager
def no_file_larger_than(size):
    """As on a full disk: a write goes through in part, and what comes then fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_at_any_byte_leaves_a_jsonl_ledger_as_it_was(tmp_path):
    told_of = set()
    # Segments grow to 1300 bytes, and the manifest to more than that.
    for number, size in enumerate(range(0, 2000, 50)):
        store = open_store(tmp_path / str(number))
        with no_file_larger_than(size):
            for _ in range(6):
                before = list(store.read_lines())
                told = what_came_of(store, "x", "y")
                if told:
                    break
        assert_true(told, store, before, appended=2)
        told_of.add(told)
        store.close()
    assert told_of == {None, LedgerUnwritable}, "here a write can be taken back, so the outcome is known"


def test_a_full_database_is_reported_and_unchanged(tmp_path):
    store = SqliteStore(tmp_path / "ledger", notice=print)
    append(store, "a")
    before = list(store.read_lines())
    [(pages,)] = store._connection.execute("PRAGMA page_count").fetchall()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LedgerUnwritable, match="full"):
        append(store, "x", "y" * 100_000)
    assert list(store.read_lines()) == before
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert_true(None, store, before, appended=0)


def test_a_row_that_cannot_be_inserted_takes_those_before_it_along(tmp_path):
    store = SqliteStore(tmp_path / "ledger", notice=print)
    append(store, "a")
    before = list(store.read_lines())
    store._connection.execute(
        "CREATE TEMP TRIGGER refusal BEFORE INSERT ON main.events WHEN new.seq = 3 "
        "BEGIN SELECT RAISE(FAIL, 'no more'); END"
    )
    told = what_came_of(store, "x", "y")
    store._connection.execute("DROP TRIGGER refusal")
    assert told is LedgerUnwritable
    assert_true(told, store, before, appended=2)


@pytest.mark.parametrize("log_bytes", [0, sqlite._LOG_BYTES], ids=["with checkpoints", "without"])
def test_a_disk_that_is_full_at_any_byte_leaves_a_database_whole(tmp_path, monkeypatch, log_bytes):
    monkeypatch.setattr(sqlite, "_LOG_BYTES", log_bytes)
    told_of = set()
    for number, size in enumerate(range(0, 120_000, 2_500)):
        store = SqliteStore(tmp_path / str(number), notice=print)
        append(store, "a")
        with no_file_larger_than(size):
            for _ in range(6):
                before = list(store.read_lines())
                told = what_came_of(store, "x", "y" * 9000)
                if told:
                    break
        assert_true(told, store, before, appended=2)
        told_of.add(told)
        store.close()
    # SQLite takes this for an error of the disk, after which the state is unknown.
    assert OutcomeUnknown in told_of and told_of <= {None, OutcomeUnknown}


def test_a_full_disk_while_a_known_row_is_synced_is_reported(tmp_path):
    again = note("x" * 90_000, id="x")
    append(SqliteStore(tmp_path / "ledger", notice=print), again)
    store = SqliteStore(tmp_path / "ledger", notice=print)
    before = list(store.read_lines())
    with no_file_larger_than(20_000):
        told = what_came_of(store, again)
    assert told in (LedgerUnwritable, OutcomeUnknown)
    assert_true(told, store, before, appended=0)
