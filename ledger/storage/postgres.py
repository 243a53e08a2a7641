"""A store in a PostgreSQL database, for many machines: each line is a row, and one row holds the head of the chain.

An append is one transaction that locks the head row: so positions have no gap, and events become visible in the order
of their positions, only after they are durable. `postgres_schema` has the rights, triggers and functions.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import time
import weakref
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..errors import LedgerBusy, LedgerDamaged, LedgerError, LedgerUnwritable, OutcomeUnknown
from ..events import Record
from ..identity import utc_now, utc_of
from ..store import BEGINNING, EVERYTHING, Accept, Decide, Filter, Finding, Notice, read_to_end
from . import codec
from .chain import BadLine, BrokenChain, Head, follow, is_event
from .numbering import Batch, Numbering
from .postgres_address import Address
from .postgres_link import Link, Lost
from .postgres_schema import CHANNEL, SCHEMA
from .postgres_seen import Memory
from .postgres_turn import LostTurn, Turn
from .postgres_wire import BYTEA, INT8, TEXT, array, int8
from .writer import Writer

_RECENT_SECONDS = 0.05
"""A writer that has appended twice with nothing between, the last time so recently, is probably the only one."""

_BUSY_SECONDS = 0.5
"""If another writer has appended since an append so recently, it probably waits for its turn now."""

_PIECE_BYTES = 2 * 1024 * 1024
"""Lines are read in pieces of about this size, however long each one is."""
_PIECES = (2, 100, 2_000)
"""The lines of the first piece, the second, and each later one: many readers want only one event."""

_LINES = f"""
SELECT seq, line FROM (
  SELECT seq, line, row_number() OVER places AS number, sum(octet_length(line)) OVER places AS bytes
    FROM {SCHEMA}.events WHERE seq > %s {{condition}}
    WINDOW places AS (ORDER BY seq) ORDER BY seq LIMIT %s
) piece WHERE number = 1 OR bytes <= {_PIECE_BYTES} ORDER BY seq
"""  # noqa: S608 - our own names
# The time in a line is the text after its first ,"at":" (an id has no such bytes: its quotation marks are escaped). Two
# times in the form that this program writes compare as texts; the others are for the reader to judge.
_AT = "substring(line FROM position('\\x2c226174223a22'::bytea IN line) + 7 FOR 28)"
_MAY_BE_LATER = f"""
AND ({_AT} > %s OR encode({_AT}, 'escape') !~ '^\\d{{4}}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{{6}}Z"$')
"""
_LINE = f"SELECT line FROM {SCHEMA}.events WHERE seq = %s"  # noqa: S608
_BY_ID = f"SELECT line FROM {SCHEMA}.events WHERE id = %s"  # noqa: S608
_LAST = f"SELECT seq, line FROM {SCHEMA}.events ORDER BY seq DESC LIMIT 1"  # noqa: S608
_REVISION = f"""
SELECT seq, (SELECT encode(substring(line, length(line) - 65, 64), 'escape') FROM {SCHEMA}.events WHERE seq = %s)
  FROM {SCHEMA}.head
"""  # noqa: S608 - our own names
_ROWS = f"""
SELECT seq, version, id, stream, type, line FROM {SCHEMA}.events WHERE seq > %s ORDER BY seq LIMIT 500
"""  # noqa: S608
_TRIGGERS = f"""
SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND t.tgenabled = 'A' AND NOT t.tgisinternal
"""  # noqa: S608
_GUARDS = {("events", "append_only"), ("head", "append_only"), ("head", "only_forward")}


class PostgresStore(Writer[Turn]):
    """Keeps records in the database that `address` names; `ledger init` makes its tables.

    `cache` is a folder of this machine for the index and for what was seen of each ledger.
    """

    def __init__(self, address: Address, *, notice: Notice, cache: Path | None = None) -> None:
        self.url = address.url
        self._cache = cache
        self._notice = notice
        memory = Memory(cache, address.key, address.url)
        self._link = Link(address, memory, notice)
        weakref.finalize(self, memory.keep)  # Also at the end of a process that does not close its store.
        self._listener: Listener | None = None
        self._is_alone = False
        """Whether nothing was appended between the last two appends of this writer."""
        self._appended_at = 0.0
        self._ahead: list[list[Record]] = []
        """Records that were read before the turn, which the next decision gets."""
        super().__init__(Turn(self._link, self._wanted_after, self._prepare))

    # -- reading

    def read(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        types: Collection[str] | None = None,
        details: bool = True,
    ) -> Iterator[Record]:
        """The records after position `after`; see `EventReader.read`."""
        wanted = Filter(stream, types)
        for lines in self._pieces(after, wanted):
            for records in self._decode(lines, after, details=details):
                yield from records if wanted == EVERYTHING else filter(wanted.fits, records)

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The lines after position `after`, unchanged from the rows."""
        for lines in self._pieces(after):
            yield from lines

    def later_than(self, moment: datetime) -> Iterator[Record]:
        """The records that may be later than a moment; see `FindsTimes`."""
        try:
            limit = moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", 'Z"')
        except OverflowError:  # At the first or the last day of the calendar.
            yield from self.read(details=False)
            return
        for lines in self._pieces(0, condition=_MAY_BE_LATER, values=(limit.encode(),)):
            yield from map(codec.read, lines)

    def revision(self) -> Hashable:
        """The position of the head. Raises HistoryRewritten if the last event that was seen is not there any more."""
        seen = self._link.memory.head
        [(seq, digest)] = self._link.ask(_REVISION, (seen.seq,))
        if seen.seq and digest != seen.hash:
            raise self._link.memory.lost(self._link.place)
        return int(seq)

    def head(self) -> Head:
        """The event of the last row."""
        rows = self._link.ask(_LAST)
        if not rows:
            return BEGINNING
        seq, line = rows[0]
        head = Head(seq, line[-66:-2].decode(errors="replace"))
        if not is_event(line, head):
            raise self._damaged(seq - 1, "the last row is not an event")
        self._link.memory.note(head)
        return head

    def holds(self, head: Head) -> bool:
        """Whether the ledger holds that event."""
        if not head.seq:
            return True
        rows = self._link.ask(_LINE, (head.seq,))
        return bool(rows) and is_event(rows[0][0], head)

    def prove(self, after: Head = BEGINNING) -> Iterator[bytes]:
        """Every line after an event, with the chain proven up to it."""
        for lines in self._prove_after(after):
            yield b"".join(line + b"\n" for line in lines)

    def prove_records(self, after: Head = BEGINNING, *, details: bool = True) -> Iterator[list[Record]]:
        """Every record after an event, with the chain proven up to it."""
        seq = after.seq
        for lines in self._prove_after(after):
            yield from self._decode(lines, seq, details=details)
            seq += len(lines)

    @property
    def index_folder(self) -> Path | None:
        """A folder of this machine, by the identity of the ledger."""
        if self._cache is None:
            return None
        if not self._link.memory.ledger:
            self.revision()
        return self._cache / self._link.memory.ledger / "index"

    def examine(self, broken: LedgerDamaged | None) -> Iterator[Finding | str]:
        """Rows whose columns differ from their line, a head that is not the last event, and triggers that are off."""
        last = 0
        while rows := self._link.ask(_ROWS, (last,)):
            for row in rows:
                if fault := _unlike_its_line(row):
                    yield Finding(row[0], f"row {row[0]}: {fault}")
            last = rows[-1][0]
        [(seq, digest)] = self._link.ask(f"SELECT seq, hash FROM {SCHEMA}.head")  # noqa: S608 - our own name
        if not broken and Head(seq, digest) != self.head():
            # The rows after the last one are gone.
            yield Finding(seq, f"the head names event {seq} with the hash {digest}, which is not the last row")
        for table, name in sorted(_GUARDS - set(self._link.ask(_TRIGGERS))):
            yield f"the trigger {name} of the table {table} is off or missing: nothing stops the owner from changing it"
        if broken and last > broken.trusted:
            yield f"the last row is {last}: up to {last - broken.trusted} events come after the break"

    def torn_bytes(self) -> int:
        """Always 0: the server itself rolls back unfinished writes after a crash."""
        return 0

    def files(self) -> list[Path]:
        """None: the server has them."""
        return []

    def size(self) -> int:
        """The bytes that the events take in the database, with their indexes."""
        [(number,)] = self._link.ask(
            f"SELECT CASE WHEN seq > 0 THEN pg_total_relation_size('{SCHEMA}.events') ELSE 0 END FROM {SCHEMA}.head"  # noqa: S608
        )
        return int(number)

    def now(self) -> float:
        """The time in Unix seconds by the server's clock, which also gives the times of events."""
        return self._link.now()

    def wait(self, seconds: float) -> None:
        """Wait for the next append, at most for some seconds: the caller looks for new events afterwards anyway."""
        if self._listener is None:
            self._listener = Listener(self._link)
        self._listener.wait(seconds)

    # -- writing

    def append(self, decide: Decide, accept: Accept, *, patience: float | None = None) -> list[Record]:
        """Append what `decide` returns; see `EventStore.append`.

        If the connection is lost before the commit, nothing was recorded, and `decide` is called again.
        """
        # A writer that must not wait for a turn must not wait for another writer's commit either.
        since = time.monotonic() - self._appended_at if patience is None else math.inf
        if since < _RECENT_SECONDS and self._is_alone:
            records = self._append_at_once(decide, accept)
            if records is not None:
                return records
        while True:
            self._lock.is_crowded = since < _BUSY_SECONDS and not self._is_alone and self._numbering.head.seq > 0
            try:
                return super().append(decide, accept, patience=patience)
            except LostTurn:
                continue  # The next turn waits for the server, and gives up after the usual time.

    def _append_at_once(self, decide: Decide, accept: Accept) -> list[Record] | None:
        """Append without a turn, in one message: the database refuses it if anything was appended meanwhile.

        None if it is to be decided in a turn: nothing was recorded.
        """
        if not self._lock.hold():
            return None
        self._is_alone = False
        try:
            batch = self._decided_at_once(decide, accept)
            if batch is None or not batch.added:
                return None  # That there is nothing to do may be wrong meanwhile.
            self._write(batch.lines, batch.added)
            self._is_alone = True
            return batch.answer
        except (LostTurn, LedgerBusy):
            return None
        except BaseException:
            self._rewind()
            raise
        finally:
            self._lock.release()

    def _decided_at_once(self, decide: Decide, accept: Accept) -> Batch | None:
        try:
            batch = self._numbering.number(decide(iter(())), self._find, self._stamp())
            accept(batch.added)
            return batch
        except Exception:  # noqa: BLE001 - its cause may be an event that this writer does not know yet
            return None

    def append_lines(self, lines: Iterable[bytes]) -> int:
        """Append lines of a copy; see `EventStore.append_lines`."""
        with self._whole_or_not():
            return super().append_lines(lines)

    @contextlib.contextmanager
    def _whole_or_not(self) -> Iterator[None]:
        """Name a connection that was lost before the next piece of a copy or a repair was committed."""
        try:
            yield
        except (Lost, LostTurn) as problem:
            raise self._link.unreachable(str(problem) or "the connection was lost") from problem

    def sync(self) -> None:
        """Every append was durable when it returned. Raises OutcomeUnknown if one was not."""
        if self._dead:
            raise self._dead

    def cut(self) -> list[Path]:
        """Move everything that cannot be proven to a file; see `EventStore.cut`. Only the schema's owner can do it."""
        if self._cache is None:
            raise LedgerUnwritable("cannot repair a ledger in a database without a folder for what is cut off")
        with self._whole_or_not(), self._turn():
            proven, damaged = BEGINNING, False
            try:
                for lines in self._prove(self._pieces_of_turn(0), BEGINNING):
                    read_to_end(record for some in self._decode(lines, proven.seq) for record in some)
                    proven = Head(proven.seq + len(lines), lines[-1][-66:-2].decode())
            except LedgerDamaged as problem:
                damaged = True
                if problem.trusted > proven.seq:
                    line = self._in_turn(_LINE, (problem.trusted,))[0][0]
                    proven = Head(problem.trusted, line[-66:-2].decode())
            unlike = [row for row in self._rows_of_turn() if row[0] <= proven.seq and _unlike_its_line(row)]
            if not damaged and not unlike and self._lock.head == proven:
                return []
            kept = self._put_aside(proven)
            self._restore(proven, unlike)
            self._lock.commit()
            self._link.memory.forget(proven)
            self._known = BEGINNING
            self._numbering = Numbering()
            return [kept]

    def give_up_if(self, question: Any) -> None:
        """From now on a wait for a turn or for the server ends as soon as `question` returns true."""
        self._link.gives_up = question

    def close(self) -> None:
        """Close every connection; the next use opens them again."""
        self._lock.close()
        if self._listener is not None:
            self._listener.close()
        self._link.close()
        self._dead = None
        self._rewind()

    def _wanted_after(self) -> int:
        """The position after which the next turn should bring lines."""
        seq = self._numbering.head.seq
        return self._start[0].seq if self._start is not None and not seq else seq

    def _stamp(self) -> str:
        return utc_of(self._lock.at)

    def _take_up(self, is_new: bool, patience: float | None) -> None:
        if is_new:
            self._rewind()
        known, head = self._seen(), self._lock.head
        self._is_alone = known == head and not self._ahead
        if not self._numbering.head.seq and known.seq:
            rows = self._in_turn(_LINE, (known.seq,))
            is_here = bool(rows) and is_event(rows[0][0], known)
        else:
            is_here = known.seq < head.seq or known == head
        if not is_here:
            self._link.memory.note(known)
            raise self._link.memory.lost(self._link.place)

    def _catch_up(self) -> Iterator[Record]:
        if self._start is not None and not self._numbering.head.seq and self._holds_start():
            self._numbering = Numbering(*self._start)
        while self._ahead:
            yield from self._ahead.pop(0)
        head, goal = self._numbering.head, self._lock.head
        if goal != head:
            given = self._lock.lines
            is_given = bool(given) and given[0].startswith(b'{"seq":%d,' % (head.seq + 1))
            pieces = [given] if is_given else self._pieces_of_turn(head.seq)
            for records in self._follow(pieces):
                yield from records
            if self._numbering.head != goal:
                last = self._numbering.head.seq
                raise self._damaged(last, f"the head names event {goal.seq} with the hash {goal.hash}: it is missing")
        self._link.memory.note(goal)

    def _follow(self, pieces: Iterable[list[bytes]]) -> Iterator[list[Record]]:
        """The records of lines after the last known event, proven."""
        for lines in self._prove(pieces, self._numbering.head):
            for records in self._decode(lines, self._numbering.head.seq, details=False):
                self._numbering.follow(records)
                yield records

    def _prepare(self, lines: list[bytes]) -> None:
        """Prove and decode lines before the turn begins."""
        try:
            self._ahead += self._follow([lines] if lines else [])
        except BaseException:
            self._rewind()
            raise

    def _rewind(self) -> None:
        super()._rewind()
        self._ahead = []

    def _holds_start(self) -> bool:
        head = self._start[0] if self._start is not None else BEGINNING
        if not head.seq:
            return True
        rows = self._in_turn(_LINE, (head.seq,))
        return bool(rows) and is_event(rows[0][0], head)

    def _find(self, id: str) -> Record | None:
        rows = self._in_turn(_BY_ID, (_key(id),))
        return codec.read(rows[0][0]) if rows else None

    def _in_turn(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """Rows for a decision. Raises LostTurn: nothing was recorded."""
        try:
            return self._lock.ask(query, values)
        except Lost as problem:
            raise LostTurn from problem

    def _write(self, lines: list[bytes], records: list[Record]) -> None:
        head = self._numbering.head
        values = (
            array(INT8, [int8(record.version) for record in records]),
            array(BYTEA, [_key(record.id) for record in records]),
            array(BYTEA, [_stream_key(record.stream) for record in records]),
            array(TEXT, [_type(record.type).encode() for record in records]),
            array(BYTEA, lines),
        )
        was_lost = False
        while True:
            try:
                is_next = self._lock.append(head, values)
                break
            except (Lost, LostTurn) as problem:
                was_lost = True
                if self._was_recorded(records[0], lines[0], problem):
                    is_next = True
                    break
                if self._lock.head != head:
                    raise LostTurn from problem
                # The turn was taken again and nothing has changed: the same lines still fit.
            except LedgerError as problem:
                if was_lost:
                    # The message that was lost may still be on its way to the server.
                    raise self._unknown(records[0].seq) from problem
                raise
        if not is_next and self._lock.is_held:
            raise LostTurn
        if not is_next:
            raise LedgerBusy(Path(self._link.place), 0.0, "another writer, which has appended meanwhile,")
        self._numbering.follow(records)
        self._link.memory.note(self._numbering.head)
        self._appended_at = time.monotonic()

    def _was_recorded(self, record: Record, line: bytes, problem: Exception) -> bool:
        """Whether a write whose answer was lost is in the ledger; if not, this writer has the turn again.

        The lost session held the lock of the head: so the writer that takes it next sees the outcome. Raises
        OutcomeUnknown.
        """
        lost = problem if isinstance(problem, Lost) else Lost("the connection was lost")
        while True:
            try:
                self._lock.retake(lost)
                rows = self._lock.ask(_LINE, (record.seq,))
                return bool(rows) and rows[0][0] == line
            except Lost as again:
                lost = again
            except LostTurn:
                continue
            except LedgerBusy as busy:
                raise self._unknown(record.seq) from busy

    def _unknown(self, seq: int) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"the connection to the ledger in the database {self._link.place} was lost while event {seq} was "
            f"recorded. Whether it was recorded is unknown",
            "run the same command again when the server is back: it sees what was recorded",
        )

    def _cover(self) -> None:
        """Nothing to do: what is visible is durable."""

    def _pieces(
        self, after: int = 0, wanted: Filter = EVERYTHING, *, condition: str = "", values: Sequence[object] = ()
    ) -> Iterator[list[bytes]]:
        values = [*values]
        if wanted.stream is not None:
            condition += " AND stream = %s"
            values.append(_key(wanted.stream))
        if wanted.types is not None:
            condition += " AND type = ANY(%s)"
            values.append([_type(name) for name in wanted.types])
        query = _LINES.format(condition=condition)
        sizes = itertools.chain(_PIECES, itertools.repeat(_PIECES[-1]))
        while rows := self._link.ask(query, (after, *values, next(sizes))):
            yield [line for _, line in rows]
            after = rows[-1][0]

    def _pieces_of_turn(self, after: int) -> Iterator[list[bytes]]:
        query = _LINES.format(condition="")
        while rows := self._in_turn(query, (after, _PIECES[-1])):
            yield [line for _, line in rows]
            after = rows[-1][0]

    def _rows_of_turn(self) -> Iterator[tuple[Any, ...]]:
        last = 0
        while rows := self._in_turn(_ROWS, (last,)):
            yield from rows
            last = rows[-1][0]

    def _put_aside(self, proven: Head) -> Path:
        """Write the rows after the proven ones to a file."""
        assert self._cache is not None  # noqa: S101 - for the type checker: the caller has checked it
        folder = self._cache / "quarantine"
        kept = folder / f"{self._link.address.key}-{proven.seq}-{utc_now().replace(':', '')}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with kept.open("wb") as file:
                for lines in self._pieces_of_turn(proven.seq):
                    file.write(b"".join(line + b"\n" for line in lines))
        except OSError as problem:
            raise LedgerUnwritable(f"cannot write {kept}: {problem.strerror}. Nothing was changed") from problem
        return kept

    def _restore(self, proven: Head, unlike: list[tuple[Any, ...]]) -> None:
        """Cut the rows after the proven ones, and give the columns of others the values of their lines."""
        change = self._lock.change
        for table in ("events", "head"):
            change(f"ALTER TABLE {SCHEMA}.{table} DISABLE TRIGGER USER", ())
        change(f"DELETE FROM {SCHEMA}.events WHERE seq > %s", (proven.seq,))  # noqa: S608 - our own name
        for row in unlike:
            record = codec.read(row[-1])
            change(
                f"UPDATE {SCHEMA}.events SET version = %s, id = %s, stream = %s, type = %s WHERE seq = %s",  # noqa: S608
                (record.version, _key(record.id), _key(record.stream), _type(record.type), record.seq),
            )
        change(f"UPDATE {SCHEMA}.head SET seq = %s, hash = %s", (proven.seq, proven.hash))  # noqa: S608
        for table, name in sorted(_GUARDS):
            change(f"ALTER TABLE {SCHEMA}.{table} ENABLE ALWAYS TRIGGER {name}", ())

    def _prove_after(self, after: Head) -> Iterator[list[bytes]]:
        if not self.holds(after):
            raise self._damaged(after.seq - 1, f"event {after.seq} with the hash {after.hash} is missing")
        yield from self._prove(self._pieces(after.seq), after)

    def _prove(self, pieces: Iterable[list[bytes]], head: Head) -> Iterator[list[bytes]]:
        for lines in pieces:
            try:
                head = follow(lines, head)
            except BrokenChain as problem:
                if problem.index:
                    yield lines[: problem.index]
                raise self._damaged(problem.head.seq, problem.reason) from problem
            yield lines

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
                raise self._damaged(seq + number, f"a row is not an event: {problem}") from problem

    def _damaged(self, trusted: int, reason: str) -> LedgerDamaged:
        return LedgerDamaged(Path(self._link.place.replace("/", "_")), trusted + 1, None, trusted, reason)


class Listener:
    """Waits for the announcement of the next append. An announcement may be lost, so a wait is short."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._connection: Any = None

    def wait(self, seconds: float) -> None:
        """Return after the next append, or after some seconds."""
        import psycopg

        began = time.monotonic()
        if self._link.is_forked and self._connection is not None:
            self._link.leave_inherited(self._connection)
            self._connection = None
        try:
            if self._connection is None:
                self._connection = self._link.connect()
                self._connection.execute(f"LISTEN {CHANNEL}")
                return  # What was appended before this moment was not announced here.
            for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                return
        except (psycopg.Error, Lost):
            self.close()
            time.sleep(max(0.0, seconds - (time.monotonic() - began)))

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()


def _key(name: str) -> bytes:
    """The digest of an id or of a stream's name, as in the row."""
    return blake2b(name.encode(errors="surrogatepass"), digest_size=16).digest()


_stream_key = functools.lru_cache(maxsize=1024)(_key)
"""The same for a stream: most events follow others of theirs."""


def _type(name: str) -> str:
    """A type's name as text of PostgreSQL, which has no NUL, and no longer than an index allows."""
    return name.replace("\0", "\ufffd")[:200]


def _unlike_its_line(row: tuple[Any, ...]) -> str | None:
    """A fault if the columns of a row differ from its line, else None."""
    try:
        envelope = codec.read_envelope(row[-1])
    except BadLine:
        return None  # The chain reports it.
    expected = (envelope.seq, envelope.version, _key(envelope.id), _key(envelope.stream), _type(envelope.type))
    return None if expected == tuple(row[:-1]) else "its columns differ from its line"
