"""How every store appends: under its lock, after it has read new events, all events or nothing.

A store derives from `Writer` and defines its abstract methods, which read and write its bytes. Numbering, repeated
events and errors are handled in the same way for all stores.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ..errors import LedgerUnwritable, OutcomeUnknown
from ..events import Head, Record
from ..identity import utc_now
from ..store import Accept, Decide, VersionOf, read_to_end
from .numbering import Numbering


class Lock(Protocol):
    """What keeps two writers of a ledger apart: threads, processes and machines."""

    @property
    def gives_up(self) -> Callable[[], bool]:
        """Whether a wait for this lock should end now."""
        ...

    @gives_up.setter
    def gives_up(self, question: Callable[[], bool]) -> None: ...

    def acquire(self, patience: float | None = None, *, makes: bool = True) -> bool:
        """Take the lock; see `LedgerLock.acquire`."""
        ...

    def release(self) -> None:
        """Release the lock."""
        ...


AnyLock = TypeVar("AnyLock", bound=Lock)


class Writer(ABC, Generic[AnyLock]):
    """The common part of all stores; see `EventStore` for what the methods promise."""

    def __init__(self, lock: AnyLock) -> None:
        self._lock = lock
        self._numbering = Numbering()
        self._known = Head()
        self._start: tuple[Head, VersionOf] | None = None
        self._dead: OutcomeUnknown | None = None

    # -- what a store defines

    @abstractmethod
    def _take_up(self, is_new: bool, patience: float | None) -> None:
        """Prepare for a turn; the lock is held. `is_new`: forget everything that was known of the ledger.

        Raises LedgerMoved, LedgerUnwritable and LedgerBusy.
        """

    @abstractmethod
    def _catch_up(self) -> Iterator[Record]:
        """The records that are new to this writer, proven; `_numbering` follows them as they are read."""

    @abstractmethod
    def _find(self, id: str) -> Record | None:
        """The record with that id in the ledger."""

    @abstractmethod
    def _write(self, lines: list[bytes], records: list[Record]) -> None:
        """Write lines (without newlines), all or none; then `_numbering` follows their records."""

    @abstractmethod
    def _cover(self) -> None:
        """Let the next sync cover existing events, too: their writer may have died before its own sync."""

    @abstractmethod
    def files(self) -> list[Path]:
        """The files that hold the records."""

    @abstractmethod
    def sync(self) -> None:
        """Return when every record that was appended before is on disk. Raises OutcomeUnknown."""

    def _stamp(self) -> str:
        """The time of the events that are written in this turn."""
        return utc_now()

    # -- what all of them do

    def append(self, decide: Decide, accept: Accept, *, patience: float | None = None) -> list[Record]:
        """Append what `decide` returns; see `EventStore.append`."""
        # Not with `_turn`: this is hot.
        self._begin(patience)
        try:
            unseen = self._catch_up()
            fresh = decide(unseen)
            read_to_end(unseen)
            if not fresh:
                return []
            batch = self._numbering.number(fresh, self._find, self._stamp())
            if batch.added:
                accept(batch.added)
                self._write(batch.lines, batch.added)
            else:
                self._cover()
            return batch.answer
        except BaseException:
            self._rewind()
            raise
        finally:
            self._lock.release()

    def append_lines(self, lines: Iterable[bytes]) -> int:
        """Append lines of a copy; see `EventStore.append_lines`."""
        count = 0
        try:
            with self._turn():
                read_to_end(self._catch_up())
                for good, records in self._numbering.continued_by(lines):
                    self._write(good, records)
                    count += len(good)
        except LedgerUnwritable as problem:
            raise problem.after(count) from problem
        finally:
            if count:
                self.sync()
        return count

    def begin_after(self, head: Head, version_of: VersionOf) -> None:
        """Let the next append that would read the whole ledger begin after `head`; see `EventStore.begin_after`."""
        self._start = (head, version_of)

    def known_head(self) -> Head:
        """The last event that this writer has read or written."""
        return self._numbering.head

    def give_up_if(self, question: Callable[[], bool]) -> None:
        """From now on a wait for the lock ends as soon as `question` returns true."""
        self._lock.gives_up = question

    def size(self) -> int:
        """The bytes of the files that hold the records."""
        return sum(file.lstat().st_size for file in self.files())

    def now(self) -> float:
        """The time in Unix seconds by the clock that gives the times of events."""
        return time.time()

    def wait(self, seconds: float) -> None:
        """Wait until new events may be there, at most for some seconds."""
        time.sleep(seconds)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Keep other threads and processes from appending; after an error the next turn reads from the start."""
        self._begin(None)
        try:
            yield
        except BaseException:
            self._rewind()
            raise
        finally:
            self._lock.release()

    def _begin(self, patience: float | None) -> None:
        """Take the lock, and prepare for a turn. The caller releases it."""
        is_new = self._lock.acquire(patience, makes=not self._seen().seq)
        try:
            self._take_up(is_new, patience)
            if self._dead:
                raise self._dead
        except BaseException:
            self._rewind()
            self._lock.release()
            raise

    def _rewind(self) -> None:
        """Forget everything except the last event that was seen: it must still be in the ledger."""
        self._known = self._seen()
        self._numbering = Numbering()

    def _seen(self) -> Head:
        """The last event that this writer has read or written, even if an error followed."""
        return max(self._known, self._numbering.head, key=lambda head: head.seq)

    def _die(self, what: str) -> OutcomeUnknown:
        """The error after a failed sync: this writer must not go on as if nothing had happened."""
        self._dead = OutcomeUnknown(
            f"{what}. Whether the last events are on disk is unknown.\nhint: run `ledger verify`, then try again"
        )
        return self._dead
