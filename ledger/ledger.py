"""The write side of the ledger: a store, and the history folded from it, moved on together under the store's lock."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from .events import Event, NewEvent, Record
from .fold import Run
from .history import History
from .store import EventStore, exhaust
from .waiting import LockWait
from .wording import AnEvent

T = TypeVar("T")
Decision = Callable[[History], Sequence[NewEvent]]
Redact = Callable[[Event], Event]


class Decided(msgspec.Struct, frozen=True):
    """What a decision recorded, and the runs that this belongs to, by id, as they were right after it."""

    records: list[Record]
    runs: dict[str, Run]


class Ledger:
    """Appends events that make sense, and only those. Safe for many threads; other processes have their own."""

    def __init__(
        self,
        store: EventStore,
        *,
        redact: Redact | None = None,
        on_append: Callable[[list[Record]], None] = lambda _: None,
    ) -> None:
        """`redact` is given every event before it is recorded, and returns it without secrets.

        `on_append` is called with the records of each append, after they are durable.
        """
        self.store = store
        self._redact = redact
        self._on_append = on_append
        self._history: History | None = History(details=False)
        self._decided_at = 0
        """The position up to which the store has given its records to a decision."""
        self._lock = threading.Lock()
        """Held by the thread that appends, also while it waits for other processes."""
        self._folding = threading.Lock()
        """Held by the thread that uses or changes the history; never while it waits for other processes."""
        self._gives_up: Callable[[], bool] = lambda: False

    def append(self, stream: str, event: Event, *, sync: bool = True, patience: float | None = None) -> Record:
        """Record one event, whatever other writers did meanwhile; `patience` as for `decide`.

        Raises ImpossibleTransition if the event makes no sense, and what `EventStore.append` raises.
        """
        return self.decide(lambda _: [NewEvent(stream, event)], sync=sync, patience=patience).records[0]

    def decide(self, decision: Decision, *, sync: bool = True, patience: float | None = None) -> Decided:
        """Record what `decision` makes of the history, which no other writer can change meanwhile.

        It waits for other writers for `patience` seconds; 0 is for threads that must not wait. Raises LedgerBusy
        then, ImpossibleTransition if an event makes no sense (nothing is recorded), and what `EventStore.append`
        raises.
        """
        is_folding = False

        def decide(fresh: Iterator[Record]) -> Sequence[NewEvent]:
            nonlocal is_folding
            self._folding.acquire()
            is_folding = True
            # Every event of every caller passes here.
            return [replace(new, data=self.as_recorded(new.data)) for new in decision(self._follow(fresh))]

        self._take_turn(patience)
        try:
            records = self.store.append(decide, self._accept, patience=patience)
            history = self._history
            assert history is not None  # noqa: S101 - for the type checker: _follow has just set it
            self._decided_at = history.seq
            runs = {record.stream: history.runs[record.stream] for record in records if record.stream in history.runs}
        except BaseException:
            if is_folding:
                # The history may be ahead of the store, or half way: it is folded anew from what the store holds.
                self._history = None
            raise
        finally:
            if is_folding:
                self._folding.release()
            self._lock.release()
        if sync and records:
            self.store.sync()
        if records:
            self._on_append(records)
        return Decided(records, runs)

    def as_recorded(self, event: AnEvent) -> AnEvent:
        """The event as it would stand in the ledger: without secrets."""
        if self._redact is None:
            return event
        redacted = self._redact(event)
        assert type(redacted) is type(event)  # noqa: S101 - for the type checker: it only loses words
        return redacted

    def look(self, question: Callable[[History], T]) -> T:
        """What `question` answers of the history as it is now; it must not keep the history.

        This reads what is new without the writers' lock, so it waits for no other process and proves nothing. The next
        decision checks that what was read here is in the ledger.
        """
        with self._folding:
            return question(self._read_on())

    def give_up_if(self, question: Callable[[], bool]) -> None:
        """From now on every wait for other writers ends with LedgerBusy as soon as `question` is answered with yes."""
        self._gives_up = question
        self.store.give_up_if(question)

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records after position `after`, in order."""
        return self.store.read(after)

    def history(self) -> History:
        """The ledger's state now, folded from its first record, with every detail, as this caller's own copy."""
        return History.of(self.store)

    def close(self) -> None:
        """Let go of the store's files."""
        self.store.close()

    def _take_turn(self, patience: float | None) -> None:
        if not self._lock.acquire(blocking=False):
            # Another thread of this process appends, and may itself wait for another process.
            waiting = LockWait(Path(self.store.url), patience, gives_up=lambda: self._gives_up())
            waiting.wait_for_thread(self._lock)

    def _read_on(self) -> History:
        """The history with what the store holds by now."""
        history, self._history = self._history, None  # An interrupt may leave it half way.
        if history is not None:
            history.read(self.store.read(history.seq, details=False))
        if history is None or history.is_outdated:
            history = History.of(self.store, details=False)
        self._history = history
        return history

    def _follow(self, fresh: Iterator[Record]) -> History:
        """The history as it is now; called while nobody else can append."""
        history, self._history = self._history, None
        unknown = None if history is None else self._not_in(history, fresh)
        if history is not None and unknown is not None:
            history.read(unknown)
        if history is None or unknown is None or history.is_outdated:
            # After an error or an interrupt, or if lines that were read meanwhile were taken back by their writer.
            exhaust(fresh)
            history = History.of(self.store, details=False)
        self._history = history
        return history

    def _not_in(self, history: History, fresh: Iterator[Record]) -> Iterator[Record] | None:
        """Those of the store's records that are new to the history; None if the history holds others than the store."""
        seq, hash = self._decided_at, ""
        for record in fresh:
            if record.seq > history.seq:
                continues = record.seq == history.seq + 1 and (history.seq == 0 or record.prev == history.hash)
                return itertools.chain([record], fresh) if continues else None
            seq, hash = record.seq, record.hash
        return iter(()) if seq == history.seq and hash in ("", history.hash) else None

    def _accept(self, records: list[Record]) -> None:
        assert self._history is not None  # noqa: S101 - for the type checker: _follow has just set it
        for record in records:
            self._history.apply(record)
