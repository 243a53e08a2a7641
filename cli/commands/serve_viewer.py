"""`serve-viewer`: the history in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ...adapters.regular_file import read_regular
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
@click.option("--prefix", default="", metavar="PATH", help="Serve below this path of a reverse proxy (/benchmarks).")
@click.option(
    "--trusted-proxy",
    multiple=True,
    metavar="ADDRESS",
    help="Believe the forwarded headers of this address or network (repeatable).",
)
@click.option("--user-header", metavar="NAME", help="Header in which a trusted proxy names the user who signed in.")
@click.option("--token-file", metavar="FILE", help="Require the token in this file (default: a random one, if any).")
@in_place
def command(
    place: Place,
    host: str,
    port: int,
    allowed_host: tuple[str, ...],
    prefix: str,
    trusted_proxy: tuple[str, ...],
    user_header: str | None,
    token_file: str | None,
) -> None:
    """Serve the viewer until Ctrl-C. It reads; visitors who need a token may also write corrections of runs.

    If it listens on an address that other machines can reach, the printed URL contains a token that visitors need.
    Users whom a trusted proxy names with --user-header need none.
    """
    from ...viewer.server.proxy import BadProxySetting, proxy_of
    from ...viewer.server.server import ViewerError, serve

    token = _token_in(token_file) if token_file else None
    try:
        serve(
            place.workspace,
            place.store(),
            host=host,
            port=port,
            allowed_hosts=allowed_host,
            proxy=proxy_of(trusted_proxy, prefix, user_header),
            token=token,
            notice=note,
            open_ledger=lambda: place.ledger(place.store())[0],
            # A token from a file is known to its users, and does not belong into the log of a service.
            on_ready=lambda url: print(
                f"the viewer is at {url.partition('?')[0] if token else url} (Ctrl-C stops it)", flush=True
            ),
        )
    except (ViewerError, BadProxySetting) as problem:
        raise UsageError(str(problem)) from problem


def _token_in(file: str) -> str:
    """The token in a file. Raises UsageError."""
    try:
        text = read_regular(Path(file), most=_MAX_TOKEN_BYTES).decode("ascii").strip()
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not ASCII text"
        raise UsageError(f"the token in {file} cannot be read: {reason}", "give a file with one line") from problem
    if not _TOKEN.fullmatch(text):
        raise UsageError(
            f"the token in {file} must have 16 to 200 letters, digits, - or _", "openssl rand -hex 24 makes one"
        )
    return text


_MAX_TOKEN_BYTES = 1000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")
