"""The history of the answers: the rows of all runs at the ledger's head, and as they were at any earlier moment."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from ...ledger.equivalence import STATEMENTS, Classes
from ...ledger.errors import ImpossibleTransition, LedgerError
from ...ledger.events import UNKNOWN_REVISION, Merged, SetAside
from ...ledger.fold import Run, evolve
from ...ledger.past import Past, limit_of
from ...ledger.staleness import is_stale
from ...ledger.storage.chain import GENESIS, BadLine
from ...ledger.store import EventStore
from ...projections.sqlite.database import State, open_current, open_sealed, read_runs, read_state
from ...projections.sqlite.equivalence import DIGEST, SCORER, key_of, meeting, read_classes
from ...projections.sqlite.keeping import Notice, ProjectionError, Seal
from ...projections.workspace import Workspace
from .orders import COLUMNS, TEXTS
from .row import ListedRun, RunRow, listed, read_rows, row_of
from .run_table import Question, RunTable
from .snapshot import read_snapshot, write_snapshot

_PASTS = 8
_TIMES = 64
_CHANGES = 4_096
SILENCE_EVERY = 1.0
"""Seconds between two checks for stale runs; the ledger does not change when a run becomes stale."""

_AT_ONCE = 500
_MIN_ROWS = 5_000
"""An index of fewer runs is made at once, and not kept in a file."""

_MIN_NEW_EVENTS = 2_000

_IDLE = 1.0
"""Seconds before rows are sorted for later questions: the first page asks its own ones now."""
_OPEN_ATTEMPTS = 20


class Head(msgspec.Struct, frozen=True):
    """The state that an answer shows: that after the event at `position`. `past`: there are later events."""

    position: int
    hash: str
    at: str
    past: bool = False


class View(msgspec.Struct, frozen=True):
    """The history at one moment. `stale` are the ids of running runs without a heartbeat for a long time."""

    table: RunTable
    head: Head
    stale: frozenset[str] = frozenset()

    def listed(self, rows: Iterable[RunRow]) -> list[ListedRun]:
        """The rows as lists show them, beside their previous scores; stale ones are marked."""
        beside = map(self.table.scoreboard.beside_previous, rows)
        return [listed(row, stale=row.run_id in self.stale) for row in beside]


class NoSuchMoment(ValueError):
    """`as_of` is not a moment of this ledger."""


class Archive:
    """Follows the ledger: new events are read once, and old ones not again. Safe for many threads.

    If the projection of the workspace cannot be written, or the folder of results does not exist, a temporary one is
    used, and nothing is made in the workspace. `notice` is called with what another program has changed in it.
    """

    def __init__(self, workspace: Workspace, store: EventStore, notice: Notice | None = None) -> None:
        self.workspace = workspace
        self.store = store
        self.notice = notice
        self._lock = threading.RLock()
        self._private: tempfile.TemporaryDirectory[str] | None = None
        self._revision: Hashable = object()
        self._database: tuple[Path, Seal] | None = None
        self._view = View(RunTable([]), Head(0, "", ""))
        self._running: list[Run] = []
        self._looked_at = 0.0
        self._problems = 0
        self._kept_position = 0
        self._changes: deque[tuple[int, str]] = deque(maxlen=_CHANGES)
        self._all_known_since = 0
        self._pasts: OrderedDict[int, View] = OrderedDict()
        self._moments: OrderedDict[str, tuple[int | None, int]] = OrderedDict()

    @contextlib.contextmanager
    def look(self, as_of: str | None = None) -> Iterator[View]:
        """The history now, or at an earlier moment. It does not change within the context.

        Raises NoSuchMoment, LedgerError.
        """
        # To count the events before a time may take a second, so it happens without the lock.
        position = None if as_of is None else self._position(as_of)
        with self._lock:
            self._follow()
            if position is not None and position > (last := self._view.head.position):
                raise NoSuchMoment(f"event {position} does not exist yet: the last event is {last}")
            yield self._view if position is None else self._past(position)

    def peek(self, as_of: str | None = None) -> View:
        """The same for the head alone, without waiting for requests that use the history. Raises as `look`."""
        if self.store.revision() != self._revision or self._silence_is_due() or as_of is not None:
            with self.look(as_of) as view:
                return view
        return self._view

    @contextlib.contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """The projection, up to the ledger's head. Raises LedgerError."""
        with self._lock:
            self._follow()
            for _ in range(_OPEN_ATTEMPTS):
                connection = open_sealed(*self._database) if self._database else None
                if connection is not None:
                    break
                self._catch_up()  # Another process has changed the file.
        if connection is None:
            raise ProjectionError("another program changes the projection all the time")
        with contextlib.closing(connection):
            yield connection

    def problems(self) -> int:
        """The number of events that make no sense at their position, as of the last look."""
        return self._problems

    def find_run(self, run_id: str, as_of: str | None = None) -> Run | None:
        """Everything about a run; None if the run is unknown. Raises NoSuchMoment, LedgerError."""
        with self.look(as_of) as view:
            row, position, is_past = view.table.find(run_id), view.head.position, view.head.past
        if row is None:
            return None
        if is_past:
            run = self._fold({run_id: row.first_seq}, position).get(run_id)
            with self.database() as connection:
                return run and meeting(run, read_classes(connection, position))
        with self.database() as connection:
            return next(read_runs(connection, "WHERE run_id = ?", (run_id,)), None)

    def folder(self, run: Run) -> Path:
        """The folder of a run, by the layout of the workspace: paths in events are not trusted."""
        return self.workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)

    def changes_since(self, position: int) -> list[str] | None:
        """The ids of the runs that changed after a position, each once; None if that is too long ago."""
        with self._lock:
            if not self._all_known_since <= position <= self._view.head.position:
                return None
            return list(dict.fromkeys(run_id for at, run_id in self._changes if at > position))

    def prepare(self) -> None:
        """Read the history and sort it by every column before the first request, which reports any problem."""
        with contextlib.suppress(LedgerError, BadLine, sqlite3.DatabaseError):
            with self.look() as view:
                view.table.scoreboard.bring_up()
            self.keep_index()
            time.sleep(_IDLE)
            for column in COLUMNS:
                began = time.monotonic()
                with self.look() as view:
                    view.table.page(None, ((column, column not in TEXTS),), most=1)
                time.sleep(2 * (time.monotonic() - began))  # Meanwhile, readers get their answers.
            with self.look() as view:
                view.table.facets(Question(words=("-",)))

    def keep_index(self) -> None:
        """Write the index of a long history for the next server, if much is new since the last time."""
        with self.look() as view:
            head, table = view.head, view.table
            is_new = head.position - self._kept_position > max(_MIN_NEW_EVENTS, self._kept_position // 100)
            if len(table.rows) < _MIN_ROWS or not is_new or not self.workspace.results.is_dir():
                return
            rows, parts = table.rows[:], table.parts()
        with contextlib.suppress(ProjectionError):  # The viewer works in a read-only workspace, too.
            write_snapshot(self.workspace.viewer_index, rows, parts, State(head.position, head.hash, head.at))
            self._kept_position = head.position

    # -- now

    def _follow(self) -> None:
        revision = self.store.revision()
        if revision != self._revision:
            self._catch_up()
            self._revision = revision
            self._looked_at = 0.0
        if self._silence_is_due():
            now = self.store.now()
            stale = frozenset(run.run_id for run in self._running if is_stale(run, now=now))
            if stale != self._view.stale:
                self._view = View(self._view.table, self._view.head, stale)
            self._looked_at = time.monotonic()

    def _silence_is_due(self) -> bool:
        return bool(self._running) and time.monotonic() - self._looked_at >= SILENCE_EVERY

    def _catch_up(self) -> None:
        with self._opened() as connection:
            state = read_state(connection) or State(0, "", "")
            if self._view.head.position == 0 and state.position >= _MIN_ROWS:
                self._restore()
            streams = self._new_streams(state)
            if streams is None:
                self._begin(RunTable(read_rows(connection)), state)
            else:
                news = [row for some in _batches(streams) for row in read_rows(connection, *_among(some))]
                for row in self._view.table.put(news):
                    self._note(state.position, row.run_id)
            running = read_runs(connection, "WHERE status = 'running'")
            self._running = list(running)
            (self._problems,) = connection.execute("SELECT count(*) FROM ledger_problems").fetchone()
        head = Head(state.position, state.head_hash, state.at)
        self._view = View(self._view.table, head, self._view.stale if self._running else frozenset())

    def _restore(self) -> None:
        """Begin with the index that the last server wrote, if there is one."""
        kept = read_snapshot(self.workspace.viewer_index) if self.workspace.results.is_dir() else None
        if kept is not None:
            self._begin(*kept)
            self._kept_position = self._view.head.position

    def _begin(self, table: RunTable, state: State) -> None:
        self._view = View(table, Head(state.position, state.head_hash, state.at))
        self._running = []
        self._changes.clear()
        self._all_known_since = state.position
        self._pasts.clear()
        self._moments.clear()

    def _note(self, position: int, run_id: str) -> None:
        if len(self._changes) == self._changes.maxlen:
            self._all_known_since = self._changes[0][0]
        self._changes.append((position, run_id))

    def _new_streams(self, state: State) -> list[str] | None:
        """The streams of the new events; None if this is another ledger, or too much is new: then all rows are read."""
        head = self._view.head
        if state.position < head.position or head.position == 0:
            return None
        records = self.store.read(after=head.position - 1, details=False)
        known = next(records, None)
        if known is None or known.hash != head.hash:
            return None
        streams: dict[str, None] = {}
        for record in records:
            if record.seq > state.position:
                break
            if isinstance(record.data, SetAside | Merged):
                return None  # This changes runs of any age.
            streams[record.stream] = None
            if isinstance(record.data, STATEMENTS):
                streams |= dict.fromkeys(row.run_id for row in self._view.table.having("benchmark", record.stream))
        # To read the whole table is cheaper than to look up half of it.
        return list(streams) if len(streams) <= max(_AT_ONCE, len(self._view.table.rows) // 4) else None

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The projection of the workspace, brought up to the ledger's head, or else a temporary one."""
        with contextlib.ExitStack() as opened:
            path, current = self.workspace.database, None
            if self.workspace.results.is_dir():
                with contextlib.suppress(ProjectionError):  # The viewer works in a read-only workspace, too.
                    current = opened.enter_context(open_current(path, self.store, notice=self.notice))
            if current is None:
                if self._private is None:
                    self._private = tempfile.TemporaryDirectory(prefix="benchmarks-viewer-")
                path = Path(self._private.name) / "history.sqlite"
                current = opened.enter_context(open_current(path, self.store))
            connection, seal = current
            self._database = path, seal
            yield connection

    # -- earlier

    def _past(self, position: int) -> View:
        now = self._view
        if position >= now.head.position:
            return now
        view = self._pasts.get(position)
        if view is None:
            view = self._pasts[position] = self._look_back(position)
            if len(self._pasts) > _PASTS:
                self._pasts.popitem(last=False)
        self._pasts.move_to_end(position)
        return view

    def _position(self, as_of: str) -> int | None:
        """The last event of a moment; None if it is the ledger's last. Raises NoSuchMoment."""
        seen = self._view.head.position
        last, known_at = self._moments.get(as_of, (None, -1))
        if last is not None or known_at == seen:
            return last
        try:
            limit = limit_of(as_of)
        except ValueError as problem:
            raise NoSuchMoment(str(problem)) from problem
        last = limit if isinstance(limit, int) else Past(self.store, limit).last
        if isinstance(limit, datetime):
            with self._lock:
                self._moments[as_of] = last, seen
                if len(self._moments) > _TIMES:
                    self._moments.popitem(last=False)
        return last

    def _look_back(self, position: int) -> View:
        """Runs that have not changed since are as they are now; only the others are folded again."""
        before = [row for row in self._view.table.rows if row.first_seq <= position]
        changed = self._fold({row.run_id: row.first_seq for row in before if row.last_seq > position}, position)
        with self.database() as connection:
            then = read_classes(connection, position)
            keys = _keys_then(connection, then)
        rows = [
            row_of(meeting(changed[row.run_id], then))
            if row.run_id in changed
            else _with_key(row, keys.get(row.run_id, row.comparison_key))
            for row in before
        ]
        record = next(self.store.read(after=position - 1, details=False), None) if position else None
        head = Head(position, record.hash if record else GENESIS, record.at if record else "", past=True)
        return View(RunTable(rows), head)

    def _fold(self, first_seqs: dict[str, int], position: int) -> dict[str, Run]:
        """Some runs as they were after the event at a position; `first_seqs` has the first event of each."""
        runs: dict[str, Run] = {}
        if not first_seqs:
            return runs
        only = next(iter(first_seqs)) if len(first_seqs) == 1 else None
        for record in self.store.read(after=min(first_seqs.values()) - 1, stream=only):
            if record.seq > position:
                break
            if record.stream in first_seqs:
                with contextlib.suppress(ImpossibleTransition):
                    runs[record.stream] = evolve(runs.get(record.stream), record)
        return runs


def _keys_then(connection: sqlite3.Connection, then: Classes) -> dict[str, str]:
    """The comparison keys of the runs of benchmarks whose equivalent revisions are others now, by these classes."""
    now = read_classes(connection)
    query = f"SELECT run_id, options_key, {DIGEST}, {SCORER} FROM benchmark_runs WHERE benchmark_id = ?"  # noqa: S608
    return {
        run_id: key_of(then, benchmark_id, options_key, revision, scorer)
        for benchmark_id in now | then
        if now.get(benchmark_id) != then.get(benchmark_id)
        for run_id, options_key, revision, scorer in connection.execute(query, (UNKNOWN_REVISION, benchmark_id))
    }


def _with_key(row: RunRow, key: str) -> RunRow:
    return row if row.comparison_key == key else msgspec.structs.replace(row, comparison_key=key)


def _batches(streams: list[str]) -> Iterator[tuple[str, ...]]:
    for first in range(0, len(streams), _AT_ONCE):
        yield tuple(streams[first : first + _AT_ONCE])


def _among(run_ids: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    return f"WHERE run_id IN ({', '.join('?' * len(run_ids))})", run_ids
