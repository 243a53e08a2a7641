"""A ledger as it was at some time, or after some event."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from .events import Record
from .identity import parse_utc
from .store import EventReader


class Past:
    """The events of a ledger up to a limit: a position, or the last one before the first that was written later."""

    def __init__(self, present: EventReader, limit: int | datetime) -> None:
        self.url = present.url
        self._present = present
        if isinstance(limit, datetime):
            later = (record.seq for record in present.read() if parse_utc(record.at) > limit)
            first = next(later, None)
            self._last = None if first is None else first - 1
        else:
            self._last = limit

    def read(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        types: Collection[str] | None = None,
        details: bool = True,
    ) -> Iterator[Record]:
        """The records behind `after`, up to the limit."""
        for record in self._present.read(after, stream=stream, types=types, details=details):
            if self._last is not None and record.seq > self._last:
                return
            yield record

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The lines of those records."""
        for seq, line in enumerate(self._present.read_lines(after), after + 1):
            if self._last is not None and seq > self._last:
                return
            yield line
