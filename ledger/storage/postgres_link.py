"""The connections of a PostgreSQL store: opened when they are needed, and again after they were lost.

Reading takes a connection from a small pool for one question at a time; appending has one of its own. A lost connection
is opened again until the server is back or the time is up: a restart of the server does not end a campaign.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LedgerBusy, LedgerError, LedgerUnwritable, UnsupportedLedger
from ..events import Head
from ..identity import host_name
from ..store import Notice
from ..waiting import NOTICE_SECONDS, usual_patience
from .chain import is_event
from .postgres_address import Address
from .postgres_schema import SCHEMA, check_server, check_version, version_of
from .postgres_seen import Memory

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

STATEMENT_SECONDS = 60
LOCK_SECONDS = 1
"""A wait for the head is cut into pieces of this length, so that it can be given up."""
IDLE_SECONDS = 20
"""The server ends a turn whose process does nothing for this time: it was stopped, or its machine is gone."""

_CONNECT_SECONDS = 10
_HURRIED_SECONDS = 2
_OUTAGE_FACTOR = 10
"""A lost server is awaited for this many times as long as a lock: a restart or a failover takes minutes."""
_FIRST_PAUSE, _LAST_PAUSE = 0.05, 1.0
_GIVES_UP_AFTER = 1.0
_MAX_IDLE = 4

_SESSION = """
SELECT set_config('statement_timeout', %(statement)s, false),
       set_config('lock_timeout', %(lock)s, false),
       set_config('idle_in_transaction_session_timeout', %(idle)s, false),
       set_config('search_path', 'pg_catalog', false),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                  ELSE current_setting('synchronous_commit') END, false),
       current_setting('fsync')
"""
_STATE = f"""
SELECT ledger::text, extract(epoch FROM clock_timestamp())::float8 FROM {SCHEMA}.about
"""  # noqa: S608 - our own name

_PASSING = re.compile(
    r"starting up|shutting down|in recovery mode|not yet accepting|too many clients|remaining connection slots"
)
_REFUSED = (
    (re.compile(r"password authentication failed|no password supplied|authentication failed", re.IGNORECASE), "login"),
    (re.compile(r'database ".*" does not exist'), "database"),
    (re.compile(r'role ".*" does not exist|no pg_hba\.conf entry|not permitted to log in'), "login"),
)
_HINTS = {
    "login": "check the user and the password: PGPASSWORD, ~/.pgpass, or the variable BENCHMARKS_LEDGER",
    "database": "check the name of the database in the URL, or make it: createdb",
    "": "check the host and the port in the URL, and that the server is running and can be reached from here",
}


class LedgerUnreachable(LedgerBusy):
    """The server of a ledger cannot be reached; nothing was recorded."""

    def __init__(self, what: str, hint: str) -> None:
        LedgerError.__init__(self, what, hint)
        self.lock, self.seconds, self.holder = Path(), 0.0, ""


class Lost(Exception):
    """A connection was lost, or cannot be opened now; `reason` is for people. Not for callers of a store."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Outage:
    """A wait for a server that cannot be reached, with a limit, and a notice after two seconds."""

    def __init__(self, link: Link, patience: float | None) -> None:
        self._link = link
        self._seconds = _OUTAGE_FACTOR * usual_patience() if patience is None else patience
        self._began = time.monotonic()
        self._pause = _FIRST_PAUSE
        self._has_said = False

    def pause(self, problem: Lost) -> None:
        """Wait before the next attempt. Raises LedgerUnreachable if the time is up."""
        waited = time.monotonic() - self._began
        if waited >= self._seconds or (waited >= _GIVES_UP_AFTER and self._link.gives_up()):
            raise self._link.unreachable(problem.reason)
        if waited >= NOTICE_SECONDS and not self._has_said:
            self._has_said = True
            self._link.notice(f"waiting for the ledger in the database {self._link.place}: {problem.reason} ...")
        time.sleep(min(self._pause, max(0.0, self._seconds - waited)))
        self._pause = min(2 * self._pause, _LAST_PAUSE)


class Link:
    """The connections of one process to one ledger. Safe for many threads, and after a fork."""

    def __init__(self, address: Address, memory: Memory, notice: Notice) -> None:
        self.address = address
        self.memory = memory
        self.notice = notice
        self.gives_up: Callable[[], bool] = lambda: False
        self._pid = os.getpid()
        self._idle: list[Connection] = []
        self._inherited: list[Connection] = []
        """Connections of a parent process, which a forked child must neither use nor close."""
        self._has_connected = False
        self._is_warned = False
        self._offset = 0.0
        """The server's clock minus the monotonic clock of this process; both in seconds."""
        self._earliest = 0.0
        """The same, at the least: as if answers took no time."""

    @property
    def place(self) -> str:
        """The database and its server, for a sentence."""
        return self.address.place

    @property
    def is_forked(self) -> bool:
        """Whether this process is a child of the one that opened the connections."""
        return self._pid != os.getpid()

    def leave_inherited(self, *connections: Connection | None) -> None:
        """In a forked child: put the parent's connections aside."""
        self._inherited += [*self._idle, *(one for one in connections if one is not None)]
        self._idle = []
        self._pid = os.getpid()

    def now(self) -> float:
        """The time in Unix seconds by the server's clock, as of the last contact."""
        if not self._has_connected:
            self.ask("SELECT 1")
        return time.monotonic() + self._offset

    def earliest_now(self) -> float:
        """The time in Unix seconds that the server's clock has reached for certain, as of the last contact."""
        return time.monotonic() + self._earliest

    def set_clock(self, server: float, asked_at: float) -> None:
        """Note what the server's clock showed in the answer to a question of that moment (monotonic)."""
        answered_at = time.monotonic()
        self._offset = server - (asked_at + answered_at) / 2
        self._earliest = server - answered_at

    def connect(self, *, is_hurried: bool = False) -> Connection:
        """A new connection to the ledger, checked. Raises Lost, LedgerError."""
        import psycopg

        settings = {
            "connect_timeout": _HURRIED_SECONDS if is_hurried else _CONNECT_SECONDS,
            "application_name": f"benchmarks {host_name()[:40]}:{os.getpid()}",
            "client_encoding": "UTF8",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        }
        connection = None
        try:
            connection = self.address.connect(**settings)
            self._greet(connection)
        except psycopg.Error as problem:
            if connection is None:
                raise self._no_connection(problem) from None
            is_lost = self.is_lost(problem, connection)
            connection.close()
            raise (Lost(self.reason(problem)) if is_lost else self.refused(problem)) from None
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        self._has_connected = True
        return connection

    def ask(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that answer a question, asked again after a lost connection. Raises LedgerError."""
        outage: Outage | None = None
        while True:
            try:
                return self.ask_once(query, values)
            except Lost as problem:
                outage = outage or Outage(self, None)
                outage.pause(problem)

    def ask_once(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that answer a question. Raises Lost, LedgerError."""
        import psycopg

        if self.is_forked:
            self.leave_inherited()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self.connect()
        try:
            with connection.cursor(binary=True) as cursor:
                rows = cursor.execute(query.encode(), values, prepare=True).fetchall()
        except psycopg.Error as problem:
            is_lost = self.is_lost(problem, connection)
            connection.close()
            if not is_lost:
                raise self.refused(problem) from problem
            self._close_idle()  # They led to the same server.
            raise Lost(self.reason(problem)) from None
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < _MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return rows

    def close(self) -> None:
        """Close the connections for reading, and keep what was seen."""
        if self.is_forked:
            self.leave_inherited()
        self._close_idle()
        self.memory.keep()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _greet(self, connection: Connection) -> None:
        """Set the session's limits, and check that the ledger is the known one. Raises LedgerError, psycopg.Error."""
        check_server(connection, self.place)
        limits = {"statement": f"{STATEMENT_SECONDS}s", "lock": f"{LOCK_SECONDS}s", "idle": f"{IDLE_SECONDS}s"}
        session = connection.execute(_SESSION, limits).fetchone()
        if session and session[5] == "off" and not self._is_warned:
            self._is_warned = True
            self.notice(
                f"the server of {self.place} runs with fsync=off: its events do not survive a power cut\n"
                "hint: set fsync = on in postgresql.conf"
            )
        check_version(version_of(connection), self.place, self.address.url)
        asked_at = time.monotonic()
        row = connection.execute(_STATE).fetchone()
        if row is None:
            raise UnsupportedLedger(f"the ledger in the database {self.place} lacks its rows", "restore it from a copy")
        ledger, now = row
        self.set_clock(now, asked_at)
        self.memory.recognise(ledger, self.place)
        seen = self.memory.head
        if seen.seq and not holds(connection, seen):
            raise self.memory.lost(self.place)

    # -- errors

    def is_lost(self, problem: psycopg.Error, connection: Connection) -> bool:
        """Whether an error means that the connection is of no use any more."""
        state = problem.sqlstate or ""
        return connection.closed or connection.broken or state.startswith("08") or state in ("57P01", "57P02", "57P03")

    def reason(self, problem: psycopg.Error) -> str:
        """What the server or libpq said, on one line, without a password."""
        text = problem.diag.message_primary or str(problem)
        # libpq appends questions and further attempts on lines of their own.
        first = text.strip().splitlines()[0] if text.strip() else type(problem).__name__
        return self.address.clean(first.removeprefix("connection failed: "))

    def unreachable(self, reason: str) -> LedgerUnreachable:
        """The error after a wait for the server."""
        kind = next((kind for pattern, kind in _REFUSED if pattern.search(reason)), "")
        return LedgerUnreachable(
            f"cannot reach the ledger in the database {self.place}: {reason}. Nothing was recorded", _HINTS[kind]
        )

    def _no_connection(self, problem: psycopg.Error) -> Exception:
        reason = self.reason(problem)
        is_passing = bool(_PASSING.search(reason))
        if any(pattern.search(reason) for pattern, _ in _REFUSED) and not is_passing:
            return self.unreachable(reason)
        # What was never reached is more likely a wrong address than a restart.
        return Lost(reason) if self._has_connected or is_passing else self.unreachable(reason)

    def failed_start(self, problem: psycopg.Error) -> LedgerError:
        """The error for a first connection, or a first statement, that failed."""
        error = self.refused(problem) if problem.sqlstate else self._no_connection(problem)
        return error if isinstance(error, LedgerError) else self.unreachable(self.reason(problem))

    def refused(self, problem: psycopg.Error) -> LedgerError:
        """The error for a statement that the server refused."""
        state, reason = problem.sqlstate or "", self.reason(problem)
        if state == "42501":
            return LedgerUnwritable(
                f"this user may not do that in the ledger of the database {self.place}: {reason}. Nothing was recorded",
                "ask its owner for the right: ledger init --writer ROLE (or --reader ROLE)",
            )
        if state == "25006":
            return LedgerUnwritable(
                f"the ledger in the database {self.place} is read-only here: {reason}. Nothing was recorded",
                "connect to the primary server, with a user that may write",
            )
        if state in ("53100", "53200"):
            return LedgerUnwritable(
                f"the server of {self.place} cannot store more: {reason}. Nothing was recorded", "free space there"
            )
        if state in ("57014", "55P03"):
            return LedgerBusy(Path(self.place), float(STATEMENT_SECONDS), "another session")
        if state in ("42P01", "3F000", "42883", "42703"):
            return UnsupportedLedger(
                f"the database {self.place} does not hold a whole ledger: {reason}",
                "restore it from a copy, or ask its owner",
            )
        return LedgerUnwritable(
            f"the server of {self.place} refused: {reason}. Nothing was recorded", "see the log of the server"
        )


def holds(connection: Connection, head: Head) -> bool:
    """Whether the ledger holds that event. Raises psycopg.Error."""
    row = connection.execute(
        f"SELECT line FROM {SCHEMA}.events WHERE seq = %s",  # noqa: S608 - our own name
        (head.seq,),
    ).fetchone()
    return row is not None and is_event(bytes(row[0]), head)
