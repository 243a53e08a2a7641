"""`serve-viewer`: the history in a browser."""

from __future__ import annotations

import click

from ...orchestrator.errors import UsageError
from ..context import Place, in_place, note


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8877, show_default=True, help="0 takes any free one.")
@click.option("--allowed-host", multiple=True, metavar="NAME", help="Another name under which it may be visited.")
@in_place
def command(place: Place, host: str, port: int, allowed_host: tuple[str, ...]) -> None:
    """Serve the viewer until Ctrl-C; nothing is ever changed by it.

    On another address than this machine's own, the printed URL carries a token that a visitor needs.
    """
    from ...viewer.server.server import ViewerError, serve

    try:
        serve(
            place.workspace.root,
            place.store(),
            host=host,
            port=port,
            allowed_hosts=allowed_host,
            notice=note,
            on_ready=lambda url: print(f"the viewer is at {url} (Ctrl-C ends it)", flush=True),
        )
    except ViewerError as problem:
        raise UsageError(str(problem)) from problem
