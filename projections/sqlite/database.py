"""`orchestrator.sqlite`: runs, groups and published high scores as tables.

It follows the ledger from its checkpoint, rows and checkpoint in one transaction. If the checkpoint is not a place
of this ledger, or the tables have another version, it is rebuilt beside itself and swapped in. The journal is a
rollback journal, not a WAL: a swapped-in file must never meet the WAL of the one before.

With a rollback journal, a reader blocks a commit. So the writer does not wait for a slow reader: it updates a copy and
swaps it in. The reader keeps the file that it has.

A file that another program has changed is not believed (`keeping`): it is rebuilt, and the difference is reported.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ...ledger.aside import set_aside_in
from ...ledger.events import Record
from ...ledger.storage.chain import GENESIS
from ...ledger.store import EventReader
from .following import START, Follower, SetAsideSince, State, batches, read_groups, read_runs, write_state
from .keeping import KeptFile, Notice, ProjectionError, Seal, exclusive, replacing, seal_of
from .remains import difference, put_aside
from .tables import APPLICATION, INDEXES, NAME, TABLES, VERSION

__all__ = [
    "NAME",
    "VERSION",
    "ForeignDatabase",
    "ProjectionError",
    "State",
    "is_place_of",
    "open_current",
    "open_readonly",
    "read_groups",
    "read_runs",
    "read_state",
    "rebuild",
    "refresh",
]

_BUSY_SECONDS = 30.0
"""The maximum time for which a reader waits for a commit, which takes milliseconds."""

_READER_SECONDS = 0.05
"""The time for which a commit waits for readers. Meanwhile new readers wait for it, so it must be short."""

_OPEN_ATTEMPTS = 20

_IN_PLACE = 5_000
"""Events that are applied to the file itself, in one commit. More go into a copy, so that no reader has to wait."""


class ForeignDatabase(ProjectionError):
    """A database of another program is in the place of the projection; it was left alone."""


def refresh(path: Path, store: EventReader, *, notice: Notice | None = None) -> State:
    """Bring the projection at `path` up to the ledger's head: by catching up if possible, else by a rebuild.

    A file that is damaged, or that another program has changed, is rebuilt: it holds nothing that is not in the ledger.
    `notice` gets a line about the changes. Raises ProjectionError if the file cannot be written, and LedgerDamaged.
    """
    return _refresh(path, store, notice)[0]


def _refresh(path: Path, store: EventReader, notice: Notice | None) -> tuple[State, Seal]:
    with exclusive(path, notice=notice) as file:
        state = _bring_up(file, store, notice)
        seal = file.left
        if seal is None:
            raise ProjectionError(f"{path} is being changed by another program. The ledger itself is untouched")
        return state, seal


def _bring_up(file: KeptFile, store: EventReader, notice: Notice | None) -> State:
    state = _read_state(file.path) if file.is_untouched() else None
    if state is None or not is_place_of(store, state):
        return _rebuild(file, store, notice)
    try:
        try:
            return _catch_up(file, store, state)
        except sqlite3.OperationalError as problem:
            if _code(problem) != sqlite3.SQLITE_BUSY:
                raise
            return _follow_in_copy(file, store)
    except (_Touched, SetAsideSince):
        return _rebuild(file, store, notice)
    except sqlite3.DatabaseError as problem:
        if _code(problem) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        return _rebuild(file, store, notice)


class _Touched(Exception):
    """Another program has changed the file since it was looked at."""


def _code(problem: sqlite3.Error) -> int:
    """SQLite's result code; errors of Python's own binding carry none."""
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF


def rebuild(path: Path, store: EventReader, *, notice: Notice | None = None) -> State:
    """Build the projection at `path` anew from the ledger's first event; the same ledger gives the same bytes.

    Readers keep the old file until they open the new one. `notice` and errors: as `refresh`.
    """
    with exclusive(path, notice=notice) as file:
        return _rebuild(file, store, notice)


@contextlib.contextmanager
def open_current(
    path: Path, store: EventReader, *, notice: Notice | None = None
) -> Iterator[tuple[sqlite3.Connection, Seal]]:
    """A read-only connection to the projection at the ledger's head, and the seal of the file that it reads.

    No other program has changed what it reads. Raises as `refresh`.
    """
    for _ in range(_OPEN_ATTEMPTS):
        _, seal = _refresh(path, store, notice)
        connection = open_sealed(path, seal)
        if connection is not None:
            with contextlib.closing(connection):
                yield connection, seal
            return
    raise ProjectionError(f"{path} is changed by another program all the time. The ledger itself is untouched")


def open_sealed(path: Path, seal: Seal) -> sqlite3.Connection | None:
    """A read-only connection to a file that is as its last writer left it; None if it is another one by now."""
    if seal_of(path) != seal:
        return None
    try:
        connection = _open_snapshot(path, _BUSY_SECONDS)
    except sqlite3.DatabaseError:
        if seal_of(path) == seal:
            raise
        return None
    # The connection holds SQLite's lock for readers: no program that respects it can change the file from now on.
    if seal_of(path) == seal:
        return connection
    connection.close()
    return None


@contextlib.contextmanager
def open_readonly(path: Path, *, patience: float = _BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write and sees one state, for one question.

    Open it anew for the next question: files get swapped. It waits at most `patience` seconds for the
    program that has locked the file. Raises sqlite3.DatabaseError.
    """
    connection = _open_snapshot(path, patience)
    try:
        yield connection
    finally:
        connection.close()


def _refuse_special(path: Path) -> None:
    """SQLite would wait for a named pipe in place of a journal, for ever. Raises sqlite3.OperationalError."""
    for ending in ("-journal", "-wal", "-shm"):
        beside = path.with_name(f"{path.name}{ending}")
        if os.path.lexists(beside) and seal_of(beside) is None and os.path.lexists(beside):
            raise sqlite3.OperationalError(f"{beside.name} is not a regular file")


def _open_snapshot(path: Path, patience: float) -> sqlite3.Connection:
    _refuse_special(path)
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
    """The checkpoint of an open projection; None if the file is of another version."""
    query = "SELECT position, head_hash, at FROM projection_state WHERE name = ? AND version = ?"
    row = connection.execute(query, (NAME, VERSION)).fetchone()
    return State(*row) if row else None


def _read_state(path: Path) -> State | None:
    if not path.exists():
        return None
    try:
        # This process is the only writer of ours, so another program has locked the file: it may take long.
        with open_readonly(path, patience=_READER_SECONDS) as connection:
            return read_state(connection)
    except sqlite3.DatabaseError:
        return None  # Not a database, one of another program, or locked by one: it is rebuilt.


def is_place_of(store: EventReader, state: State) -> bool:
    """Whether the ledger has that event at that position."""
    if state.position == 0:
        return state.head_hash == GENESIS
    record = next(store.read(after=state.position - 1), None)
    return record is not None and record.hash == state.head_hash


def _catch_up(file: KeptFile, store: EventReader, state: State) -> State:
    records = store.read(after=state.position)
    some = list(itertools.islice(records, _IN_PLACE + 1))
    if not some:
        return state
    if len(some) > _IN_PLACE:
        return _follow_in_copy(file, store)
    with contextlib.closing(sqlite3.connect(file.path, timeout=_READER_SECONDS, isolation_level=None)) as connection:
        # The projection can be rebuilt, so it need not survive a power cut. Nothing is written to the file before the
        # commit: from the first page on, readers would have to wait. The lock is held until the file is sealed.
        connection.executescript("PRAGMA synchronous = OFF; PRAGMA cache_spill = OFF; PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN IMMEDIATE")
        if not file.is_untouched():
            raise _Touched
        follower = Follower(connection)
        state = _apply(follower, some, state)
        follower.settle()
        left = file.left
        file.begin()
        try:
            connection.execute("COMMIT")
        except sqlite3.OperationalError as problem:
            if left is not None and _code(problem) == sqlite3.SQLITE_BUSY and seal_of(file.path) == left:
                file.seal()  # A reader blocks the commit; the file is as it was.
            raise
        file.seal()
    return state


def _apply(follower: Follower, records: Iterator[Record] | list[Record], state: State) -> State:
    for batch in batches(records):
        state = follower.apply(batch)
    return state


def _follow_in_copy(file: KeptFile, store: EventReader) -> State:
    """Bring a copy of the tables to the ledger's head, and swap it in."""
    with _beside(file) as build:
        # By SQLite itself: opening the file in another way would release the locks that this process has on it.
        with open_readonly(file.path) as old:
            if not file.is_untouched():
                raise _Touched
            old.backup(build)
            state = read_state(old) or START
        build.execute("BEGIN")
        follower = Follower(build)
        state = _apply(follower, store.read(after=state.position), state)
        follower.settle()
        build.execute("COMMIT")
    return state


def _rebuild(file: KeptFile, store: EventReader, notice: Notice | None) -> State:
    while True:
        # Again, if events were set aside while the tables were filled.
        with contextlib.suppress(SetAsideSince):
            return _build(file, store, notice)


def _build(file: KeptFile, store: EventReader, notice: Notice | None) -> State:
    is_known = file.left is not None
    _spare_foreign(file.path, is_known=is_known)
    with _beside(file) as build:
        build.execute("BEGIN")
        for statement in TABLES:
            build.execute(statement)
        write_state(build, START)
        follower = Follower(build, set_aside_in(store))
        state = _apply(follower, store.read(), START)
        for statement in INDEXES:
            build.execute(statement)
        follower.settle()
        build.execute("COMMIT")
        if not file.is_untouched():
            _report(file.path, build, notice, is_known=is_known)
    return state


def _report(path: Path, built: sqlite3.Connection, notice: Notice | None, *, is_known: bool) -> None:
    """Report how a file that another program has changed differs, and keep it if it has runs that the ledger lacks.

    Before a first build, a file in that place is reported only if it is kept under another name.
    """
    if not os.path.lexists(path):
        return
    if seal_of(path) is None:
        found, kept = "it is not a regular file", f". What was there is kept as {put_aside(path).name}"
    else:
        differs = difference(path, built)
        found, kept = ", ".join(differs.differences), ""
        if differs.strangers:
            aside = put_aside(path)
            runs = (
                "run that the ledger does not have" if differs.strangers == 1 else "runs that the ledger does not have"
            )
            found = ", ".join([*differs.differences, f"{differs.strangers} {runs}"])
            kept = f"\nhint: that file is kept; add its runs: benchmarks ledger import-sqlite {aside}"
    if notice is not None and found and (is_known or kept):
        notice(f"{path.name} was changed by another program ({found}): it is built anew from the ledger{kept}")


@contextlib.contextmanager
def _beside(file: KeptFile) -> Iterator[sqlite3.Connection]:
    """A connection to a new file that is swapped in at the end.

    No other process uses it, so it needs neither locks nor a journal.
    """
    with replacing(file) as build:
        with contextlib.closing(sqlite3.connect(build, isolation_level=None)) as connection:
            connection.executescript(
                # A run takes about 2 kB: on larger pages, fewer of them are read and written.
                "PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                f"PRAGMA locking_mode = EXCLUSIVE; PRAGMA application_id = {APPLICATION}"
            )
            yield connection
        # A journal that a killed writer left belongs to the old file: beside the new one it would be played back.
        for ending in ("-journal", "-wal", "-shm"):
            file.remove(file.path.with_name(f"{file.path.name}{ending}"))


def _spare_foreign(path: Path, *, is_known: bool) -> None:
    """Raises ForeignDatabase for a database that another program made.

    `is_known`: this program has written the file before, so if it cannot be read, it is damaged.
    """
    log = path.with_name(f"{path.name}-wal")
    present, written_ahead = seal_of(path), seal_of(log)
    if (present is None or not present.size) and written_ahead is None:
        return
    # Immutable: whatever journal lies beside it is left as it is. This program never makes a write-ahead log.
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
    except UnicodeDecodeError as problem:  # Of a damaged file, which SQLite's own message quotes.
        if is_known:
            return
        raise ForeignDatabase(f"{path} cannot be read ({problem}), and is not overwritten") from problem
    except sqlite3.DatabaseError as problem:
        if is_known or _code(problem) == sqlite3.SQLITE_NOTADB:
            return  # Damaged beyond reading, or not a database.
        raise ForeignDatabase(f"{path} cannot be read ({problem}), and is not overwritten") from problem
    is_ours = not tables or "projection_state" in tables or mark == APPLICATION
    if not is_ours or (written_ahead is not None and written_ahead.size):
        raise ForeignDatabase(f"{path} is the database of another program, and is not overwritten")
