"""The events that matter for trust, such as corrections and imports. They are searched once, and then followed."""

from __future__ import annotations

import contextlib
import threading

import msgspec

from ...ledger.events import (
    Annotated,
    EquivalenceDeclared,
    EquivalenceWithdrawn,
    Imported,
    Merged,
    Record,
    Reinstated,
    Repaired,
    Retracted,
    SetAside,
)
from ...ledger.storage.chain import BadLine
from ...ledger.storage.codec import decode
from ...ledger.store import EventStore

_KNOWN = (
    Annotated,
    EquivalenceDeclared,
    EquivalenceWithdrawn,
    Imported,
    Merged,
    Reinstated,
    Repaired,
    Retracted,
    SetAside,
)
_LATER = ("samples_excluded", "rescored")
"""Types that newer programs write; they are listed by what they say, if this one does not know them."""

TYPES = frozenset({*(event.type for event in _KNOWN), *_LATER})
_MAX_TEXT = 500
_NAMES = frozenset(name.encode() for name in TYPES)
_TYPE = b'"type":"'
_WITHIN = 200
"""The type of an event stands within the first bytes of its line, after its position, id and time."""


class NotableEvent(msgspec.Struct, frozen=True):
    """An event that changes what counts, or tells where it comes from.

    `stream` is the run, the benchmark, or the origin of another ledger; `text` is the reason, the note or the source.
    """

    seq: int
    at: str
    type: str
    stream: str
    hash: str
    author: str
    text: str


class NotableEvents:
    """Those of a ledger. Safe for many threads."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._found: list[NotableEvent] = []
        self._position = 0

    def until(self, position: int) -> list[NotableEvent]:
        """Those up to a position, in their order."""
        with self._lock:
            if position > self._position:
                self._follow(position)
            return [one for one in self._found if one.seq <= position]

    def _follow(self, position: int) -> None:
        """Look at the type of each new line, and decode only those that matter: nearly all others are of runs."""
        for seq, line in enumerate(self._store.read_lines(after=self._position), self._position + 1):
            if seq > position:
                break
            at = line.find(_TYPE, 0, _WITHIN)
            if line[at + len(_TYPE) : line.find(b'"', at + len(_TYPE))] in _NAMES:
                with contextlib.suppress(BadLine):
                    self._found.append(_notable(decode(line)))
        self._position = position


def _notable(record: Record) -> NotableEvent:
    event = record.data
    author = getattr(event, "author", "")
    return NotableEvent(
        seq=record.seq,
        at=record.at,
        type=record.type,
        stream=record.stream,
        hash=record.hash,
        author=author if isinstance(author, str) else "",
        text=_text(record)[:_MAX_TEXT],
    )


def _text(record: Record) -> str:
    event = record.data
    if isinstance(event, Imported):
        return f"{event.source.kind}: {event.source.path}"
    if isinstance(event, Merged):
        return f"{event.position} events{f' from {event.source}' if event.source else ''}"
    if isinstance(event, Annotated):
        return " ".join([event.note, *(f"[{tag}]" for tag in event.tags)])
    reason = getattr(event, "reason", "")
    return reason if isinstance(reason, str) else ""
