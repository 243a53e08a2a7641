"""The write side of the ledger: a store, and the history folded from it, moved on together under the store's lock."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from .events import Event, NewEvent, Record
from .history import History
from .store import EventStore, exhaust
from .waiting import LockWait
from .wording import AnEvent

T = TypeVar("T")
Decision = Callable[[History], Sequence[NewEvent]]
Redact = Callable[[Event], Event]


class Ledger:
    """Appends events that make sense, and only those. Safe for many threads; other processes have their own."""

    def __init__(
        self,
        store: EventStore,
        *,
        redact: Redact | None = None,
        told: Callable[[list[Record]], None] = lambda _: None,
    ) -> None:
        """`redact` is given every event before it is recorded, and returns it without secrets.

        `told` is called with the records of each append, once they are in.
        """
        self.store = store
        self._redact = redact
        self._told = told
        self._history: History | None = History(details=False)
        self._lock = threading.Lock()
        self._gives_up: Callable[[], bool] = lambda: False

    def append(self, stream: str, event: Event, *, sync: bool = True, patience: float | None = None) -> Record:
        """Record one event, whatever others did meanwhile; `patience` as for `decide`.

        Raises ImpossibleTransition where the event makes no sense, and what `EventStore.append` raises.
        """
        return self.decide(lambda _: [NewEvent(stream, event)], sync=sync, patience=patience)[0]

    def decide(self, decision: Decision, *, sync: bool = True, patience: float | None = None) -> list[Record]:
        """Record what `decision` makes of the history, which no other writer can change meanwhile.

        It waits for other writers for `patience` seconds; 0 is for threads that must not wait. Raises LedgerBusy
        then, ImpossibleTransition if an event makes no sense (nothing is recorded), and what `EventStore.append`
        raises.
        """
        was_asked = False

        def decide(fresh: Iterator[Record]) -> Sequence[NewEvent]:
            nonlocal was_asked
            was_asked = True
            # Here every event passes, whoever made it.
            return [replace(new, data=self.as_recorded(new.data)) for new in decision(self._follow(fresh))]

        self._take_turn(patience)
        try:
            records = self.store.append(decide, self._accept, patience=patience)
        except BaseException:
            if was_asked:
                # The fold may be ahead of the store, or half way: what counts is what the store holds.
                self._history = None
            raise
        finally:
            self._lock.release()
        if sync and records:
            self.store.sync()
        if records:
            self._told(records)
        return records

    def as_recorded(self, event: AnEvent) -> AnEvent:
        """The event as it would stand in the ledger: without secrets."""
        if self._redact is None:
            return event
        redacted = self._redact(event)
        assert type(redacted) is type(event)  # noqa: S101 - for the type checker: it only loses words
        return redacted

    def look(self, question: Callable[[History], T]) -> T:
        """What `question` answers of the history as it is now; it must not keep the history."""
        answers: list[T] = []

        def decide(history: History) -> list[NewEvent]:
            answers.append(question(history))
            return []

        self.decide(decide)
        return answers[0]

    def give_up_if(self, question: Callable[[], bool]) -> None:
        """From now on every wait for other writers ends with LedgerBusy as soon as `question` is answered with yes."""
        self._gives_up = question
        self.store.give_up_if(question)

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records behind position `after`, in order."""
        return self.store.read(after)

    def history(self) -> History:
        """The ledger's state now, folded from its first record, with every detail, as this caller's own copy."""
        return History.of(self.store)

    def close(self) -> None:
        """Let go of the store's files."""
        self.store.close()

    def _take_turn(self, patience: float | None) -> None:
        if not self._lock.acquire(blocking=False):
            # Another thread of this process is at it, and may itself be waiting for another process.
            waiting = LockWait(Path(self.store.url), patience, gives_up=lambda: self._gives_up())
            waiting.wait_for_thread(self._lock)

    def _follow(self, fresh: Iterator[Record]) -> History:
        """The history as it is now; called while nobody else can append."""
        first = next(fresh, None)
        if self._history is None or (first is not None and first.seq != self._history.seq + 1):
            # The two have parted: an error or an interrupt, a store that was closed, a process that was forked.
            exhaust(fresh)
            self._history = History.of(self.store, details=False)
        elif first is not None:
            self._history.read(itertools.chain([first], fresh))
            if self._history.is_outdated:
                self._history = History.of(self.store, details=False)
        return self._history

    def _accept(self, records: list[Record]) -> None:
        assert self._history is not None  # noqa: S101 - for the type checker: _follow has just set it
        for record in records:
            self._history.apply(record)
