"""The table of events in a SQLite file: opening it for reading, and the content of its rows."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import UnsupportedLedger
from ..events import Record
from ..store import EVERYTHING, Filter
from . import codec
from .chain import BadLine
from .regular import refuse_special

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, type TEXT NOT NULL, stream TEXT NOT NULL,
  version INTEGER NOT NULL, line BLOB NOT NULL, UNIQUE (stream, version)
) STRICT
"""
INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"
_ROWS_AT_ONCE = 500
BUSY_SECONDS = 30.0
"""Maximum time that SQLite waits for another program that has locked the file itself."""

BESIDE = ("-wal", "-shm", "-journal")
"""The endings of the files that SQLite keeps beside a database."""


def open_readonly(path: Path) -> sqlite3.Connection:
    """A connection that can't write. Raises UnsupportedLedger for a file that can't be read from here."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        return _connect(uri)
    except sqlite3.OperationalError as problem:
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise UnsupportedLedger(
                f"{path} cannot be read here: {problem}. Its newest events are in {log.name}, which needs a "
                f"writable folder.\nhint: copy all of its files to a folder of yours"
            ) from problem
    try:
        # The log is missing or empty, so the file holds all events.
        return _connect(f"{uri}&immutable=1")
    except sqlite3.OperationalError as problem:
        raise UnsupportedLedger(f"{path} cannot be read: {problem}") from problem


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError:
        pass  # The file is damaged; the next read reports it.
    return connection


def holds_events(path: Path) -> bool:
    """Whether the file is a ledger; it is not one yet if the process that made it was killed.

    Raises UnsupportedLedger for another program's database, and SpecialFile.
    """
    for ending in ("", *BESIDE):
        refuse_special(path.with_name(path.name + ending))
    if not path.exists() or path.stat().st_size == 0:
        return False
    with contextlib.closing(open_readonly(path)) as connection:
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        except sqlite3.DatabaseError:
            return True  # The file may be damaged; the next read reports it.
    if tables and "events" not in tables:
        raise UnsupportedLedger(f"{path} is the database of another program and not a ledger.\nhint: give another file")
    return bool(tables)


def lines_after(connection: sqlite3.Connection, after: int, wanted: Filter = EVERYTHING) -> Iterator[list[bytes]]:
    """The lines after a position, in pieces. Each is read in a short transaction, so that the log can shrink."""
    conditions = ["seq > ?"]
    values: list[object] = []
    if wanted.stream is not None:
        conditions.append("stream = ?")
        values.append(wanted.stream)
    if wanted.types is not None:
        conditions.append(f"type IN ({', '.join('?' * len(wanted.types))})")
        values += wanted.types
    query = f"SELECT seq, line FROM events WHERE {' AND '.join(conditions)} ORDER BY seq LIMIT {_ROWS_AT_ONCE}"  # noqa: S608
    while rows := connection.execute(query, (after, *values)).fetchall():
        yield [line for _, line in rows]
        after = rows[-1][0]


def values_of(record: Record, line: bytes) -> tuple[object, ...]:
    """The values of a record's row."""
    return (record.seq, record.id, record.at, record.type, record.stream, record.version, line)


def find_record(connection: sqlite3.Connection, id: str) -> Record | None:
    """The record with that id."""
    row = connection.execute("SELECT line FROM events WHERE id = ?", (id,)).fetchone()
    return codec.read(row[0]) if row else None


def last_seq(connection: sqlite3.Connection) -> int:
    """The position of the last row; 0 if there is none."""
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def unlike_its_line(row: tuple[Any, ...]) -> str | None:
    """A fault if the columns of a row differ from its line, else None."""
    try:
        envelope = codec.read_envelope(bytes(row[-1]))
    except BadLine:
        return None  # The chain reports it.
    stored = (envelope.seq, envelope.id, envelope.at, envelope.type, envelope.stream, envelope.version)
    return None if stored == row[:-1] else "its columns differ from its line"


def roll_back(connection: sqlite3.Connection) -> None:
    """Roll back a failed transaction."""
    with contextlib.suppress(sqlite3.DatabaseError):
        connection.execute("ROLLBACK")


def code_of(problem: sqlite3.Error) -> int:
    """The primary error code; 0 for errors of Python's own binding."""
    return int(getattr(problem, "sqlite_errorcode", 0)) & 0xFF
