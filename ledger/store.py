"""The interface of every kind of store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from .errors import LedgerDamaged
from .events import Head, NewEvent, Record

Decide = Callable[[Iterator[Record]], Sequence[NewEvent]]
"""Gets the records that are new to this writer (without details), and returns the events to append."""

VersionOf = Callable[[str], int]
"""The number of events that a stream has."""

Accept = Callable[[list[Record]], None]
"""Gets the records just before they are written; if it raises an error, nothing is written."""

Notice = Callable[[str], None]
"""Gets one sentence about what the store had to repair."""


BEGINNING = Head()
"""The head before the first event."""


class Filter(msgspec.Struct, frozen=True):
    """Selects records by stream, by types, or both; None selects all."""

    stream: str | None = None
    types: Collection[str] | None = None

    def fits(self, record: Record) -> bool:
        """Whether a record is selected."""
        return self.stream in (None, record.stream) and (self.types is None or record.type in self.types)


EVERYTHING = Filter()


class Finding(msgspec.Struct, frozen=True):
    """A fault: the position of its event (0 if it has none), and a sentence."""

    seq: int
    text: str


class EventReader(Protocol):
    """Records in one total order without gaps. Reading never waits for a writer and never changes anything."""

    url: str

    def read(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        types: Collection[str] | None = None,
        details: bool = True,
    ) -> Iterator[Record]:
        """The records after position `after`, in order; optionally only those of a stream, of some types, or both.

        With `details=False`, the fields in `Event.details` may be left out: that is faster.

        Raises LedgerDamaged for a line that is not an event. `EventStore.prove` checks the chain.
        """
        ...

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The same as lines (without newlines), the bytes over which their hashes were taken."""
        ...


@runtime_checkable
class FindsTimes(Protocol):
    """A reader on another machine that looks for times itself, so that the events need not travel."""

    def later_than(self, moment: datetime) -> Iterator[Record]:
        """Records in order, among them every one that was written later than a moment."""
        ...


class EventStore(EventReader, Protocol):
    """A place that keeps records. Safe for many threads and many processes."""

    def append(self, decide: Decide, accept: Accept, *, patience: float | None = None) -> list[Record]:
        """Append what `decide` returns, as one write, and return its records; `sync` makes them durable.

        `decide` and `accept` may be called again, if a database was lost, or another writer was faster, before anything
        was recorded. The records then continue those of the earlier call, or begin with the ledger's first one.

        It waits for other writers for `patience` seconds, or as long as `waiting.usual_patience` says.

        An event whose id is in the ledger already is not appended again: its first record is returned. After an
        error the next `decide` gets the ledger from its first record on.

        Raises LedgerDamaged, LedgerMoved, LedgerUnwritable (nothing was appended), OutcomeUnknown, EventConflict,
        WrongExpectedVersion, UnreadableEvent, and whatever `decide` and `accept` raise (nothing was appended).
        """
        ...

    def append_lines(self, lines: Iterable[bytes]) -> int:
        """Append lines of a copy of this ledger, unchanged, and sync them. Returns their number.

        They begin with the line after this ledger's last one. Raises OtherHistory for the first line that does not
        continue the chain (the lines before it are appended), and what `append` raises.
        """
        ...

    def sync(self) -> None:
        """Return when every record that was appended before is on disk. Raises OutcomeUnknown."""
        ...

    def revision(self) -> Hashable:
        """A value that is cheap to get and differs after every append."""
        ...

    def head(self) -> Head:
        """The last whole event, from its line alone; nothing before it is read. Raises LedgerDamaged."""
        ...

    def holds(self, head: Head) -> bool:
        """Whether the ledger has an event with that hash at that position, from its line alone."""
        ...

    def prove(self, after: Head = BEGINNING) -> Iterator[bytes]:
        """Every line after an event (with newlines, in pieces), each proven to continue the chain.

        Raises LedgerDamaged, also if the ledger does not hold that event.
        """
        ...

    def begin_after(self, head: Head, version_of: VersionOf) -> None:
        """Let the next append that would read the ledger from its first event read it from the one after `head`.

        Earlier events were proven when they were indexed; `version_of` gives the versions of streams there. A store
        that does not hold that event, or cannot trust the events before it, reads everything.
        """
        ...

    def known_head(self) -> Head:
        """The last event that this writer has read or written."""
        ...

    @property
    def index_folder(self) -> Path | None:
        """The folder for an index of this ledger; None if the store does not have one."""
        ...

    def prove_records(self, after: Head = BEGINNING, *, details: bool = True) -> Iterator[list[Record]]:
        """Like `prove`, but as records, in pieces. Raises LedgerDamaged, also for a line that is not an event."""
        ...

    def examine(self, broken: LedgerDamaged | None) -> Iterator[Finding | str]:
        """Faults of the stored bytes besides the chain, as findings, and remarks.

        `broken` is the place where the chain breaks, if it does: the bytes after it are examined too.
        """
        ...

    def torn_bytes(self) -> int:
        """The number of bytes that a crash left after the last whole line; the next append moves them away."""
        ...

    def files(self) -> list[Path]:
        """The files that hold the records."""
        ...

    def size(self) -> int:
        """The bytes that the records take where they are stored; 0 if the ledger does not exist yet."""
        ...

    def now(self) -> float:
        """The time in Unix seconds by the clock that gives the times of events.

        The clocks of machines that share a ledger differ: compare the time of an event with this one.
        """
        ...

    def wait(self, seconds: float) -> None:
        """Wait until new events may be there, at most for some seconds."""
        ...

    def cut(self) -> list[Path]:
        """Move everything that cannot be proven to separate files, and return them. Raises LedgerUnwritable.

        `ledger repair` does this, after a person has decided that no better copy exists.
        """
        ...

    def give_up_if(self, question: Callable[[], bool]) -> None:
        """From now on a wait for other writers ends with LedgerBusy as soon as `question` returns true."""
        ...

    def close(self) -> None:
        """Close files and locks. Reading and appending open them again."""
        ...


def read_to_end(records: Iterator[Record]) -> None:
    """Read all records, so that the writer that yields them is up to date."""
    for _ in records:
        pass
