"""What every kind of store promises, and which store a ledger URL names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from .errors import UnsupportedLedger
from .events import NewEvent, Record

Decide = Callable[[list[Record]], Sequence[NewEvent]]
"""Given the records that are new to this writer, what to append; it runs while no other writer can append."""

Accept = Callable[[list[Record]], None]
"""Sees the records just before they are written; what it raises stops the append, with nothing written."""

Notice = Callable[[str], None]
"""Told, in one sentence, of what the store had to mend."""


class EventStore(Protocol):
    """A place that keeps records, in one total order without gaps. Safe for many threads and many processes."""

    url: str

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records behind position `after`, in order. Never waits for a writer and never changes a thing."""
        ...

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The same as the lines (without newlines) over which their hashes were taken, for whoever wants to check."""
        ...

    def append(self, decide: Decide, accept: Accept) -> list[Record]:
        """Append what `decide` returns, as one write, and return its records; `sync` makes them durable.

        An event whose id is in the ledger already is not appended again: its first record is returned. After an
        error the next `decide` is given the ledger from its first record on.

        Raises LedgerDamaged, LedgerUnwritable (nothing was appended), OutcomeUnknown, EventConflict, and whatever
        `decide` and `accept` raise (nothing was appended).
        """
        ...

    def sync(self) -> None:
        """Return when every record that was appended before is on disk. Raises OutcomeUnknown."""
        ...

    def close(self) -> None:
        """Let go of files and locks. Reading and appending open them again."""
        ...


def open_store(url: str, *, notice: Notice) -> EventStore:
    """The store that a ledger URL names: a folder's path, or `jsonl:///path/of/folder`.

    Raises UnsupportedLedger for another kind.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme != "jsonl":
        raise UnsupportedLedger(f"no ledger store for '{url}': this version has jsonl:///path/of/a/folder")
    from .jsonl import JsonlStore

    return JsonlStore(Path(rest if separator else url), notice=notice)
