"""The write side of the ledger: a store and the history folded from it, updated together under the store's lock."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from .events import Event, NewEvent, Record, Started
from .fold import Run
from .history import History
from .index.index import NO_INDEX, Index
from .index.keeping import BEHIND, Keeper
from .index.table import IndexDamaged
from .store import EventStore, read_to_end
from .waiting import LockWait
from .wording import AnEvent

T = TypeVar("T")
Decision = Callable[[History], Sequence[NewEvent]]
Redact = Callable[[Event], Event]


class Decided(msgspec.Struct, frozen=True):
    """The records of a decision, and the runs that it changed, by id, as they were right after it."""

    records: list[Record]
    runs: dict[str, Run]


class Ledger:
    """Appends only events that make sense. Safe for many threads; each process has its own."""

    def __init__(
        self,
        store: EventStore,
        *,
        redact: Redact | None = None,
        on_append: Callable[[list[Record]], None] = lambda _: None,
        behind: int = BEHIND,
    ) -> None:
        """`redact` gets every event before it is recorded, and returns it without secrets.

        `on_append` is called with the records of each append, after they are durable. The index is updated if it is
        more than `behind` events behind.
        """
        self.store = store
        self._redact = redact
        self._on_append = on_append
        self._keeper = Keeper(store, behind=behind)
        self._index = NO_INDEX
        self._next_index = 0
        """The position after which the index may be updated again."""
        self._history: History | None = None
        self._revision: Hashable = None
        """The store's revision when the history was last read."""
        self._lock = threading.Lock()
        """Held by the thread that appends, also while it waits for other processes."""
        self._folding = threading.Lock()
        """Held by the thread that uses or changes the history; never while it waits for other processes."""
        self._indexing = threading.Lock()
        """Held by the thread that updates the index."""
        self._gives_up: Callable[[], bool] = lambda: False

    def append(self, stream: str, event: Event, *, sync: bool = True, patience: float | None = None) -> Record:
        """Record one event, even if other writers appended meanwhile; `patience` as for `decide`.

        Raises ImpossibleTransition if the event makes no sense, and what `EventStore.append` raises.
        """
        return self.decide(lambda _: [NewEvent(stream, event)], sync=sync, patience=patience).records[0]

    def decide(self, decision: Decision, *, sync: bool = True, patience: float | None = None) -> Decided:
        """Record the events that `decision` returns for the history. Other writers cannot append meanwhile.

        It waits for other writers for `patience` seconds; 0 is for threads that must not wait. Raises LedgerBusy
        after that, ImpossibleTransition if an event makes no sense (nothing is recorded), and what `EventStore.append`
        raises.
        """
        try:
            return self._decide(decision, sync, patience)
        except IndexDamaged:
            # Nothing was recorded: the index is read only before the append.
            self._forget()
            return self._decide(decision, sync, patience)

    def _decide(self, decision: Decision, sync: bool, patience: float | None) -> Decided:
        is_folding = False

        def decide(fresh: Iterator[Record]) -> Sequence[NewEvent]:
            nonlocal is_folding
            if is_folding:
                self._history = None  # It is made again: what was decided first was not recorded.
            else:
                self._folding.acquire()
                is_folding = True
            # Every event of every caller passes through here.
            return [replace(new, data=self.as_recorded(new.data)) for new in decision(self._follow(fresh))]

        self._take_turn(patience)
        try:
            with self._folding:
                # Before the lock: rebuilding an index takes seconds.
                self._history = self._history or self._open()
            records = self.store.append(decide, self._accept, patience=patience)
            history = self._history
            assert history is not None  # noqa: S101 - for the type checker: _follow has just set it
            changed = history.changed_runs()
            runs = {record.stream: changed[record.stream] for record in records if record.stream in changed}
        except BaseException:
            if is_folding:
                # The history may be ahead of the store, or incomplete: it is folded again from the store.
                self._history = None
            raise
        finally:
            if is_folding:
                self._folding.release()
            self._lock.release()
        if sync and records:
            self.store.sync()
        if patience != 0:
            self._index_what_is_new()
        if records:
            self._on_append(records)
        return Decided(records, runs)

    def tell(self, records: list[Record]) -> None:
        """Call `on_append` with records that another process has appended for this one."""
        self._on_append(records)

    def as_recorded(self, event: AnEvent) -> AnEvent:
        """The event as it would be recorded: without secrets."""
        if self._redact is None:
            return event
        redacted = self._redact(event)
        assert type(redacted) is type(event)  # noqa: S101 - for the type checker: it only loses words
        return redacted

    def look(self, question: Callable[[History], T], *, details: bool = False) -> T:
        """The answer of `question` for the current history; it must not keep the history.

        This reads new events without the writers' lock, so it does not wait for other processes, and proves nothing.
        The next decision checks that what was read here is in the ledger. With `details`, the history has all fields of
        the running runs, and for other runs those that `fold.without_details` keeps.
        """
        with self._folding:
            read = self._read_with_details if details else self._read_on
            try:
                return question(read())
            except IndexDamaged:
                self._forget()
                return question(read())

    def started(self, run: Run) -> Started | None:
        """The event with which a run began, with its details; None for an imported run."""
        record = next(self.store.read(run.first_seq - 1), None)
        return record.data if record and record.stream == run.run_id and isinstance(record.data, Started) else None

    def detailed(self, runs: Sequence[Run]) -> list[Run]:
        """The same runs with all details, folded from the events since the first of them began."""
        if not runs:
            return []
        wanted = {run.run_id: run for run in runs}
        first = min(run.first_seq for run in runs)
        history = History(aside=self.look(lambda now: now.aside))
        history.read(record for record in self.store.read(first - 1) if record.stream in wanted)
        return [history.runs.get(run.run_id, run) for run in runs]

    def give_up_if(self, question: Callable[[], bool]) -> None:
        """From now on every wait for other writers ends with LedgerBusy as soon as `question` returns true."""
        self._gives_up = question
        self.store.give_up_if(question)

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records after position `after`, in order."""
        return self.store.read(after)

    def history(self) -> History:
        """The current state of the ledger, folded from its first record with all details; the caller's own copy."""
        return History.of(self.store)

    def close(self) -> None:
        """Close the store's files."""
        self.store.close()

    def _take_turn(self, patience: float | None) -> None:
        if not self._lock.acquire(blocking=False):
            # Another thread of this process appends, and may itself wait for another process.
            waiting = LockWait(Path(self.store.url), patience, gives_up=lambda: self._gives_up())
            waiting.wait_for_thread(self._lock)

    def _forget(self) -> None:
        """Remove a damaged index. The next one is built from the start."""
        self._keeper.throw_away(self._index)
        self._history = None

    def _open(self) -> History:
        """A history that begins with the index; the ledger is read from there."""
        return self._begin_with(self._keeper.open())

    def _begin_with(self, index: Index) -> History:
        self._index = index
        self._next_index = index.seq + self._keeper.behind
        self.store.begin_after(index.head, index.version)
        return History(details=False, base=index if index.seq else None)

    def _read_with_details(self) -> History:
        index = self._keeper.open()
        history = History(details=False, base=index if index.seq else None).read(self.store.read(index.seq))
        return History.of(self.store) if history.is_outdated else history

    def _read_on(self) -> History:
        """The history with all events that the store holds now."""
        revision = self.store.revision()
        if self._history is not None and revision == self._revision:
            return self._history
        history, self._history = self._history or self._open(), None  # An interrupt may leave it incomplete.
        history.read(self.store.read(history.seq, details=False))
        if history.is_outdated:
            history = self._read_anew()
        self._history, self._revision = history, revision
        return history

    def _read_anew(self) -> History:
        history = self._open().read(self.store.read(self._index.seq, details=False))
        if history.is_outdated:
            # Events that were set aside are in the index, so it must be rebuilt.
            self._keeper.throw_away(self._index)
            history = self._open().read(self.store.read(self._index.seq, details=False))
        return History.of(self.store, details=False) if history.is_outdated else history

    def _follow(self, fresh: Iterator[Record]) -> History:
        """The current history; called while no other writer can append."""
        history, self._history = self._history or self._open(), None
        if not self._continue(history, fresh) or history.is_outdated:
            # After an error or an interrupt, or if a writer removed lines again that were read meanwhile.
            read_to_end(fresh)
            history = self._read_anew()
        self._history = history
        return history

    def _continue(self, history: History, fresh: Iterator[Record]) -> bool:
        """Read the store's new records into a history. Returns whether both are then at the same event."""
        for record in fresh:
            if record.seq > history.seq:
                if record.seq != history.seq + 1 or (history.seq and record.prev != history.hash):
                    return False
                history.read(itertools.chain([record], fresh))
        known = self.store.known_head()
        return (known.seq, known.hash if known.seq else "") == (history.seq, history.hash)

    def _index_what_is_new(self) -> None:
        """Update the index if it is far behind, and begin the history with it: that limits memory."""
        history = self._history
        if history is None or history.seq <= self._next_index or not self._indexing.acquire(blocking=False):
            return
        try:
            # Not under the lock of the history: merging layers may take seconds.
            index = self._keeper.open()
            with self._folding:
                # If it cannot be written, the next attempt is as many events later.
                self._next_index = history.seq + self._keeper.behind
                if index.seq > self._index.seq and self._history is not None:
                    self._history = None
                    self._history = self._begin_with(index).read(self.store.read(index.seq, details=False))
        finally:
            self._indexing.release()

    def _accept(self, records: list[Record]) -> None:
        assert self._history is not None  # noqa: S101 - for the type checker: _follow has just set it
        for record in records:
            self._history.apply(record)
