"""The events about the ledger itself, and about what it received from elsewhere."""

from __future__ import annotations

from typing import ClassVar

from .event import Event, ImportSource, Json

LEDGER_STREAM = "ledger"
"""The stream of events about the ledger itself."""


class Imported(Event, frozen=True, kw_only=True):
    """A run that was made elsewhere; `run` holds the fields of a run row, with the original times. Stream: run_id."""

    type: ClassVar[str] = "imported"
    source: ImportSource
    run: Json


class Repaired(Event, frozen=True, kw_only=True):
    """A person cut off events that could not be proven. Stream: `ledger`.

    `position` and `head_hash` are those of the last event that was kept; `quarantined` names the files, in the
    ledger's `quarantine/`, that hold what was cut.
    """

    type: ClassVar[str] = "repaired"
    author: str
    reason: str
    position: int
    head_hash: str
    quarantined: list[str] = []


class Merged(Event, frozen=True, kw_only=True):
    """Events of another ledger were merged into this one. Stream: that ledger's origin.

    The other ledger's events 1 to `position` are here, in their order, at the positions in `stretches`: pairs of a
    first position and a count. With their original positions they make a chain that ends with `head_hash`.

    `added` is the number of them that came with this event, right before it (None: an older version wrote it).
    `coming` is the number of them that follow, so that their origin is known even if a crash interrupts the import.
    """

    type: ClassVar[str] = "merged"
    origin: str
    position: int
    head_hash: str
    stretches: list[tuple[int, int]]
    source: str = ""
    added: int | None = None
    coming: int = 0


class SetAside(Event, frozen=True, kw_only=True):
    """A person declared that events of this ledger do not count. Stream: `ledger`.

    `events` are pairs of a first position and a count. `head_hash` is the hash of the event before this one, so
    the event is valid only in the ledger in which it was written, not in one that it is merged into.
    """

    type: ClassVar[str] = "set_aside"
    author: str
    reason: str
    head_hash: str
    events: list[tuple[int, int]]
