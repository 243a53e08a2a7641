"""A writer's turn at a PostgreSQL ledger: a transaction that holds the lock of the head row.

It takes the place that `LedgerLock` has in the other stores. One question begins the transaction, takes the lock, and
returns the head, the time and the lines that are new to the writer.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from ..errors import LedgerBusy
from ..events import Head
from ..store import BEGINNING
from ..waiting import LockWait
from .postgres_link import LOCK_SECONDS, Link, Lost, Outage
from .postgres_schema import SCHEMA
from .postgres_wire import (
    BYTEA_ARRAY,
    FLOAT8,
    INT8,
    INT8_ARRAY,
    TEXT,
    TEXT_ARRAY,
    Statement,
    Wire,
    float8,
    int8,
    integer,
    real,
)

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

_MAX_LINES, _MAX_BYTES = 2_000, 8 * 1024 * 1024
"""The server sends new lines with the turn; if there are more of them, they are read in pieces."""
_NOTHING_NEW = 2**63 - 1
_WITHOUT_NEXT_SECONDS = 60.0
"""The place of the next writer is not used for this time after another session kept it: every user can take it."""
_SHORT_WAIT = "50ms"
_IDLE = psycopg.pq.TransactionStatus.IDLE

_BEGIN = Statement(b"begin", b"BEGIN ISOLATION LEVEL READ COMMITTED")
_TAKE_TURN = Statement(b"take_turn", f"SELECT seq, hash, at FROM {SCHEMA}.take_turn()".encode())  # noqa: S608
_NEW_LINES = Statement(
    b"new_lines",
    f"""
SELECT line FROM {SCHEMA}.events WHERE seq > $1 AND (
  SELECT count(*) <= {_MAX_LINES} AND sum(octet_length(line)) <= {_MAX_BYTES}
    FROM (SELECT line FROM {SCHEMA}.events WHERE seq > $1 ORDER BY seq LIMIT {_MAX_LINES + 1}) new
) ORDER BY seq LIMIT {_MAX_LINES}
""".encode(),  # noqa: S608 - our own names
    (INT8,),
)
_APPEND = Statement(
    b"append",
    f"SELECT {SCHEMA}.append($1, $2, $3, $4, $5, $6, $7, $8)".encode(),
    (INT8, TEXT, FLOAT8, INT8_ARRAY, BYTEA_ARRAY, BYTEA_ARRAY, TEXT_ARRAY, BYTEA_ARRAY),
)
_STAND_NEXT = Statement(b"stand_next", b"SELECT pg_advisory_lock($1)", (INT8,))
_LEAVE_NEXT = Statement(b"leave_next", b"SELECT pg_advisory_unlock($1)", (INT8,))
_NEXT = int8(0x62656E63686E6578)
"""The key of the advisory lock of the writer that gets the next turn."""
_COMMIT = Statement(b"commit", b"COMMIT")
_ROLLBACK = Statement(b"rollback", b"ROLLBACK")
_HOLDERS = f"""
SELECT DISTINCT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
  WHERE l.relation = '{SCHEMA}.head'::regclass AND a.wait_event_type IS DISTINCT FROM 'Lock'
    AND a.pid <> pg_backend_pid() ORDER BY 1 LIMIT 3
"""  # noqa: S608 - our own name


def _lines_of(result: PGresult) -> list[bytes]:
    return [result.get_value(row, 0) or b"" for row in range(result.ntuples)]


class LostTurn(Exception):
    """The connection was lost before anything was recorded: the decision is made again."""


class Turn:
    """The turns of one writer. `known` gives the last event that it knows, `patience` is as for a lock.

    If many writers append at the same time, the one that gets the next turn already reads what the others have
    appended: `prepare` gets these lines.
    """

    def __init__(self, link: Link, known: Callable[[], int], prepare: Callable[[list[bytes]], None]) -> None:
        self.link = link
        self.head = BEGINNING
        """The head of the ledger when the turn began."""
        self.at = 0.0
        """The server's time when the turn began, in Unix seconds."""
        self.lines: list[bytes] = []
        """The lines after the last event that the writer knew; empty if there are too many."""
        self.is_crowded = False
        """Whether other writers append at the same time; for the next turn only."""
        self._known = known
        self._prepare = prepare
        self._is_next = False
        self._without_next_until = 0.0
        self._threads = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._wire: Wire | None = None
        self._is_short = False
        self.is_held = False
        """Whether the thread that appends has no turn, and hopes that it needs none."""

    @property
    def gives_up(self) -> Callable[[], bool]:
        """Whether a wait should end now."""
        return self.link.gives_up

    @gives_up.setter
    def gives_up(self, question: Callable[[], bool]) -> None:
        self.link.gives_up = question

    def acquire(self, patience: float | None = None, *, makes: bool = True) -> bool:
        """Take the turn. Returns whether this is a forked child, which knows nothing of the ledger yet.

        Raises LedgerBusy (LedgerUnreachable is one), and other LedgerErrors.
        """
        if not self._threads.acquire(blocking=False):
            self._wait(patience).wait_for_thread(self._threads)
        try:
            is_new = self.link.is_forked
            if is_new:
                self.link.leave_inherited(self._connection)
                self._connection = None
            self._take(patience, knows=not is_new)
            return is_new
        except BaseException:
            if self.is_open or self._is_next:
                self.drop()  # An interrupt left a transaction, which would hold the lock of the head.
            self._threads.release()
            raise
        finally:
            self.is_crowded = False

    def release(self) -> None:
        """End the turn; what was not committed is rolled back."""
        try:
            if self.is_open:
                self._roll_back()
        finally:
            self.is_held = False
            self._threads.release()

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open."""
        connection = self._connection
        return connection is not None and not connection.closed and connection.pgconn.transaction_status != _IDLE

    def ask(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that answer a question within the turn. Raises LostTurn, LedgerError, and Lost for a write."""
        if self._connection is None:
            raise LostTurn
        try:
            with self._connection.cursor(binary=True) as cursor:
                rows: list[tuple[Any, ...]] = cursor.execute(query.encode(), values, prepare=True).fetchall()
                return rows
        except psycopg.Error as problem:
            raise self.failed(problem) from problem

    def change(self, query: str, values: Sequence[object]) -> None:
        """Perform a statement without rows within the turn. Raises Lost, LedgerError."""
        if self._connection is None:
            raise Lost("the connection is closed")
        try:
            self._connection.execute(query.encode(), values)
        except psycopg.Error as problem:
            raise self.failed(problem) from problem

    def hold(self) -> bool:
        """Keep other threads from this ledger, without a turn: other writers may append. False if it is not possible.

        The caller has just appended, and calls `release`.
        """
        if self._wire is None or self.link.is_forked or not self._threads.acquire(blocking=False):
            return False
        self.is_held = True
        self.at = max(self.at, self.link.earliest_now())
        return True

    def append(self, head: Head, values: Sequence[bytes]) -> bool:
        """Add lines after a head, and commit: in this turn, or without one if it is the head. Returns whether it is.

        `values` are those of `append` in the database from `versions` on. Raises Lost if the outcome is unknown, and
        LedgerError.
        """
        if self._wire is None:
            raise Lost("the connection is closed")
        is_open = self.is_open
        claimed = float8(self.at) if self.is_held and not is_open else None
        given = (int8(head.seq), head.hash.encode(), claimed, *values)
        asked_at = time.monotonic()
        try:
            done = self._wire.perform((_APPEND, given), *([(_COMMIT, ())] if is_open else []))
        except psycopg.Error as problem:
            raise self.failed(problem) from problem
        clock = real(done[0])
        if clock is not None and claimed:
            self.link.set_clock(clock, asked_at)
        return clock is not None

    def commit(self) -> None:
        """Commit what was written. Raises Lost if the outcome is unknown, and LedgerError."""
        if self._connection is None:
            raise Lost("the connection is closed")
        try:
            self._connection.execute(b"COMMIT")
        except psycopg.Error as problem:
            raise self.failed(problem) from problem

    def failed(self, problem: psycopg.Error) -> Exception:
        """The error for a failed statement: Lost if the connection is of no use any more."""
        connection = self._connection
        if connection is not None and not self.link.is_lost(problem, connection):
            return self.link.refused(problem)
        self.drop()
        return Lost(self.link.reason(problem))

    def drop(self) -> None:
        """Close the connection; the next turn opens another one."""
        connection, self._connection, self._wire, self._is_next = self._connection, None, None, False
        if connection is not None:
            connection.close()

    def retake(self, problem: Lost) -> None:
        """Take the turn again after its connection was lost, to find out what was recorded. Raises LedgerBusy."""
        outage = Outage(self.link, None)
        while True:
            outage.pause(problem)
            try:
                self._take_once(None, knows=False)
                return
            except Lost as again:
                problem = again

    def close(self) -> None:
        """Close the connection."""
        if self.link.is_forked:
            self.link.leave_inherited(self._connection)
            self._connection = None
        self.drop()

    def _take(self, patience: float | None, *, knows: bool) -> None:
        outage: Outage | None = None
        while True:
            try:
                return self._take_once(patience, knows=knows)
            except Lost as problem:
                outage = outage or Outage(self.link, patience)
                outage.pause(problem)

    def _take_once(self, patience: float | None, *, knows: bool) -> None:
        """Take the turn, with new lines if this writer knows the ledger. Raises Lost, LedgerBusy, LedgerError."""
        if self._connection is None or self._wire is None or self._connection.closed:
            self._connection = self.link.connect(is_hurried=patience is not None and patience < 1)
            self._wire = Wire(self._connection)
            self._is_short = False
        wait = self._wait(patience)
        while True:
            try:
                self._limit_wait(self._connection, is_short=patience is not None and patience < LOCK_SECONDS)
                if self.is_crowded and knows:
                    self._stand_next(self._wire)
                after = int8(self._known() if knows else _NOTHING_NEW)
                asked_at = time.monotonic()
                if self._is_next:
                    turn, _, new = self._wire.perform((_TAKE_TURN, ()), (_LEAVE_NEXT, (_NEXT,)), (_NEW_LINES, (after,)))
                    self._is_next = False
                else:
                    _, turn, new = self._wire.perform((_BEGIN, ()), (_TAKE_TURN, ()), (_NEW_LINES, (after,)))
            except psycopg.errors.LockNotAvailable:
                self._roll_back()
                try:
                    wait.pause()
                except LedgerBusy as busy:
                    raise LedgerBusy(Path(self.link.place), busy.seconds, self._holders()) from None
                if self._wire is None:
                    raise Lost("the connection was lost") from None
                continue
            except psycopg.Error as problem:
                raise self._not_taken(problem) from problem
            self.head = Head(integer(turn), (turn.get_value(0, 1) or b"").decode())
            self.at = real(turn, 2) or 0.0
            self.lines = _lines_of(new)
            if time.monotonic() - asked_at < 0.1:  # Otherwise it waited for the lock.
                self.link.set_clock(self.at, asked_at)
            return

    def _stand_next(self, wire: Wire) -> None:
        """Wait until no other writer is to get the next turn, and read what was appended meanwhile.

        Raises psycopg.Error, and what `prepare` raises.
        """
        if self._is_next or time.monotonic() < self._without_next_until:
            return
        after = int8(self._known())
        try:
            _, _, new = wire.perform((_BEGIN, ()), (_STAND_NEXT, (_NEXT,)), (_NEW_LINES, (after,)))
        except psycopg.errors.LockNotAvailable:
            self._without_next_until = time.monotonic() + _WITHOUT_NEXT_SECONDS
            self._roll_back()
            if self._wire is None:
                raise Lost("the connection was lost") from None
            return
        self._is_next = True
        self._prepare(_lines_of(new))

    def _not_taken(self, problem: psycopg.Error) -> Exception:
        error = self.failed(problem)
        if not isinstance(error, Lost):
            self._roll_back()
        return error

    def _limit_wait(self, connection: psycopg.Connection[Any], *, is_short: bool) -> None:
        if is_short != self._is_short:
            limit = _SHORT_WAIT if is_short else f"{LOCK_SECONDS}s"
            connection.execute("SELECT set_config('lock_timeout', %s, false)", (limit,))
            self._is_short = is_short

    def _roll_back(self) -> None:
        if self._wire is not None:
            try:
                # Not by psycopg: it would then forget every prepared statement of the connection, also those of `Wire`.
                self._wire.perform((_ROLLBACK, ()), *([(_LEAVE_NEXT, (_NEXT,))] if self._is_next else []))
                self._is_next = False
            except psycopg.Error:
                self.drop()  # The server rolls back the transaction of a closed connection.

    def _wait(self, patience: float | None) -> LockWait:
        return LockWait(
            Path(self.link.place),
            patience,
            notice=self.link.notice,
            # A thread that must not wait does not ask the server either.
            progress=(lambda: None) if patience == 0 else self._progress,
            gives_up=lambda: self.gives_up(),
        )

    def _progress(self) -> object:
        """A value that changes while other writers append."""
        with contextlib.suppress(Exception):
            return self.link.ask_once(f"SELECT seq FROM {SCHEMA}.head")[0][0]  # noqa: S608 - our own name
        return os.urandom(8)

    def _holders(self) -> str:
        with contextlib.suppress(Exception):
            rows = self.link.ask_once(_HOLDERS)
            named = [f"session {pid} ({self.link.address.clean(str(name))})" for pid, name in rows]
            if named:
                return " and ".join(named)
        return "another session"
