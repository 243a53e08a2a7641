"""A ledger as it was at an earlier time, or after an earlier event."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from .events import Record
from .identity import parse_utc
from .judgement import is_moment
from .store import EventReader, FindsTimes


def limit_of(text: str) -> int | datetime:
    """The limit in a text: a position or a time. Raises ValueError with the accepted forms."""
    return int(text) if text.isdecimal() else moment_of(text)


def moment_of(text: str) -> datetime:
    """The time in a text. Raises ValueError with the accepted forms."""
    try:
        return parse_utc(text)
    except ValueError as problem:
        raise ValueError(f"'{text}' is neither a time such as 2026-11-23T10:00:00Z nor a position") from problem


class Past:
    """The events of a ledger up to a limit: a position, or a time. A time ends before the first event written later.

    `last` is the position of the last event; None if no event is after the limit.
    """

    def __init__(self, present: EventReader, limit: int | datetime) -> None:
        self.url = present.url
        self._present = present
        if isinstance(limit, datetime):
            records = present.later_than(limit) if isinstance(present, FindsTimes) else present.read(details=False)
            later = (record.seq for record in records if is_moment(record.at) and parse_utc(record.at) > limit)
            first = next(later, None)
            self.last = None if first is None else first - 1
        else:
            self.last = limit

    def read(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        types: Collection[str] | None = None,
        details: bool = True,
    ) -> Iterator[Record]:
        """The records after position `after`, up to the limit."""
        for record in self._present.read(after, stream=stream, types=types, details=details):
            if self.last is not None and record.seq > self.last:
                return
            yield record

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The lines of those records."""
        for seq, line in enumerate(self._present.read_lines(after), after + 1):
            if self.last is not None and seq > self.last:
                return
            yield line
