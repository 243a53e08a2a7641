"""A store in one SQLite file: the same lines, a row each, with columns to look them up by.

Commits and checkpoints happen under a lock of our own beside the file: SQLite before 3.51.3 can lose or corrupt with
several connections (its WAL-reset race needs a checkpoint beside a commit), and its busy wait starves writers.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import LedgerBusy, LedgerDamaged, LedgerMoved, LedgerUnwritable, OutcomeUnknown, UnsupportedLedger
from ..events import Record
from ..holders import describe_holders
from ..identity import utc_now
from ..store import BEGINNING, Accept, Decide, Finding, Notice, VersionOf, exhaust
from ..waiting import usual_patience
from . import codec, disk
from .chain import BadLine, BrokenChain, Head, follow, is_event
from .locking import LedgerLock, place_of_file
from .numbering import Numbering
from .regular import refuse_special

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, type TEXT NOT NULL, stream TEXT NOT NULL,
  version INTEGER NOT NULL, line BLOB NOT NULL, UNIQUE (stream, version)
) STRICT
"""
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"
_ROWS_AT_ONCE = 500
_LOG_BYTES = 4 * 1024 * 1024
"""A write-ahead log of this size is moved into the file."""
_BUSY_SECONDS = 30.0
_SAFE_SINCE = (3, 51, 3)
_SPOILT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BESIDE = ("-wal", "-shm", "-journal")

_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process, which a forked child must neither use nor close."""


class SqliteStore:
    """Keeps records in the file `path`, which is made on the first append."""

    def __init__(self, path: Path, *, notice: Notice) -> None:
        self.path = path
        self.url = f"sqlite://{path}"
        self._notice = notice
        self._lock = LedgerLock(path.with_name(f"{path.name}.lock"), notice=notice, progress=self._size)
        self._known = Head()
        self._identity = (0, 0)
        self._place: Path | None = None
        self._patience = _BUSY_SECONDS
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._dead: OutcomeUnknown | None = None
        self._numbering = Numbering()
        self._start: tuple[Head, VersionOf] | None = None

    def read(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        types: Collection[str] | None = None,
        details: bool = True,
    ) -> Iterator[Record]:
        """The records after position `after`; see `EventReader.read`."""
        for lines in self._pieces(after, stream, types):
            for line in lines:
                try:
                    yield codec.read(line)
                except BadLine as problem:
                    raise self._damaged(after, f"in or after this row: {problem}") from problem

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The lines after position `after`, unchanged from the rows."""
        for lines in self._pieces(after):
            yield from lines

    def revision(self) -> Hashable:
        """The position of the last row."""
        return self._last()

    def _last(self) -> int:
        with self._reading() as connection:
            return _last_seq(connection) if connection else 0

    def head(self) -> Head:
        """The event of the last row."""
        seq = self._last()
        if not seq:
            return BEGINNING
        line = self._line_of(seq)
        head = Head(seq, line[-66:-2].decode(errors="replace"))
        if not is_event(line, head):
            raise self._damaged(seq - 1, "the last row is not an event")
        return head

    def holds(self, head: Head) -> bool:
        """Whether the ledger has that event."""
        try:
            return not head.seq or is_event(self._line_of(head.seq), head)
        except LedgerDamaged:
            return False

    def _line_of(self, seq: int) -> bytes:
        return next(self.read_lines(after=seq - 1), b"")

    def prove(self, after: Head = BEGINNING) -> Iterator[bytes]:
        """Every line after an event, with the chain proven up to it."""
        for lines in self._prove_after(after):
            yield b"".join(line + b"\n" for line in lines)

    def _prove_after(self, after: Head) -> Iterator[list[bytes]]:
        if not self.holds(after):
            raise self._damaged(after.seq - 1, f"event {after.seq} with the hash {after.hash} is missing")
        yield from self._prove(self._pieces(after.seq), after)

    def begin_after(self, head: Head, version_of: VersionOf) -> None:
        """Let the next append that knows nothing of the ledger begin there; see `EventStore.begin_after`."""
        self._start = (head, version_of)

    def known_head(self) -> Head:
        """The last event that this writer has read or written."""
        return self._numbering.head

    @property
    def index_folder(self) -> Path:
        """A folder beside the file."""
        return self.path.with_name(f"{self.path.name}.index")

    def prove_records(self, after: Head = BEGINNING, *, details: bool = True) -> Iterator[list[Record]]:
        """Every record after an event, with the chain proven up to it."""
        seq = after.seq
        for lines in self._prove_after(after):
            yield from self._decode(lines, seq, details=details)
            seq += len(lines)

    def examine(self, broken: LedgerDamaged | None) -> Iterator[Finding | str]:
        """What SQLite itself finds wrong with the file, and rows whose columns differ from their line."""
        with self._reading() as connection:
            if connection is None:
                return
            try:
                for (fault,) in connection.execute("PRAGMA integrity_check(20)"):
                    if fault != "ok":
                        yield Finding(0, f"{self.path.name}: {fault}")
                for row in connection.execute("SELECT seq, id, at, type, stream, version, line FROM events"):
                    if fault := _unlike_its_line(row):
                        yield Finding(row[0], f"{self.path.name}, row {row[0]}: {fault}")
                if broken and (last := _last_seq(connection)) > broken.trusted:
                    yield f"the last row is {last}: up to {last - broken.trusted} events come after the break"
            except sqlite3.DatabaseError as problem:
                yield Finding(0, f"{self.path.name}: {problem}")
        if sqlite3.sqlite_version_info < _SAFE_SINCE:
            yield (
                f"SQLite {sqlite3.sqlite_version} is older than 3.51.3: other programs must not write to "
                f"{self.path.name} while it is in use"
            )

    def torn_bytes(self) -> int:
        """Always 0: SQLite itself takes back what a crash tore."""
        return 0

    def files(self) -> list[Path]:
        """The database."""
        return [self.path] if self.path.exists() else []

    def append(self, decide: Decide, accept: Accept, *, patience: float | None = None) -> list[Record]:
        """Append what `decide` returns; see `EventStore.append`. It is durable when this returns."""
        with self._writing(patience) as connection:
            unseen = self._catch_up(connection)
            fresh = decide(unseen)
            exhaust(unseen)
            if not fresh:
                return []
            batch = self._numbering.number(fresh, lambda id: _find(connection, id))
            if batch.added:
                accept(batch.added)
                self._insert(connection, batch.added, [line[:-1] for line in batch.lines])
            else:
                # The writer of these events may have died before its sync; a checkpoint begins with one.
                self._sync_found(connection)
            return batch.answer

    def _sync_found(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.DatabaseError as problem:
            raise self._die(f"the sync of {self.path} failed: {problem}") from problem

    def append_lines(self, lines: Iterable[bytes]) -> int:
        """Append lines of a copy; see `EventStore.append_lines`."""
        count = 0
        try:
            with self._writing() as connection:
                exhaust(self._catch_up(connection))
                for good, records in self._numbering.continued_by(lines):
                    self._insert(connection, records, good)
                    count += len(good)
        except LedgerUnwritable as problem:
            raise problem.after(count) from problem
        return count

    def sync(self) -> None:
        """Every append was durable when it returned. Raises OutcomeUnknown if one was not."""
        if self._dead:
            raise self._dead

    def cut(self) -> list[Path]:
        """Put a file with what can be proven in place of this one; see `EventStore.cut`."""
        with self._writing():
            proven = self.path.with_name(f"{self.path.name}.proven-{os.getpid()}")
            quarantine = self.path.with_name(f"{self.path.name}.quarantine")
            try:
                if not self._copy_proven(proven):
                    return []
                quarantine.mkdir(exist_ok=True)
                self._disconnect()
                kept = quarantine / f"{self.path.name}-{utc_now().replace(':', '')}"
                for ending in _BESIDE:
                    beside = self.path.with_name(self.path.name + ending)
                    if beside.exists():
                        disk.rename(beside, kept.with_name(kept.name + ending))
                disk.rename(self.path, kept)
                disk.rename(proven, self.path)
                disk.sync_folder(self.path.parent)
                disk.sync_folder(quarantine)
            except (OSError, sqlite3.Error) as problem:
                raise LedgerUnwritable(f"cannot repair {self.path}: {problem}. Nothing was changed") from problem
            finally:
                for ending in ("", *_BESIDE):
                    proven.with_name(proven.name + ending).unlink(missing_ok=True)
            self._lock.retire()
            return [kept]

    def _copy_proven(self, path: Path) -> bool:
        """Whether something cannot be proven. All that can be is then in the file `path`."""
        path.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute(_SCHEMA)
            copy.execute("BEGIN")
            damaged = False
            try:
                for records in self.prove_records():
                    lines = self.read_lines(after=records[0].seq - 1)
                    copy.executemany(_INSERT, (_row(record, next(lines)) for record in records))
            except LedgerDamaged:
                damaged = True
            copy.execute("COMMIT")
        return damaged or any(isinstance(remark, Finding) for remark in self.examine(None))

    def close(self) -> None:
        """Let go of the file; the next append opens it again and reads the ledger from its start."""
        if self._connection is not None and self._pid == os.getpid():
            # The last connection that closes moves the log into the file: under the lock, too.
            self._lock.acquire()
            try:
                self._disconnect()
            finally:
                self._lock.release()
        self._lock.close()

    def _disconnect(self) -> None:
        if self._connection is not None:
            if self._pid == os.getpid():
                self._connection.close()
            else:
                _inherited.append(self._connection)
        self._connection = None
        self._dead = None
        self._rewind()

    def _rewind(self) -> None:
        self._known = self._seen()
        self._numbering = Numbering()

    def _seen(self) -> Head:
        """The last event that this handle has read or written."""
        return max(self._known, self._numbering.head, key=lambda head: head.seq)

    def give_up_if(self, question: Callable[[], bool]) -> None:
        """From now on a wait for the lock ends as soon as `question` returns true."""
        self._lock.gives_up = question

    def _size(self) -> tuple[int, ...]:
        """What changes while another process writes."""
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return tuple(file.stat().st_size for file in files if file.exists())

    @contextlib.contextmanager
    def _writing(self, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """No other thread or process can append meanwhile; after an error the next one reads from the start."""
        is_new = self._lock.acquire(patience, makes=not self._seen().seq)
        try:
            if is_new or not self._is_in_place():
                self._place = place_of_file(self._identity)
                self._disconnect()
            if self._dead:
                raise self._dead
            if self._connection is None:
                self._connection, self._pid = self._connect(), os.getpid()
            self._limit_waits(self._connection, usual_patience() if patience is None else patience)
            yield self._connection
        except BaseException:
            self._rewind()
            raise
        finally:
            self._lock.release()

    def _is_in_place(self) -> bool:
        if self._connection is None:
            return True
        try:
            status = os.stat(self.path)  # noqa: PTH116 - hot: before each append
        except FileNotFoundError:
            return False
        return (status.st_ino, status.st_dev) == self._identity

    def _limit_waits(self, connection: sqlite3.Connection, seconds: float) -> None:
        """How long SQLite waits for another program that has locked the file itself."""
        if seconds != self._patience:
            connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            self._patience = seconds

    def _moved(self, what: str) -> LedgerMoved:
        return LedgerMoved(what, self._place) if self._place else self._lock.moved(what)

    def _check_place(self, connection: sqlite3.Connection) -> None:
        """Raises LedgerMoved if the ledger no longer holds the last event that this handle has read or written."""
        known = self._seen()
        if known.seq:
            row = connection.execute("SELECT line FROM events WHERE seq = ?", (known.seq,)).fetchone()
            if row is None or bytes(row[0])[-66:-2] != known.hash.encode():
                connection.close()
                raise self._moved(f"{self.path} does not hold event {known.seq}, which this program knows")

    def _connect(self) -> sqlite3.Connection:
        if self._seen().seq and not self.path.exists():
            raise self._moved(f"{self.path} is gone")
        _holds_events(self.path)
        try:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._patience = _BUSY_SECONDS
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute(_SCHEMA)
            self._check_place(connection)
        except sqlite3.DatabaseError as problem:
            raise self._refused(problem) from problem
        status = self.path.stat()
        self._identity = (status.st_ino, status.st_dev)
        return connection

    def _insert(self, connection: sqlite3.Connection, records: list[Record], lines: list[bytes]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, map(_row, records, lines))
        except sqlite3.DatabaseError as problem:
            _roll_back(connection)
            raise self._refused(problem) from problem
        try:
            connection.execute("COMMIT")
        except sqlite3.DatabaseError as problem:
            if _code(problem) == sqlite3.SQLITE_IOERR:
                raise self._die(f"the commit to {self.path} failed: {problem}") from problem
            _roll_back(connection)
            raise self._refused(problem) from problem
        self._numbering.follow(records)
        with contextlib.suppress(OSError, sqlite3.DatabaseError):  # Next time, then: the commit stands.
            if os.stat(f"{self.path}-wal").st_size > _LOG_BYTES:  # noqa: PTH116 - hot
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _die(self, what: str) -> OutcomeUnknown:
        self._dead = OutcomeUnknown(
            f"{what}. Whether the last events are on disk is unknown.\nhint: run `ledger verify`, then try again"
        )
        return self._dead

    def _refused(self, problem: sqlite3.DatabaseError) -> LedgerUnwritable | LedgerDamaged:
        if _code(problem) in _SPOILT:
            return self._damaged(self._numbering.head.seq, str(problem))
        if _code(problem) == sqlite3.SQLITE_BUSY:
            return LedgerBusy(self.path, max(0.0, self._patience), self._holders())
        return LedgerUnwritable(
            f"cannot append to {self.path}: {problem}. Nothing was recorded.\nhint: make it writable and free space"
        )

    def _holders(self) -> str:
        """Who has locked the database itself: SQLite takes its locks on one of two files."""
        index = self.path.with_name(f"{self.path.name}-shm")
        return describe_holders(index if index.exists() else self.path) if self._patience else "another program"

    def _catch_up(self, connection: sqlite3.Connection) -> Iterator[Record]:
        if self._start is not None and not self._numbering.head.seq and self.holds(self._start[0]):
            self._numbering = Numbering(*self._start)
        head = self._numbering.head
        for lines in self._prove(_select(connection, head.seq), head):
            for records in self._decode(lines, self._numbering.head.seq, details=False):
                self._numbering.follow(records)
                yield from records

    def _prove(self, pieces: Iterable[list[bytes]], head: Head) -> Iterator[list[bytes]]:
        try:
            for lines in pieces:
                try:
                    head = follow(lines, head)
                except BrokenChain as problem:
                    if problem.index:
                        yield lines[: problem.index]
                    raise self._damaged(problem.head.seq, problem.reason) from problem
                yield lines
        except sqlite3.DatabaseError as problem:
            raise self._unread(head.seq, problem) from problem

    def _unread(self, trusted: int, problem: sqlite3.DatabaseError) -> LedgerBusy | LedgerDamaged:
        if _code(problem) == sqlite3.SQLITE_BUSY:
            return LedgerBusy(self.path, _BUSY_SECONDS, self._holders())
        return self._damaged(trusted, str(problem))

    def _decode(self, lines: list[bytes], seq: int, *, details: bool = True) -> Iterator[list[Record]]:
        """The records of lines that follow event `seq`. Raises LedgerDamaged, after the records before the bad one."""
        try:
            yield codec.decode_lines(b"\n".join(lines) + b"\n", details=details)
            return
        except BadLine:
            good: list[Record] = []
        for number, line in enumerate(lines):
            try:
                good.append(codec.read(line))
            except BadLine as problem:
                if good:
                    yield good
                reason = f"the hash chain is whole, but an event can't be read: {problem}"
                raise self._damaged(seq + number, reason) from problem

    def _damaged(self, trusted: int, reason: str) -> LedgerDamaged:
        return LedgerDamaged(self.path, trusted + 1, None, trusted, reason)

    def _pieces(
        self, after: int = 0, stream: str | None = None, types: Collection[str] | None = None
    ) -> Iterator[list[bytes]]:
        with self._reading() as connection:
            if connection is not None:
                try:
                    yield from _select(connection, after, stream, types)
                except sqlite3.DatabaseError as problem:
                    raise self._unread(after, problem) from problem

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection that can't write; None if the ledger does not exist yet."""
        if not _holds_events(self.path):
            yield None
            return
        connection = _open_readonly(self.path)
        try:
            yield connection
        finally:
            connection.close()


def _open_readonly(path: Path) -> sqlite3.Connection:
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
        # A folder that can't be written holds no log either, so the file is all there is.
        return _connect(f"{uri}&immutable=1")
    except sqlite3.OperationalError as problem:
        raise UnsupportedLedger(f"{path} cannot be read: {problem}") from problem


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError:
        pass  # Damaged: the next read reports it.
    return connection


def _holds_events(path: Path) -> bool:
    """Whether the file is a ledger; it is not one yet if its maker was killed.

    Raises UnsupportedLedger for another program's database, and SpecialFile.
    """
    for ending in ("", *_BESIDE):
        refuse_special(path.with_name(path.name + ending))
    if not path.exists() or path.stat().st_size == 0:
        return False
    with contextlib.closing(_open_readonly(path)) as connection:
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        except sqlite3.DatabaseError:
            return True  # Damaged, perhaps: the next read reports it.
    if tables and "events" not in tables:
        raise UnsupportedLedger(f"{path} is the database of another program and not a ledger.\nhint: give another file")
    return bool(tables)


def _select(
    connection: sqlite3.Connection, after: int, stream: str | None = None, types: Collection[str] | None = None
) -> Iterator[list[bytes]]:
    """The lines after a position, in pieces, each of a short transaction, so that readers let the log shrink."""
    wanted = ["seq > ?"]
    values: list[object] = []
    if stream is not None:
        wanted.append("stream = ?")
        values.append(stream)
    if types is not None:
        wanted.append(f"type IN ({', '.join('?' * len(types))})")
        values += types
    query = f"SELECT seq, line FROM events WHERE {' AND '.join(wanted)} ORDER BY seq LIMIT {_ROWS_AT_ONCE}"  # noqa: S608
    while rows := connection.execute(query, (after, *values)).fetchall():
        yield [line for _, line in rows]
        after = rows[-1][0]


def _row(record: Record, line: bytes) -> tuple[object, ...]:
    return (record.seq, record.id, record.at, record.type, record.stream, record.version, line)


def _find(connection: sqlite3.Connection, id: str) -> Record | None:
    row = connection.execute("SELECT line FROM events WHERE id = ?", (id,)).fetchone()
    return codec.read(row[0]) if row else None


def _last_seq(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def _unlike_its_line(row: tuple[Any, ...]) -> str | None:
    try:
        envelope = codec.read_envelope(bytes(row[-1]))
    except BadLine:
        return None  # The chain reports it.
    stored = (envelope.seq, envelope.id, envelope.at, envelope.type, envelope.stream, envelope.version)
    return None if stored == row[:-1] else "its columns differ from its line"


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.DatabaseError):
        connection.execute("ROLLBACK")


def _code(problem: sqlite3.Error) -> int:
    """The primary error code; 0 for errors of Python's own binding."""
    return int(getattr(problem, "sqlite_errorcode", 0)) & 0xFF
