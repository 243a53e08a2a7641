"""`orchestrator.sqlite`: runs, groups and published high scores as tables.

It follows the ledger from its checkpoint, rows and checkpoint in one transaction. Where the checkpoint is not a place
of this ledger, or the tables have another version, it is rebuilt beside itself and swapped in. The journal is a
rollback journal, not a WAL: a swapped-in file must never meet the WAL of the one before.

With a rollback journal, whoever reads stands in the way of a commit. So where a reader is slow, the file is not
waited for: a copy follows the ledger instead, and is swapped in. The reader keeps the file that it has.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ...ledger.storage.chain import GENESIS
from ...ledger.store import EventReader
from .following import START, Follower, State, batches, read_groups, read_runs, write_state
from .tables import INDEXES, NAME, TABLES, VERSION

__all__ = [
    "NAME",
    "VERSION",
    "ForeignDatabase",
    "ProjectionError",
    "State",
    "exclusive",
    "is_place_of",
    "open_readonly",
    "read_groups",
    "read_runs",
    "read_state",
    "rebuild",
    "refresh",
]

_BUSY_SECONDS = 30.0
"""A reader waits so long at most: for a commit, which takes milliseconds."""

_READER_SECONDS = 0.05
"""A commit waits so long for readers. Meanwhile new readers wait for it, so it must be short."""

_OPEN_ATTEMPTS = 20


class ProjectionError(Exception):
    """The projection can't be written; the ledger is untouched."""


class ForeignDatabase(ProjectionError):
    """A database of another program lies where the projection would be; it was left alone."""


def refresh(path: Path, store: EventReader) -> State:
    """Bring the projection at `path` up to the ledger's head: by catching up where it can, else by a rebuild.

    A file that turns out to be spoilt is rebuilt too: nothing is in it that the ledger does not say.

    Raises ProjectionError where the file can't be written, and LedgerDamaged.
    """
    with exclusive(path):
        state = _read_state(path)
        if state is None or not is_place_of(store, state):
            return _rebuild(path, store)
        try:
            try:
                return _catch_up(path, store, state)
            except sqlite3.OperationalError as problem:
                if _code(problem) != sqlite3.SQLITE_BUSY:
                    raise
                return _follow_in_copy(path, store)
        except sqlite3.DatabaseError as problem:
            if _code(problem) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise
            return _rebuild(path, store)


def _code(problem: sqlite3.Error) -> int:
    """SQLite's result code; errors of Python's own binding carry none."""
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF


def rebuild(path: Path, store: EventReader) -> State:
    """Build the projection at `path` anew from the ledger's first event; the same ledger gives the same bytes.

    Readers keep the old file until they open the new one. Raises as `refresh`.
    """
    with exclusive(path):
        return _rebuild(path, store)


@contextlib.contextmanager
def open_readonly(path: Path, *, patience: float = _BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """A connection that can't write and sees one state, for the length of a question.

    Open it anew for the next question: files get swapped. It waits `patience` seconds at most for whoever has locked
    the file. Raises sqlite3.DatabaseError.
    """
    connection = _open_snapshot(path, patience)
    try:
        yield connection
    finally:
        connection.close()


def _open_snapshot(path: Path, patience: float) -> sqlite3.Connection:
    for attempt in range(_OPEN_ATTEMPTS):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=patience, isolation_level=None
        )
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError as problem:
            # The file was swapped just now, and the journal that lies there is the new file's.
            connection.close()
            if attempt == _OPEN_ATTEMPTS - 1 or _code(problem) == sqlite3.SQLITE_BUSY:
                raise
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise AssertionError("every attempt returns or raises")


def read_state(connection: sqlite3.Connection) -> State | None:
    """The checkpoint of an open projection; None where the file is of another version."""
    query = "SELECT position, head_hash, at FROM projection_state WHERE name = ? AND version = ?"
    row = connection.execute(query, (NAME, VERSION)).fetchone()
    return State(*row) if row else None


def _read_state(path: Path) -> State | None:
    if not path.exists():
        return None
    try:
        # Nobody of ours is writing now, so whoever has locked the file will not be done soon.
        with open_readonly(path, patience=_READER_SECONDS) as connection:
            return read_state(connection)
    except sqlite3.DatabaseError:
        return None  # No database, one of another program, or locked by one: it will be rebuilt.


def is_place_of(store: EventReader, state: State) -> bool:
    """Whether the ledger has that event at that position."""
    if state.position == 0:
        return state.head_hash == GENESIS
    record = next(store.read(after=state.position - 1), None)
    return record is not None and record.hash == state.head_hash


def _catch_up(path: Path, store: EventReader, state: State) -> State:
    records = store.read(after=state.position)
    first = next(records, None)
    if first is None:
        return state
    with contextlib.closing(sqlite3.connect(path, timeout=_READER_SECONDS, isolation_level=None)) as connection:
        # The projection can be rebuilt, so it need not survive a power cut. Nothing is written to the file before the
        # commit: from the first page on, readers would have to wait.
        connection.executescript("PRAGMA synchronous = OFF; PRAGMA cache_spill = OFF")
        follower = Follower(connection)
        for batch in batches(itertools.chain([first], records)):
            connection.execute("BEGIN IMMEDIATE")
            state = follower.apply(batch)
            connection.execute("COMMIT")
    return state


def _follow_in_copy(path: Path, store: EventReader) -> State:
    """Bring a copy of the tables to the ledger's head, and swap it in."""
    with _beside(path) as build:
        # By SQLite itself: to open the file in any other way would let go of the locks that this process has on it.
        with open_readonly(path) as old:
            old.backup(build)
            state = read_state(old) or START
        build.execute("BEGIN")
        follower = Follower(build)
        for batch in batches(store.read(after=state.position)):
            state = follower.apply(batch)
        build.execute("COMMIT")
    return state


def _rebuild(path: Path, store: EventReader) -> State:
    _spare_foreign(path)
    with _beside(path) as build:
        build.execute("BEGIN")
        for statement in TABLES:
            build.execute(statement)
        state = START
        write_state(build, state)
        follower = Follower(build)
        for batch in batches(store.read()):
            state = follower.apply(batch)
        for statement in INDEXES:
            build.execute(statement)
        build.execute("COMMIT")
    return state


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a new file that is swapped in at the end. It is nobody else's: it needs neither locks nor a
    journal."""
    file = path.with_name(f"{path.name}.build-{os.getpid()}")
    file.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.executescript(
                # A run takes about 2 kB: on larger pages, fewer of them are read and written.
                "PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                "PRAGMA locking_mode = EXCLUSIVE"
            )
            yield connection
        with file.open("rb") as written:
            os.fsync(written.fileno())
        # A journal that a killed writer left belongs to the old file: beside the new one it would be played back.
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
        file.replace(path)
    finally:
        file.unlink(missing_ok=True)


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
def exclusive(path: Path) -> Iterator[None]:
    """One writer of that projection at a time; raises ProjectionError for a file that can't be written."""
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
