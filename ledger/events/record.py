"""An event at its place in the ledger, and on its way there."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from .event import Event

GENESIS = "0" * 64
"""The `prev` of the first event."""


class Unknown(Event, frozen=True, kw_only=True):
    """An event of a type that this version does not know. It is kept and counted, and has no effect."""

    type: ClassVar[str] = "unknown"
    named: str
    raw: msgspec.Raw


class Unreadable(Unknown, frozen=True, kw_only=True):
    """An event of a known type whose data does not fit that type. It is kept, and has no effect."""

    type: ClassVar[str] = "unreadable"
    problem: str


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event at its position in the ledger. `seq` counts from 1 in the ledger, `version` from 1 in the stream."""

    seq: int
    id: str
    at: str
    stream: str
    version: int
    data: Event
    prev: str
    hash: str

    @property
    def type(self) -> str:
        """The envelope's type; for an unknown event, the type on its line."""
        return self.data.named if isinstance(self.data, Unknown) else self.data.type


class Head(msgspec.Struct, frozen=True):
    """The last event of a ledger, or of a part of it: its position and hash."""

    seq: int = 0
    hash: str = GENESIS


class NewEvent(msgspec.Struct, frozen=True):
    """An event on its way into the ledger.

    Appending the same `id` twice records it once. With `expected_version` it is recorded only if its stream has
    that many events before it (0: if it is the first). `at` is the time of an event that was written elsewhere.
    """

    stream: str
    data: Event
    id: str | None = None
    expected_version: int | None = None
    at: str | None = None
