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

from ..errors import LedgerBusy
from ..events import Head
from ..store import BEGINNING
from ..waiting import LockWait
from .postgres_link import LOCK_SECONDS, Link, Lost, Outage
from .postgres_schema import SCHEMA

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

MAX_NEW = 2_000
"""Lines that the server sends with the turn; more are read in pieces."""

_SHORT_WAIT = "50ms"
_TAKE = f"SELECT seq, hash, extract(epoch FROM at)::float8, lines FROM {SCHEMA}.take_turn(%s, %s)"  # noqa: S608
_HOLDERS = f"""
SELECT DISTINCT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
  WHERE l.relation = '{SCHEMA}.head'::regclass AND a.wait_event_type IS DISTINCT FROM 'Lock'
    AND a.pid <> pg_backend_pid() ORDER BY 1 LIMIT 3
"""  # noqa: S608 - our own name


class LostTurn(Exception):
    """The connection was lost before anything was recorded: the decision is made again."""


class Turn:
    """The turns of one writer. `known` gives the last event that it knows, `patience` is as for a lock."""

    def __init__(self, link: Link, known: Callable[[], int]) -> None:
        self.link = link
        self.head = BEGINNING
        """The head of the ledger when the turn began."""
        self.at = 0.0
        """The server's time when the turn began, in Unix seconds."""
        self.lines: bytes | None = None
        """The lines after the last event that the writer knew, with newlines between; None if they must be read."""
        self._known = known
        self._threads = threading.Lock()
        self._connection: Connection | None = None
        self._is_short = False

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
            self._take(patience, -1 if is_new else self._known())
            return is_new
        except BaseException:
            if self.is_open:
                self.drop()  # An interrupt left a transaction, which would hold the lock of the head.
            self._threads.release()
            raise

    def release(self) -> None:
        """End the turn; what was not committed is rolled back."""
        try:
            if self.is_open:
                self._roll_back()
        finally:
            self._threads.release()

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open."""
        import psycopg

        connection = self._connection
        idle = psycopg.pq.TransactionStatus.IDLE
        return connection is not None and not connection.closed and connection.info.transaction_status != idle

    def ask(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that answer a question within the turn. Raises LostTurn, LedgerError, and Lost for a write."""
        import psycopg

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
        import psycopg

        if self._connection is None:
            raise Lost("the connection is closed")
        try:
            self._connection.execute(query.encode(), values)
        except psycopg.Error as problem:
            raise self.failed(problem) from problem

    def commit(self) -> None:
        """Commit what was written. Raises Lost if the outcome is unknown, and LedgerError."""
        import psycopg

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
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def retake(self, problem: Lost) -> None:
        """Take the turn again after its connection was lost, to find out what was recorded. Raises LedgerBusy."""
        outage = Outage(self.link, None)
        while True:
            outage.pause(problem)
            try:
                self._take_once(None, -1)
                return
            except Lost as again:
                problem = again

    def close(self) -> None:
        """Close the connection."""
        if self.link.is_forked:
            self.link.leave_inherited(self._connection)
            self._connection = None
        self.drop()

    def _take(self, patience: float | None, known: int) -> None:
        outage: Outage | None = None
        while True:
            try:
                return self._take_once(patience, known)
            except Lost as problem:
                outage = outage or Outage(self.link, patience)
                outage.pause(problem)

    def _take_once(self, patience: float | None, known: int) -> None:
        """Raises Lost, LedgerBusy, LedgerError."""
        import psycopg

        if self._connection is None or self._connection.closed:
            self._connection = self.link.connect(is_hurried=patience is not None and patience < 1)
            self._is_short = False
        wait = self._wait(patience)
        while True:
            try:
                self._limit_wait(self._connection, is_short=patience is not None and patience < LOCK_SECONDS)
                asked_at = time.monotonic()
                self._connection.execute(b"BEGIN ISOLATION LEVEL READ COMMITTED")
                with self._connection.cursor(binary=True) as cursor:
                    row = cursor.execute(_TAKE.encode(), (known, MAX_NEW), prepare=True).fetchone()
            except psycopg.errors.LockNotAvailable:
                self._roll_back()
                try:
                    wait.pause()
                except LedgerBusy as busy:
                    raise LedgerBusy(Path(self.link.place), busy.seconds, self._holders()) from None
                if self._connection is None:
                    raise Lost("the connection was lost") from None
                continue
            except psycopg.Error as problem:
                raise self._not_taken(problem) from problem
            if row is None:
                raise LostTurn
            seq, digest, self.at, self.lines = row
            self.head = Head(seq, digest)
            if time.monotonic() - asked_at < 0.1:  # Otherwise it waited for the lock.
                self.link.set_clock(self.at, asked_at)
            return

    def _not_taken(self, problem: psycopg.Error) -> Exception:
        error = self.failed(problem)
        if not isinstance(error, Lost):
            self._roll_back()
        return error

    def _limit_wait(self, connection: Connection, *, is_short: bool) -> None:
        if is_short != self._is_short:
            limit = _SHORT_WAIT if is_short else f"{LOCK_SECONDS}s"
            connection.execute("SELECT set_config('lock_timeout', %s, false)", (limit,))
            self._is_short = is_short

    def _roll_back(self) -> None:
        import psycopg

        if self._connection is not None:
            try:
                self._connection.execute(b"ROLLBACK")
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
