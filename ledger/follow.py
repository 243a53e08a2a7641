"""New events as they are appended."""

from __future__ import annotations

from collections.abc import Iterator

from .store import EventStore

LOOK_EVERY = 0.1
"""Seconds between two checks of the store's revision. One check takes about ten microseconds."""


def follow_lines(store: EventStore, after: int = 0) -> Iterator[bytes | None]:
    """The lines after position `after`: first the stored ones, then new ones, without end.

    Yields None when it has caught up, so that the caller can flush.
    """
    seq = after
    while True:
        seen = store.revision()
        for line in store.read_lines(after=seq):
            seq += 1
            yield line
        yield None
        while store.revision() == seen:
            store.wait(LOOK_EVERY)
