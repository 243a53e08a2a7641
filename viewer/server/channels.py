"""Connections with a time limit: a client that sends or reads too slowly loses its connection.

Waitress gives a request to a thread when it is complete, and sends answers in one loop. So a slow client does not hold
a thread, but it holds one of the connections. Here it loses that place.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

CONNECTIONS = 500
MAX_HEADER_BYTES = 32 * 1024
MAX_BODY_BYTES = 256 * 1024
REQUEST_SECONDS = 20.0
"""The maximum time from the first byte of a request to its last."""

IDLE_SECONDS = 75.0
"""The maximum time that a connection may wait for its next request."""

CROWDED_SECONDS = 2.0
"""Both limits, if all connections are taken."""

READ_WINDOW_SECONDS = 30.0
MIN_BYTES_PER_SECOND = 1024


class LimitedChannel(HTTPChannel):
    """A connection that is closed if it keeps the server waiting."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._last_heard = time.monotonic()
        self._request_began: float | None = None
        self._sent = 0
        self._window: tuple[float, int] | None = None  # When it began, and the bytes sent until then.
        super().__init__(*given, **named)

    def received(self, data: bytes) -> bool:
        """Take the bytes, and note when the request began."""
        self._last_heard = time.monotonic()
        taken = bool(super().received(data))
        if self.request is None:
            self._request_began = None
        elif self._request_began is None:
            self._request_began = self._last_heard
        return taken

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send bytes, and count them."""
        number = int(super().send(data, do_close=do_close) or 0)
        self._sent += number
        return number

    def look_at_the_clock(self) -> None:
        """Close the connection if its time is up."""
        if self.connected and self._keeps_waiting(time.monotonic()):
            # At once: waitress waits until more can be written, which a slow reader never allows.
            self.will_close = self.close_when_flushed = False
            self.handle_close()

    def _keeps_waiting(self, now: float) -> bool:
        if self.total_outbufs_len:
            return self._reads_slowly(now)
        self._window = None
        if self.requests:
            self._last_heard = now  # It waits for this server.
            return False
        crowded = self.server.in_connection_overflow
        if self._request_began is not None:
            return now - self._request_began > (CROWDED_SECONDS if crowded else REQUEST_SECONDS)
        return now - self._last_heard > (CROWDED_SECONDS if crowded else IDLE_SECONDS)

    def _reads_slowly(self, now: float) -> bool:
        self._last_heard = now
        if self._window is None:
            self._window = (now, self._sent)
            return False
        began, sent = self._window
        if now - began < READ_WINDOW_SECONDS:
            return False
        self._window = (now, self._sent)
        return self._sent - sent < MIN_BYTES_PER_SECOND * READ_WINDOW_SECONDS


class LimitedServer(TcpWSGIServer):
    """A server that checks the time limits of its connections once a second."""

    channel_class = LimitedChannel

    def maintenance(self, now: float) -> None:
        """Waitress calls this every `cleanup_interval` seconds."""
        channels: dict[int, LimitedChannel] = self.active_channels  # type: ignore[assignment]  # its stub is wrong
        for channel in list(channels.values()):
            channel.look_at_the_clock()


def create_limited_server(app: Any, listening: socket.socket, threads: int) -> LimitedServer:
    """A server of that application on a listening socket, with limits for connections and requests."""
    limits = Adjustments(
        sockets=[listening],
        threads=threads,
        ident="",
        asyncore_use_poll=True,
        cleanup_interval=1,
        connection_limit=CONNECTIONS,
        max_request_header_size=MAX_HEADER_BYTES,
        max_request_body_size=MAX_BODY_BYTES,
        clear_untrusted_proxy_headers=False,  # `proxy.behind` does it, for each peer.
        channel_request_lookahead=1,  # So that the server notices when the reader of a stream has gone.
    )
    about = (listening.family, listening.type, listening.proto, listening.getsockname())
    return LimitedServer(app, _sock=listening, adj=limits, bind_socket=False, sockinfo=about)
