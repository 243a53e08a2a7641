"""The viewer's server: waitress around the application, on one address, until a signal ends it."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from ...ledger.store import EventStore
from ...projections.sqlite.keeping import Notice
from ...projections.workspace import Workspace
from ..api.guard import LOOPBACK
from ..app import create_app
from ..resources.corrections import OpenLedger
from .listening import PortInUse as PortInUse
from .listening import ViewerError as ViewerError
from .listening import ended_by_signals, listen
from .proxy import Proxy, behind

THREADS = 8
NO_PROXY = Proxy()
_MAX_STREAMS = 4
"""Browsers open at most six connections to one server: with six streams, their other requests would wait."""


def serve(
    workspace: Path | Workspace,
    store: EventStore,
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    allowed_hosts: Collection[str] = (),
    proxy: Proxy = NO_PROXY,
    token: str | None = None,
    threads: int = THREADS,
    notice: Notice | None = None,
    open_ledger: OpenLedger | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` is called with the URL. Port 0 takes any free one.

    On an address that others can reach, visitors need the token in that URL: `token`, or else a random one.
    `allowed_hosts` are more names under which the page may be visited, such as that of a `proxy`; whom a trusted proxy
    names needs no token. `notice` and `open_ledger`: as in `create_app`.

    Raises PortInUse, and ViewerError if the address cannot be used.
    """
    from .channels import create_limited_server

    # Do not log requests that wait for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    token = token or (None if host in LOOPBACK else secrets.token_urlsafe(24))
    listening = listen(host, port)
    with contextlib.closing(listening):
        bound = listening.getsockname()[1]
        closing = threading.Event()
        app = create_app(
            workspace,
            store,
            hosts=_names(host) | set(allowed_hosts),
            token=token,
            max_streams=min(threads // 2, _MAX_STREAMS),
            closing=closing,
            eager=True,
            notice=notice,
            open_ledger=open_ledger,
        )
        server = create_limited_server(behind(proxy, app), listening, threads)
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{bound}{proxy.prefix}/" + (f"?token={token}" if token else ""))
        with ended_by_signals(closing), contextlib.suppress(KeyboardInterrupt):
            server.run()
        server.close()


def _names(host: str) -> set[str]:
    """The names under which visitors reach a server on that address."""
    if host in LOOPBACK:
        return set(LOOPBACK)
    own = {host, socket.gethostname()}
    if host in ("0.0.0.0", "::"):  # noqa: S104 - only compared
        with contextlib.suppress(OSError):
            own |= {
                info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None) if isinstance(info[4][0], str)
            }
    return own | LOOPBACK
