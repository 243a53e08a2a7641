"""The write side of the ledger: a store, and the history folded from it, moved on together under the store's lock."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from .events import Event, NewEvent, Record
from .history import History
from .store import EventStore, exhaust

T = TypeVar("T")
Decision = Callable[[History], Sequence[NewEvent]]


class Ledger:
    """Appends events that make sense, and only those. Safe for many threads; other processes have their own."""

    def __init__(self, store: EventStore, *, told: Callable[[list[Record]], None] = lambda _: None) -> None:
        """`told` is called with the records of each append, once they are in."""
        self.store = store
        self._told = told
        self._history: History | None = History(details=False)
        self._lock = threading.Lock()

    def append(self, stream: str, event: Event, *, sync: bool = True) -> Record:
        """Record one event, whatever others did meanwhile.

        Raises ImpossibleTransition where the event makes no sense, and what `EventStore.append` raises.
        """
        return self.decide(lambda _: [NewEvent(stream, event)], sync=sync)[0]

    def decide(self, decision: Decision, *, sync: bool = True) -> list[Record]:
        """Record what `decision` makes of the history, which no other writer can change meanwhile.

        Raises ImpossibleTransition where an event makes no sense (nothing is recorded then), and what
        `EventStore.append` raises.
        """
        with self._lock:
            try:
                records = self.store.append(lambda fresh: decision(self._follow(fresh)), self._accept)
            except BaseException:
                # The fold may be ahead of the store, or half way: what counts is what the store holds.
                self._history = None
                raise
        if sync and records:
            self.store.sync()
        if records:
            self._told(records)
        return records

    def look(self, question: Callable[[History], T]) -> T:
        """What `question` answers of the history as it is now; it must not keep the history."""
        answers: list[T] = []

        def decide(history: History) -> list[NewEvent]:
            answers.append(question(history))
            return []

        self.decide(decide)
        return answers[0]

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records behind position `after`, in order."""
        return self.store.read(after)

    def history(self) -> History:
        """The ledger's state now, folded from its first record, with every detail, as this caller's own copy."""
        return History().read(self.store.read())

    def close(self) -> None:
        """Let go of the store's files."""
        self.store.close()

    def _follow(self, fresh: Iterator[Record]) -> History:
        """The history as it is now; called while nobody else can append."""
        first = next(fresh, None)
        if self._history is None or (first is not None and first.seq != self._history.seq + 1):
            # The two have parted: an error or an interrupt, a store that was closed, a process that was forked.
            exhaust(fresh)
            self._history = History(details=False).read(self.store.read(details=False))
        elif first is not None:
            self._history.read(itertools.chain([first], fresh))
        return self._history

    def _accept(self, records: list[Record]) -> None:
        assert self._history is not None  # noqa: S101 - for the type checker: _follow has just set it
        for record in records:
            self._history.apply(record)
