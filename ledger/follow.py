"""New events as they come."""

from __future__ import annotations

import time
from collections.abc import Iterator

from .store import EventStore

LOOK_EVERY = 0.1
"""Seconds between two looks. A look asks for the store's revision, which costs some ten microseconds."""


def follow_lines(store: EventStore, after: int = 0) -> Iterator[bytes | None]:
    """The lines behind position `after`, those that are there and then those to come; without end.

    None stands where all was given that is there: whoever shows them can show it then, and is asked for nothing else.
    """
    seq = after
    while True:
        seen = store.revision()
        for line in store.read_lines(after=seq):
            seq += 1
            yield line
        yield None
        while store.revision() == seen:
            time.sleep(LOOK_EVERY)
