"""`orchestrator.sqlite`: runs, groups and published high scores as tables.

It follows the ledger from its checkpoint, rows and checkpoint in one transaction. Where the checkpoint is not a place
of this ledger, or the tables have another version, it is rebuilt beside itself and swapped in. The journal is a
rollback journal, not a WAL: a swapped-in file must never meet the WAL of the one before.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from ..ledger.chain import GENESIS
from ..ledger.events import HighScorePublished
from ..ledger.fold import Group, Run
from ..ledger.history import History
from ..ledger.store import EventReader
from .rows import (
    GROUP_COLUMNS,
    RUN_COLUMNS,
    TOKEN_COLUMNS,
    Column,
    group_values,
    load_group,
    load_run,
    run_values,
)

_MEANING = 2
"""Raised where the same columns come to say something else."""

NAME = "orchestrator"
BATCH = 5_000
"""Events folded in one transaction while catching up: bounds memory."""

_BUSY_SECONDS = 30.0
_OPEN_ATTEMPTS = 20


class ProjectionError(Exception):
    """The projection can't be written; the ledger is untouched."""


class ForeignDatabase(ProjectionError):
    """A database of another program lies where the projection would be; it was left alone."""


class State(msgspec.Struct, frozen=True):
    """How far the projection has followed the ledger, and the time of the last event it knows."""

    position: int
    head_hash: str
    at: str


def _table(name: str, columns: tuple[Column, ...], key: str, more: str = "") -> str:
    lines = [f"{column.name} {column.kind}" + (" PRIMARY KEY" if column.name == key else "") for column in columns]
    return f"CREATE TABLE {name} (\n  " + ",\n  ".join(lines) + more + "\n);\n"


_SCHEMA = (
    _table("run_groups", GROUP_COLUMNS, "run_group_id")
    + _table("benchmark_runs", RUN_COLUMNS, "run_id", "".join(f",\n  {name} INTEGER" for name in TOKEN_COLUMNS))
    + """
CREATE TABLE high_scores (
  seq INTEGER PRIMARY KEY, benchmark_id TEXT, label TEXT, value REAL, unit TEXT, higher_is_better INTEGER,
  source TEXT, date TEXT, author TEXT, published_at TEXT
);
CREATE TABLE ledger_problems (seq INTEGER PRIMARY KEY, problem TEXT);
CREATE TABLE projection_state (name TEXT PRIMARY KEY, version INTEGER, position INTEGER, head_hash TEXT, at TEXT);
CREATE INDEX runs_by_start ON benchmark_runs (started_at);
CREATE INDEX runs_by_benchmark ON benchmark_runs (benchmark_id, started_at);
CREATE INDEX runs_by_status ON benchmark_runs (status);
CREATE INDEX runs_by_signature ON benchmark_runs (signature);
CREATE INDEX runs_by_group ON benchmark_runs (run_group_id);
"""
)


def version_of(schema: str, meaning: int) -> int:
    """A number that is another one for other tables, so that no change of them can be forgotten."""
    return int.from_bytes(sha256(f"{meaning}\n{schema}".encode()).digest()[:4])


VERSION = version_of(_SCHEMA, _MEANING)
"""An orchestrator.sqlite of another version is rebuilt."""


def _insert(table: str, names: list[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608


def _upsert(table: str, names: list[str], key: str) -> str:
    # Not INSERT OR REPLACE: that gives a row a new rowid, and with it another place in a listing.
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != key)
    return f"{_insert(table, names)} ON CONFLICT ({key}) DO UPDATE SET {changes}"


_PUT_RUN = _upsert("benchmark_runs", [*(column.name for column in RUN_COLUMNS), *TOKEN_COLUMNS], "run_id")
_PUT_GROUP = _upsert("run_groups", [column.name for column in GROUP_COLUMNS], "run_group_id")
_RUN_NAMES = ", ".join(column.name for column in RUN_COLUMNS)
_GROUP_NAMES = ", ".join(column.name for column in GROUP_COLUMNS)


def refresh(path: Path, store: EventReader) -> State:
    """Bring the projection at `path` up to the ledger's head: by catching up where it can, else by a rebuild.

    A file that turns out to be spoilt is rebuilt too: nothing is in it that the ledger does not say.

    Raises ProjectionError where the file can't be written, and LedgerDamaged.
    """
    with _exclusive(path):
        state = _read_state(path)
        if state is None or not _is_place_of(store, state):
            return _rebuild(path, store)
        try:
            return _catch_up(path, store, state)
        except sqlite3.DatabaseError as problem:
            # Errors of Python's own binding carry no code.
            if getattr(problem, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise
            return _rebuild(path, store)


def rebuild(path: Path, store: EventReader) -> State:
    """Build the projection at `path` anew from the ledger's first event; the same ledger gives the same bytes.

    Readers keep the old file until they open the new one. Raises as `refresh`.
    """
    with _exclusive(path):
        return _rebuild(path, store)


@contextlib.contextmanager
def open_readonly(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can't write and sees one state, for the length of a question.

    Open it anew for the next question: files get swapped. Raises sqlite3.DatabaseError.
    """
    connection = _open_snapshot(path)
    try:
        yield connection
    finally:
        connection.close()


def _open_snapshot(path: Path) -> sqlite3.Connection:
    for attempt in range(_OPEN_ATTEMPTS):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
        )
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError:
            # The file was swapped just now, and the journal that lies there is the new file's.
            connection.close()
            if attempt == _OPEN_ATTEMPTS - 1:
                raise
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise AssertionError("every attempt returns or raises")


def read_runs(connection: sqlite3.Connection, where: str = "", values: tuple[object, ...] = ()) -> Iterator[Run]:
    """The runs in the order of their start; `where` is SQL from WHERE on, with `?` for `values`."""
    order = "" if "ORDER BY" in where else " ORDER BY rowid"
    return map(load_run, connection.execute(f"SELECT {_RUN_NAMES} FROM benchmark_runs {where}{order}", values))  # noqa: S608


def read_groups(connection: sqlite3.Connection, where: str = "", values: tuple[object, ...] = ()) -> Iterator[Group]:
    """The groups in the order in which they were opened; `where` as in `read_runs`."""
    order = "" if "ORDER BY" in where else " ORDER BY rowid"
    return map(load_group, connection.execute(f"SELECT {_GROUP_NAMES} FROM run_groups {where}{order}", values))  # noqa: S608


def read_state(connection: sqlite3.Connection) -> State | None:
    """The checkpoint of an open projection; None where the file is of another version."""
    query = "SELECT position, head_hash, at FROM projection_state WHERE name = ? AND version = ?"
    row = connection.execute(query, (NAME, VERSION)).fetchone()
    return State(*row) if row else None


def _read_state(path: Path) -> State | None:
    if not path.exists():
        return None
    try:
        with open_readonly(path) as connection:
            return read_state(connection)
    except sqlite3.DatabaseError:
        return None  # No database, or one of another program: it will be rebuilt.


def _is_place_of(store: EventReader, state: State) -> bool:
    if state.position == 0:
        return state.head_hash == GENESIS
    record = next(store.read(after=state.position - 1), None)
    return record is not None and record.hash == state.head_hash


def _catch_up(path: Path, store: EventReader, state: State) -> State:
    records = store.read(after=state.position)
    with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        # The projection can be rebuilt, so it need not survive a power cut.
        connection.execute("PRAGMA synchronous = OFF")
        while batch := list(itertools.islice(records, BATCH)):
            connection.execute("BEGIN IMMEDIATE")
            history = _load(connection, list(dict.fromkeys(record.stream for record in batch)))
            state = _store(connection, history.read(batch), {record.stream for record in batch})
            connection.executemany(
                "INSERT INTO high_scores VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (record.seq, record.stream, *_published(record.data), record.at)
                    for record in batch
                    if isinstance(record.data, HighScorePublished)
                ],
            )
            connection.execute("COMMIT")
    return state


def _published(event: HighScorePublished) -> tuple[object, ...]:
    return (event.label, event.value, event.unit, event.higher_is_better, event.source, event.date, event.author)


def _load(connection: sqlite3.Connection, streams: list[str]) -> History:
    """The history of those streams alone, as the projection knows it."""
    history = History()
    for first in range(0, len(streams), 500):
        some = tuple(streams[first : first + 500])
        marks = ", ".join("?" * len(some))
        for run in read_runs(connection, f"WHERE run_id IN ({marks})", some):
            history.runs[run.run_id] = run
        for group in read_groups(connection, f"WHERE run_group_id IN ({marks})", some):
            history.groups[group.run_group_id] = group
    return history


def _store(connection: sqlite3.Connection, history: History, streams: set[str]) -> State:
    runs = (run_values(run) for run in history.runs.values() if run.run_id in streams)
    groups = (group_values(group) for group in history.groups.values() if group.run_group_id in streams)
    connection.executemany(_PUT_GROUP, groups)
    connection.executemany(_PUT_RUN, runs)
    connection.executemany(
        "INSERT INTO ledger_problems VALUES (?, ?)", [(problem.seq, problem.text) for problem in history.problems]
    )
    state = State(history.seq, history.hash or GENESIS, history.at)
    connection.execute(
        "INSERT OR REPLACE INTO projection_state VALUES (?, ?, ?, ?, ?)",
        (NAME, VERSION, *msgspec.structs.astuple(state)),
    )
    return state


def _rebuild(path: Path, store: EventReader) -> State:
    build = path.with_name(f"{path.name}.build-{os.getpid()}")
    build.unlink(missing_ok=True)
    _spare_foreign(path)
    published: list[tuple[object, ...]] = []
    history = History()
    for record in store.read():
        history.read([record])
        if isinstance(record.data, HighScorePublished):
            published.append((record.seq, record.stream, *_published(record.data), record.at))
    try:
        with contextlib.closing(sqlite3.connect(build, isolation_level=None)) as connection:
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + _SCHEMA)
            state = _store(connection, history, {*history.runs, *history.groups})
            connection.executemany("INSERT INTO high_scores VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", published)
            connection.execute("COMMIT")
        with build.open("rb") as file:
            os.fsync(file.fileno())
        # A journal that a killed writer left belongs to the old file: beside the new one it would be played back.
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
        build.replace(path)
    finally:
        build.unlink(missing_ok=True)
    return state


def _spare_foreign(path: Path) -> None:
    """Raises ForeignDatabase where the file holds somebody's tables and was not made by this program."""
    log = path.with_name(f"{path.name}-wal")
    if not (path.exists() and path.stat().st_size) and not log.exists():
        return
    # Immutable: whatever journal lies beside it is left as it is. A write-ahead log is never ours.
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    except sqlite3.DatabaseError:
        return  # Damaged beyond reading.
    if (tables and "projection_state" not in tables) or (log.exists() and log.stat().st_size):
        raise ForeignDatabase(f"{path} is the database of another program, and is not overwritten")


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """One writer of the projection at a time; raises ProjectionError for a file that can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as problem:
        raise ProjectionError(f"cannot write {path}: {problem.strerror}. The ledger itself is untouched") from problem
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    except (sqlite3.OperationalError, OSError) as problem:
        raise ProjectionError(f"cannot write {path}: {problem}. The ledger itself is untouched") from problem
    finally:
        os.close(lock)
