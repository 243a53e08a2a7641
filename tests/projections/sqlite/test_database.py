"""orchestrator.sqlite: however it came to a position, it says the same; and it can always be made anew."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.history import History
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.sqlite import database, following
from benchmarks.projections.sqlite.database import (
    ProjectionError,
    open_readonly,
    read_groups,
    read_runs,
    rebuild,
    refresh,
)
from benchmarks.projections.sqlite.tables import version_of


def dump(path):
    with open_readonly(path) as connection:
        return list(connection.iterdump())


@pytest.mark.slow
@settings(max_examples=settings.default.max_examples // 2)  # Each takes long.
@given(data=st.data())
def test_following_in_pieces_and_building_at_once_give_the_same_tables_as_the_fold(histories, data):
    events = data.draw(histories.events())
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=4)))
    with TemporaryDirectory() as folder:
        store = JsonlStore(Path(folder) / "ledger", notice=print)
        followed, built = Path(folder) / "followed.sqlite", Path(folder) / "built.sqlite"
        for begin, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
            histories.append_anyway(store, events[begin:end])
            refresh(followed, store)
        rebuild(built, store)
        assert dump(followed) == dump(built)
        history = History().read(store.read())
        with open_readonly(followed) as connection:
            assert list(read_runs(connection)) == list(history.runs.values())
            assert list(read_groups(connection)) == list(history.groups.values())
            problems = [tuple(row) for row in connection.execute("SELECT seq, problem FROM ledger_problems")]
        assert problems == [(problem.seq, problem.text) for problem in history.problems]
        store.close()


@pytest.fixture
def filled(store, histories):
    for number in range(5):
        histories.append_anyway(store, [_event(histories, number)])
    return store


def _event(histories, number):
    from benchmarks.ledger.events import NewEvent

    return NewEvent(f"run_{number}", histories.started(f"s{number}"))


def test_the_same_ledger_gives_the_same_bytes(filled, tmp_path):
    one, two = tmp_path / "one.sqlite", tmp_path / "two.sqlite"
    assert rebuild(one, filled) == rebuild(two, filled)
    assert one.read_bytes() == two.read_bytes()
    rebuild(one, filled)
    assert one.read_bytes() == two.read_bytes()


def test_a_file_of_another_ledger_or_version_or_program_is_built_anew(filled, tmp_path, histories, monkeypatch):
    path, expected = tmp_path / "db.sqlite", tmp_path / "expected.sqlite"
    rebuild(expected, filled)
    other = JsonlStore(tmp_path / "other", notice=print)
    for number in range(9):
        histories.append_anyway(other, [_event(histories, number + 100)])
    rebuild(path, other)
    refresh(path, filled)
    assert path.read_bytes() == expected.read_bytes()
    for rubbish in (b"", b"no database at all" * 100):
        path.write_bytes(rubbish)
        refresh(path, filled)
        assert path.read_bytes() == expected.read_bytes()
    for module in (database, following):
        monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    assert refresh(path, filled).position == 5
    with open_readonly(path) as connection:
        assert connection.execute("SELECT version FROM projection_state").fetchone()[0] == database.VERSION


def test_catching_up_reads_only_what_is_new(filled, tmp_path, histories):
    path = tmp_path / "db.sqlite"
    refresh(path, filled)
    asked = []

    class Watched:
        def read(self, after=0):
            asked.append(after)
            return filled.read(after)

    histories.append_anyway(filled, [_event(histories, 9)])
    assert refresh(path, Watched()).position == 6
    assert min(asked) == 4, "the checkpoint's own record, to see that it is a place of this ledger"


def test_a_reader_sees_a_whole_state_while_others_write(filled, tmp_path, histories):
    path = tmp_path / "db.sqlite"
    refresh(path, filled)
    end = threading.Event()
    problems = []

    def read():
        while not end.is_set():
            try:
                with open_readonly(path) as connection:
                    [position] = connection.execute("SELECT position FROM projection_state").fetchone()
                    [runs] = connection.execute("SELECT count(*) FROM benchmark_runs").fetchone()
                    assert runs == position
            except BaseException as problem:  # noqa: BLE001 - told by the test's own thread
                problems.append(problem)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(10, 60):
        histories.append_anyway(filled, [_event(histories, number)])
        (rebuild if number % 7 == 0 else refresh)(path, filled)
    end.set()
    for reader in readers:
        reader.join()
    assert problems == []


def test_a_place_that_cannot_be_written_is_named_and_the_ledger_is_untouched(filled, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectionError, match="ledger itself is untouched"):
        refresh(tmp_path / "file" / "db.sqlite", filled)


def test_a_killed_writers_journal_does_not_spoil_a_file_built_anew(filled, tmp_path):
    path = tmp_path / "db.sqlite"
    rebuild(path, filled)
    expected = path.read_bytes()
    path.with_name("db.sqlite-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 504)
    rebuild(path, filled)
    assert path.read_bytes() == expected
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_is_spoilt_in_its_middle_is_built_anew_when_that_shows(store, histories, tmp_path):
    from benchmarks.ledger.events import Annotated, NewEvent

    histories.append_anyway(store, [_event(histories, number) for number in range(1_000)])
    path, expected = tmp_path / "db.sqlite", tmp_path / "expected.sqlite"
    refresh(path, store)
    pages = bytearray(path.read_bytes())
    size = int.from_bytes(pages[16:18])
    assert len(pages) > 30 * size
    for start in range(len(pages) // size // 2 * size, len(pages) - size, size):
        pages[start : start + 100] = b"\xff" * 100
    path.write_bytes(pages)
    with open_readonly(path) as connection:
        assert database.read_state(connection).position == 1_000, "its checkpoint can still be read"
    remarks = [NewEvent(f"run_{number}", Annotated(author="a", note="n")) for number in range(1_000)]
    histories.append_anyway(store, remarks)
    assert refresh(path, store).position == 2_000
    rebuild(expected, store)
    assert path.read_bytes() == expected.read_bytes()


def test_a_ledger_that_was_put_back_to_an_older_copy_is_followed_from_its_start(store, histories, tmp_path):
    path = tmp_path / "db.sqlite"
    for number in range(5):
        histories.append_anyway(store, [_event(histories, number)])
    [segment] = store.folder.glob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    assert refresh(path, store).position == 5
    store.close()
    segment.write_bytes(b"".join(lines[:3]))
    assert refresh(path, store).position == 3
    with open_readonly(path) as connection:
        assert len(list(read_runs(connection))) == 3


def test_catching_up_in_many_batches_is_the_same_as_in_one(filled, tmp_path, histories, monkeypatch):
    one, many = tmp_path / "one.sqlite", tmp_path / "many.sqlite"
    refresh(many, JsonlStore(tmp_path / "empty", notice=print))
    monkeypatch.setattr(following, "BATCH", 2)
    assert refresh(many, filled) == rebuild(one, filled)
    assert dump(many) == dump(one)


def test_tables_that_have_changed_are_another_version():
    versions = {version_of("CREATE TABLE a (b)", 1), version_of("CREATE TABLE a (b, c)", 1), version_of("", 1)}
    assert len(versions | {version_of("CREATE TABLE a (b)", 2)}) == 4


def test_a_file_with_the_tables_of_another_version_is_built_anew(store, histories, tmp_path):
    """Such as one without a column that was added since."""
    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    path = tmp_path / "orchestrator.sqlite"
    refresh(path, store)
    expected = path.read_bytes()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE benchmark_runs DROP COLUMN notes_json")
        connection.execute("UPDATE projection_state SET version = ?", (version_of("the tables of then", 2),))
    refresh(path, store)
    assert path.read_bytes() == expected
