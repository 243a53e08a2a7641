"""What this machine has seen of a PostgreSQL ledger: its identity and the last event that was read or written.

The owner of a database can rewrite a whole history so that its chain is sound again. A machine that has seen the old
one notices: it keeps the last event in a file of its own, and asks for that event whenever it connects.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import msgspec

from ..errors import LedgerError
from ..events import Head
from ..output_file import written_whole
from ..store import BEGINNING

_EVERY_SECONDS = 1.0
"""A file that is a second old is good enough: it names an event that must be in the ledger, not the last one."""


class HistoryRewritten(LedgerError):
    """A database does not hold an event any more that this machine has seen in it."""

    exit_code = 3

    def __init__(self, place: str, what: str, file: Path | None) -> None:
        advice = f", or remove {file} if the change was meant" if file else ""
        super().__init__(
            f"the ledger in the database {place} is not the one that this machine has seen: {what}. Its history was "
            f"rewritten, or an older copy was restored. Nothing is recorded",
            f"ask its owner, and restore it from a copy with all events (`ledger copy`){advice}",
        )


class _Seen(msgspec.Struct, frozen=True):
    url: str
    ledger: str
    seq: int
    hash: str


class Memory:
    """The memory of one address, as a file in `folder`; without a folder, it ends with the process."""

    def __init__(self, folder: Path | None, key: str, url: str) -> None:
        self._file = None if folder is None else folder / f"{key}.json"
        self._url = url
        self._written_at = 0.0
        self._written = BEGINNING
        self.ledger = ""
        """The identity of the ledger; empty if it is not known yet."""
        self.head = BEGINNING
        if self._file is not None:
            # A file that cannot be read protects against nothing, but it must not stop the work either.
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                seen = msgspec.json.decode(self._file.read_bytes(), type=_Seen)
                self.ledger, self.head = seen.ledger, Head(seen.seq, seen.hash)

    def recognise(self, ledger: str, place: str) -> None:
        """Compare the identity of the ledger at this address. Raises HistoryRewritten if it is another one."""
        if self.ledger and self.ledger != ledger:
            raise HistoryRewritten(place, f"it is another ledger ({ledger}, not {self.ledger})", self._file)
        self.ledger = ledger

    def lost(self, place: str) -> HistoryRewritten:
        """The error for a ledger that does not hold the last event that was seen."""
        what = f"it does not hold event {self.head.seq} with the hash {self.head.hash}"
        return HistoryRewritten(place, what, self._file)

    def note(self, head: Head) -> None:
        """Remember an event that is durable in the ledger."""
        if head.seq > self.head.seq:
            self.head = head
            if time.monotonic() - self._written_at >= _EVERY_SECONDS:
                self.keep()

    def keep(self) -> None:
        """Write the file, if there is something new."""
        if self._file is None or self.head == self._written or not self.ledger:
            return
        self._written_at, self._written = time.monotonic(), self.head
        seen = _Seen(self._url, self.ledger, self.head.seq, self.head.hash)
        with contextlib.suppress(OSError):  # A read-only workspace: the next process has nothing to compare.
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(self._file) as file:
                file.write_bytes(msgspec.json.encode(seen) + b"\n")

    def forget(self, head: Head) -> None:
        """Go back to an earlier event, after a person decided to cut the ledger."""
        self.head = head
        self.keep()
