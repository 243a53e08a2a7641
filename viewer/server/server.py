"""The viewer's server: waitress around the application, on one address, until a signal ends it."""

from __future__ import annotations

import contextlib
import errno
import logging
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import FrameType

from ...ledger.store import EventStore
from ...projections.sqlite.keeping import Notice
from ...projections.workspace import Workspace
from ..api.guard import LOOPBACK
from ..app import create_app
from .proxy import Proxy, behind

THREADS = 8
NO_PROXY = Proxy()
_MAX_STREAMS = 4
"""Browsers open at most six connections to one server: with six streams, their other requests would wait."""


class ViewerError(Exception):
    """The viewer cannot be served; the message says why, and what to do."""


class PortInUse(ViewerError):
    """Another program listens there already."""


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
) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` is called with the URL. Port 0 takes any free one.

    On an address that others can reach, visitors need the token in that URL: `token`, or else a random one.
    `allowed_hosts` are more names under which the page may be visited, such as that of a `proxy`; whom a trusted proxy
    names needs no token. `notice`: as in `create_app`. Raises PortInUse, and ViewerError if the address cannot be used.
    """
    from .channels import create_limited_server

    # Do not log requests that wait for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    token = token or (None if host in LOOPBACK else secrets.token_urlsafe(24))
    listening = _listen(host, port)
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
        )
        server = create_limited_server(behind(proxy, app), listening, threads)
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{bound}{proxy.prefix}/" + (f"?token={token}" if token else ""))
        with _ended_by_signals(closing), contextlib.suppress(KeyboardInterrupt):
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


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as problem:
        raise ViewerError(f"'{host}' is not an address of this machine: {problem.strerror}") from problem
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as problem:
        listening.close()
        if problem.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} of {host} is in use; give another with --port (0 takes any free one)"
            ) from problem
        raise ViewerError(
            f"cannot listen on {host} port {port}: {problem.strerror}; see --host and --port"
        ) from problem
    return listening


@contextlib.contextmanager
def _ended_by_signals(closing: threading.Event) -> Iterator[None]:
    def end(number: int, _: FrameType | None) -> None:
        closing.set()
        raise KeyboardInterrupt  # It ends the loop and the threads of waitress.

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
