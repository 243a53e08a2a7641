"""`export-viewer-data`: both projections rebuilt from the ledger, or the viewer as one file."""

from __future__ import annotations

from pathlib import Path

import click

from ...ledger.past import Past
from ...ledger.store import EventStore
from ...orchestrator.errors import UsageError
from ...projections.sqlite.refresh import rebuild_all
from ..context import Place, as_of_option, in_place, limit_of, note
from ..ranges import Whole


@click.command()
@as_of_option("Write the history as it was at that time, in a folder of its own.")
@click.option("--html", metavar="FILE", help="Write the viewer with its data inside as one HTML file instead.")
@click.option(
    "--details",
    metavar="N",
    type=Whole(0),
    default=1000,
    show_default=True,
    help="With --html: number of newest runs whose configuration and events are included.",
)
@click.option(
    "--moments",
    metavar="N",
    type=Whole(0),
    default=40,
    show_default=True,
    help="With --html: maximum number of earlier moments that are included.",
)
@click.option("--no-charts", is_flag=True, help="With --html: omit the script that draws charts (0.9 MB).")
@in_place
def command(place: Place, as_of: str | None, html: str | None, details: int, moments: int, no_charts: bool) -> None:
    """Rebuild orchestrator.sqlite and viewer_data.json from the ledger, and print the path of the latter.

    The same ledger gives the same bytes. With --as-of (an ISO 8601 time, or the position of an event) they are written
    to benchmark_results/as-of-SEQ/, and the current files stay unchanged.

    --html writes a page that opens from the disk, without a server: all pages with their data, also as of earlier
    moments, and the samples of the newest runs as far as there is room. It does not contain logs, and cannot query.
    """
    store = place.store()
    if html is not None:
        if as_of is not None:
            raise UsageError("--html and --as-of exclude each other: the page shows the present")
        _write_page(place, store, Path(html), details, moments, with_charts=not no_charts)
        return
    if as_of is None:
        print(rebuild_all(place.workspace.database, place.workspace.viewer_data, store, notice=note))
        return
    past = Past(store, limit_of(as_of))
    position = max((record.seq for record in past.read()), default=0)
    now = place.workspace
    folder = now.results / f"as-of-{position}"
    print(rebuild_all(folder / now.database.name, folder / now.viewer_data.name, past, notice=note))


def _write_page(place: Place, store: EventStore, file: Path, details: int, moments: int, *, with_charts: bool) -> None:
    from ...viewer.offline.file import write_page

    if not file.name:
        raise UsageError("--html needs the name of a file", "for example --html viewer.html")

    try:
        runs = write_page(place.workspace.root, store, file, details=details, moments=moments, with_charts=with_charts)
    except OSError as problem:
        raise UsageError(f"{file} cannot be written: {problem.strerror}") from problem
    note(f"wrote {runs} runs to {file}, {file.stat().st_size / 1e6:.1f} MB")
    print(file)
