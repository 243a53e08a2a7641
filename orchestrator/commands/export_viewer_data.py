"""`export-viewer-data`: both projections, built anew from the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import click

from ...ledger.events import Record
from ...ledger.identity import parse_utc
from ...ledger.store import Accept, Decide, EventStore
from ..datasets import rebuild_all
from ..usage import UsageError
from .place import Place, in_place, note


@click.command()
@click.option("--as-of", metavar="TIME|SEQ", help="The history as it was then, in a folder of its own.")
@in_place
def command(place: Place, as_of: str | None) -> None:
    """Rebuild orchestrator.sqlite and viewer_data.json from the ledger, and print the path of the latter.

    The same ledger gives the same bytes. With --as-of (an ISO 8601 time, or the position of an event) they stand in
    benchmark_results/as-of-SEQ/, and the current ones stay as they are.
    """
    store = place.store()
    if as_of is None:
        print(rebuild_all(place.workspace.database, place.workspace.viewer_data, store, notice=note))
        return
    past = Past(store, _limit(as_of))
    position = max((record.seq for record in past.read()), default=0)
    now = place.workspace
    folder = now.results / f"as-of-{position}"
    print(rebuild_all(folder / now.database.name, folder / now.viewer_data.name, past, notice=note))


def _limit(as_of: str) -> int | datetime:
    if as_of.isdecimal():
        return int(as_of)
    try:
        return parse_utc(as_of)
    except ValueError as problem:
        raise UsageError(
            f"--as-of '{as_of}' is neither a time such as 2026-11-23T10:00:00Z nor a position"
        ) from problem


class Past:
    """A ledger as it was at a time, or after an event: for reading only."""

    def __init__(self, store: EventStore, limit: int | datetime) -> None:
        self.url = store.url
        self._store = store
        self._limit = limit

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records behind `after`, up to the limit."""
        for record in self._store.read(after):
            if record.seq > self._limit if isinstance(self._limit, int) else parse_utc(record.at) > self._limit:
                return
            yield record

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The lines of those records."""
        return (line for _, line in zip(self.read(after), self._store.read_lines(after), strict=False))

    def append(self, decide: Decide, accept: Accept) -> list[Record]:
        """The past can't be changed."""
        raise TypeError("the past of a ledger is for reading only")

    def sync(self) -> None:
        """Nothing is ever written."""

    def close(self) -> None:
        """Let go of the store's files."""
        self._store.close()
