"""`serve-viewer`: the history in a browser."""

from __future__ import annotations

import click

from ...orchestrator.errors import UsageError
from ..context import Place, in_place, note
from ..ranges import Whole


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on this address.")
@click.option(
    "--port",
    metavar="N",
    type=Whole(0, 65535),
    default=8877,
    show_default=True,
    help="Port; 0 picks a free one.",
)
@click.option("--allowed-host", multiple=True, metavar="NAME", help="Also accept requests for this host (repeatable).")
@in_place
def command(place: Place, host: str, port: int, allowed_host: tuple[str, ...]) -> None:
    """Serve the viewer until Ctrl-C. It is read-only.

    If it listens on an address that other machines can reach, the printed URL contains a token that visitors need.
    """
    from ...viewer.server.server import ViewerError, serve

    try:
        serve(
            place.workspace,
            place.store(),
            host=host,
            port=port,
            allowed_hosts=allowed_host,
            notice=note,
            on_ready=lambda url: print(f"the viewer is at {url} (Ctrl-C stops it)", flush=True),
        )
    except ViewerError as problem:
        raise UsageError(str(problem)) from problem
