"""A store in one SQLite file: each line is a row, with columns to look it up by.

Commits and checkpoints happen under our own lock beside the file. With several connections, SQLite before 3.51.3 can
lose or corrupt data (its WAL-reset race needs a checkpoint during a commit), and its busy wait starves writers.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import LedgerBusy, LedgerDamaged, LedgerMoved, LedgerUnwritable
from ..events import Record
from ..holders import describe_holders
from ..identity import utc_now
from ..store import BEGINNING, EVERYTHING, Filter, Finding, Notice
from ..waiting import usual_patience
from . import codec, disk
from .chain import BadLine, BrokenChain, Head, follow, is_event
from .locking import LedgerLock, place_of_file
from .numbering import Numbering
from .rows import (
    BESIDE,
    BUSY_SECONDS,
    INSERT,
    SCHEMA,
    code_of,
    find_record,
    holds_events,
    last_seq,
    lines_after,
    open_readonly,
    roll_back,
    unlike_its_line,
    values_of,
)
from .writer import Writer

_LOG_BYTES = 4 * 1024 * 1024
"""A write-ahead log that is larger than this is moved into the file."""
_SAFE_SINCE = (3, 51, 3)
_SPOILT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process, which a forked child must neither use nor close."""


class SqliteStore(Writer[LedgerLock]):
    """Keeps records in the file `path`, which is made on the first append."""

    def __init__(self, path: Path, *, notice: Notice) -> None:
        self.path = path
        self.url = f"sqlite://{path}"
        self._notice = notice
        super().__init__(LedgerLock(path.with_name(f"{path.name}.lock"), notice=notice, progress=self._size))
        self._identity = (0, 0)
        self._place: Path | None = None
        self._patience = BUSY_SECONDS
        self._connection: sqlite3.Connection | None = None
        self._pid = 0

    def read(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        types: Collection[str] | None = None,
        details: bool = True,
    ) -> Iterator[Record]:
        """The records after position `after`; see `EventReader.read`."""
        for lines in self._pieces(after, Filter(stream, types)):
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
            return last_seq(connection) if connection else 0

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
        """Whether the ledger holds that event."""
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
        """The faults that SQLite itself finds in the file, and rows whose columns differ from their line."""
        with self._reading() as connection:
            if connection is None:
                return
            try:
                for (fault,) in connection.execute("PRAGMA integrity_check(20)"):
                    if fault != "ok":
                        yield Finding(0, f"{self.path.name}: {fault}")
                for row in connection.execute("SELECT seq, id, at, type, stream, version, line FROM events"):
                    if fault := unlike_its_line(row):
                        yield Finding(row[0], f"{self.path.name}, row {row[0]}: {fault}")
                if broken and (last := last_seq(connection)) > broken.trusted:
                    yield f"the last row is {last}: up to {last - broken.trusted} events come after the break"
            except sqlite3.DatabaseError as problem:
                yield Finding(0, f"{self.path.name}: {problem}")
        if sqlite3.sqlite_version_info < _SAFE_SINCE:
            yield (
                f"SQLite {sqlite3.sqlite_version} is older than 3.51.3: other programs must not write to "
                f"{self.path.name} while it is in use"
            )

    def torn_bytes(self) -> int:
        """Always 0: SQLite itself rolls back unfinished writes after a crash."""
        return 0

    def files(self) -> list[Path]:
        """The database."""
        return [self.path] if self.path.exists() else []

    def sync(self) -> None:
        """Every append was durable when it returned. Raises OutcomeUnknown if one was not."""
        if self._dead:
            raise self._dead

    def cut(self) -> list[Path]:
        """Replace this file by one that holds only what can be proven; see `EventStore.cut`."""
        with self._turn():
            proven = self.path.with_name(f"{self.path.name}.proven-{os.getpid()}")
            quarantine = self.path.with_name(f"{self.path.name}.quarantine")
            try:
                if not self._copy_proven(proven):
                    return []
                quarantine.mkdir(exist_ok=True)
                self._disconnect()
                kept = quarantine / f"{self.path.name}-{utc_now().replace(':', '')}"
                for ending in BESIDE:
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
                for ending in ("", *BESIDE):
                    proven.with_name(proven.name + ending).unlink(missing_ok=True)
            self._lock.retire()
            return [kept]

    def _copy_proven(self, path: Path) -> bool:
        """Copy everything that can be proven to the file `path`. Returns whether something cannot be proven."""
        path.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute(SCHEMA)
            copy.execute("BEGIN")
            damaged = False
            try:
                for records in self.prove_records():
                    lines = self.read_lines(after=records[0].seq - 1)
                    copy.executemany(INSERT, (values_of(record, next(lines)) for record in records))
            except LedgerDamaged:
                damaged = True
            copy.execute("COMMIT")
        return damaged or any(isinstance(remark, Finding) for remark in self.examine(None))

    def close(self) -> None:
        """Close the file; the next append opens it again and reads the ledger from its start."""
        if self._connection is not None and self._pid == os.getpid():
            # The last connection that closes moves the log into the file, so closing needs the lock, too.
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

    def _size(self) -> tuple[int, ...]:
        """A value that changes while another process writes."""
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return tuple(file.stat().st_size for file in files if file.exists())

    def _take_up(self, is_new: bool, patience: float | None) -> None:
        if is_new or not self._is_in_place():
            self._place = place_of_file(self._identity)
            self._disconnect()
        if self._dead is None and self._connection is None:
            self._connection, self._pid = self._connect(), os.getpid()
        if self._connection is not None:
            self._limit_waits(self._connection, usual_patience() if patience is None else patience)

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._connection is not None  # noqa: S101 - for the type checker: a turn begins with a connection
        return self._connection

    def _cover(self) -> None:
        # A checkpoint begins with a sync.
        try:
            self._open.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.DatabaseError as problem:
            raise self._die(f"the sync of {self.path} failed: {problem}") from problem

    def _find(self, id: str) -> Record | None:
        return find_record(self._open, id)

    def _is_in_place(self) -> bool:
        if self._connection is None:
            return True
        try:
            status = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return (status.st_ino, status.st_dev) == self._identity

    def _limit_waits(self, connection: sqlite3.Connection, seconds: float) -> None:
        """Set how long SQLite waits for another program that has locked the file itself."""
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
        holds_events(self.path)
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._patience = BUSY_SECONDS
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute(SCHEMA)
            self._check_place(connection)
        except sqlite3.DatabaseError as problem:
            raise self._refused(problem) from problem
        status = self.path.stat()
        self._identity = (status.st_ino, status.st_dev)
        return connection

    def _write(self, lines: list[bytes], records: list[Record]) -> None:
        connection = self._open
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, map(values_of, records, lines))
        except sqlite3.DatabaseError as problem:
            roll_back(connection)
            raise self._refused(problem) from problem
        try:
            connection.execute("COMMIT")
        except sqlite3.DatabaseError as problem:
            if code_of(problem) == sqlite3.SQLITE_IOERR:
                raise self._die(f"the commit to {self.path} failed: {problem}") from problem
            roll_back(connection)
            raise self._refused(problem) from problem
        self._numbering.follow(records)
        with contextlib.suppress(OSError, sqlite3.DatabaseError):  # The commit is done, and the next one tries again.
            if os.stat(f"{self.path}-wal").st_size > _LOG_BYTES:  # noqa: PTH116 - hot
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _refused(self, problem: sqlite3.DatabaseError) -> LedgerUnwritable | LedgerDamaged:
        if code_of(problem) in _SPOILT:
            return self._damaged(self._numbering.head.seq, str(problem))
        if code_of(problem) == sqlite3.SQLITE_BUSY:
            return LedgerBusy(self.path, max(0.0, self._patience), self._holders())
        return LedgerUnwritable(
            f"cannot append to {self.path}: {problem}. Nothing was recorded.\nhint: make it writable and free space"
        )

    def _holders(self) -> str:
        """The processes that have locked the database itself: SQLite takes its locks on one of two files."""
        index = self.path.with_name(f"{self.path.name}-shm")
        return describe_holders(index if index.exists() else self.path) if self._patience else "another program"

    def _catch_up(self) -> Iterator[Record]:
        if self._start is not None and not self._numbering.head.seq and self.holds(self._start[0]):
            self._numbering = Numbering(*self._start)
        head = self._numbering.head
        for lines in self._prove(lines_after(self._open, head.seq), head):
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
        if code_of(problem) == sqlite3.SQLITE_BUSY:
            return LedgerBusy(self.path, BUSY_SECONDS, self._holders())
        return self._damaged(trusted, str(problem))

    def _decode(self, lines: list[bytes], seq: int, *, details: bool = True) -> Iterator[list[Record]]:
        """The records of lines that follow event `seq`. Raises LedgerDamaged, after the records before the bad one."""

        def damaged(before: Sequence[bytes], problem: BadLine) -> LedgerDamaged:
            reason = f"the hash chain is whole, but an event can't be read: {problem}"
            return self._damaged(seq + len(before), reason)

        yield from codec.decode_until_bad(b"\n".join(lines) + b"\n", damaged, details=details)

    def _damaged(self, trusted: int, reason: str) -> LedgerDamaged:
        return LedgerDamaged(self.path, trusted + 1, None, trusted, reason)

    def _pieces(self, after: int = 0, wanted: Filter = EVERYTHING) -> Iterator[list[bytes]]:
        with self._reading() as connection:
            if connection is not None:
                try:
                    yield from lines_after(connection, after, wanted)
                except sqlite3.DatabaseError as problem:
                    raise self._unread(after, problem) from problem

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection that can't write; None if the ledger does not exist yet."""
        if not holds_events(self.path):
            yield None
            return
        connection = open_readonly(self.path)
        try:
            yield connection
        finally:
            connection.close()
