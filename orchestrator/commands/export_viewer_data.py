"""`export-viewer-data`: both projections, built anew from the ledger."""

from __future__ import annotations

import click

from ...ledger.past import Past
from ..datasets import rebuild_all
from .place import Place, as_of_option, in_place, limit_of, note


@click.command()
@as_of_option("The history as it was then, in a folder of its own.")
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
    past = Past(store, limit_of(as_of))
    position = max((record.seq for record in past.read()), default=0)
    now = place.workspace
    folder = now.results / f"as-of-{position}"
    print(rebuild_all(folder / now.database.name, folder / now.viewer_data.name, past, notice=note))
