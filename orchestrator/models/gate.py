"""The gate of a campaign: it lets a limited number of calls to an endpoint be in flight, across all runs.

Every call passes it, wherever its run is performed. On another machine, a call is one connection to the gate's server:
the call waits for a line that lets it go, and its place is free again when the connection ends, even if the machine
dies. After a 429, no call of that endpoint goes before the time that the endpoint named.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0
"""Without a Retry-After, the pause begins with the first and doubles up to the second with each further 429."""
MAX_NAMED_SECONDS = 600.0
"""A longer Retry-After counts as this."""

_LOOK_SECONDS = 0.2
_CONNECT_SECONDS = 10.0
_MAX_LINE = 4096


class GateClosed(Exception):
    """The gate cannot be reached, or the caller does not wait any longer."""


class Place(Protocol):
    """A call that may be in flight."""

    def refused(self, retry_after: float | None) -> None:
        """Note that the endpoint answered 429: no call goes before that many seconds have passed."""
        ...

    def answered(self) -> None:
        """Note that the endpoint answered: the next pause is short again."""
        ...


class AnyGate(Protocol):
    """The gate of this process, or that of another one."""

    def limit(self, endpoint: str) -> int | None:
        """The maximum number of calls in flight; None if it is unlimited."""
        ...

    def enter(self, endpoint: str, gives_up: Callable[[], bool]) -> contextlib.AbstractContextManager[Place]:
        """Wait for a place; it is held during the context. Raises GateClosed."""
        ...


class _State:
    """One endpoint: its calls in flight, and the time before which none may go."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.flying = 0
        self.not_before = 0.0
        self.pause = FIRST_PAUSE_SECONDS


class Gate:
    """The gate in the process of the campaign. Safe for many threads."""

    def __init__(self, limits: dict[str, int]) -> None:
        """`limits` are by the base URLs of endpoints."""
        self._states = {endpoint: _State(limit) for endpoint, limit in limits.items()}
        self._changed = threading.Condition()

    def limit(self, endpoint: str) -> int | None:
        """The maximum number of calls in flight; None if it is unlimited."""
        state = self._states.get(endpoint)
        return state.limit if state else None

    @contextlib.contextmanager
    def enter(self, endpoint: str, gives_up: Callable[[], bool]) -> Iterator[Place]:
        """Wait for a place; it is held during the context. Raises GateClosed if `gives_up` returns true."""
        state = self._states[endpoint]
        with self._changed:
            while state.flying >= state.limit or time.monotonic() < state.not_before:
                self._changed.wait(_LOOK_SECONDS)
                if gives_up():
                    raise GateClosed("the caller does not wait any longer")
            state.flying += 1
        try:
            yield _LocalPlace(state, self._changed)
        finally:
            with self._changed:
                state.flying -= 1
                self._changed.notify_all()


class _LocalPlace:
    def __init__(self, state: _State, changed: threading.Condition) -> None:
        self._state = state
        self._changed = changed

    def refused(self, retry_after: float | None) -> None:
        """Note a 429."""
        state = self._state
        with self._changed:
            pause = min(retry_after, MAX_NAMED_SECONDS) if retry_after is not None else state.pause
            state.not_before = max(state.not_before, time.monotonic() + pause)
            state.pause = min(2 * state.pause, MAX_PAUSE_SECONDS)

    def answered(self) -> None:
        """Note an answer."""
        self._state.pause = FIRST_PAUSE_SECONDS


class GateAddress(msgspec.Struct, frozen=True):
    """Where the server of a gate listens, the token that it wants, and its limits by endpoint."""

    host: str
    port: int
    token: str
    limits: dict[str, int]


class _Ask(msgspec.Struct, frozen=True):
    """The first line of a connection."""

    token: str
    endpoint: str


class _Tell(msgspec.Struct, frozen=True):
    """A later line: the endpoint answered 429 (after how many seconds to go on, if it named them), or answered."""

    refused: bool
    retry_after: float | None = None


@contextlib.contextmanager
def serving(gate: Gate, limits: dict[str, int], host: str) -> Iterator[GateAddress]:
    """Serve a gate to other machines during the context."""
    token = os.urandom(16).hex()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, msgspec.DecodeError, RecursionError, GateClosed):
                self._serve()

        def _serve(self) -> None:
            asked = msgspec.json.decode(self.rfile.readline(_MAX_LINE), type=_Ask)
            if not hmac.compare_digest(asked.token, token) or gate.limit(asked.endpoint) is None:
                return
            with gate.enter(asked.endpoint, lambda: is_closed(self.connection)) as place:
                self.wfile.write(b"go\n")
                while line := self.rfile.readline(_MAX_LINE):
                    told = msgspec.json.decode(line, type=_Tell)
                    if told.refused:
                        place.refused(told.retry_after)
                        self.wfile.write(b"noted\n")
                    else:
                        place.answered()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 1024

    with Server((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="gate", daemon=True)
        thread.start()
        try:
            yield GateAddress(host, server.server_address[1], token, limits)
        finally:
            server.shutdown()
            thread.join()


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed a connection on which it has nothing to say."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class RemoteGate:
    """The gate of a campaign, as another machine reaches it."""

    def __init__(self, address: GateAddress) -> None:
        self._address = address

    def limit(self, endpoint: str) -> int | None:
        """The maximum number of calls in flight; None if it is unlimited."""
        return self._address.limits.get(endpoint)

    @contextlib.contextmanager
    def enter(self, endpoint: str, gives_up: Callable[[], bool]) -> Iterator[Place]:
        """Wait for a place; it is held during the context. Raises GateClosed."""
        address = self._address
        try:
            connection = socket.create_connection((address.host, address.port), _CONNECT_SECONDS)
        except OSError as problem:
            raise GateClosed(f"the gate of the campaign cannot be reached: {problem}") from problem
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.sendall(msgspec.json.encode(_Ask(address.token, endpoint)) + b"\n")
            connection.settimeout(_LOOK_SECONDS)
            while True:
                try:
                    answer = connection.recv(8)
                except TimeoutError:
                    if gives_up():
                        raise GateClosed("the caller does not wait any longer") from None
                    continue
                except OSError as problem:
                    raise GateClosed(f"the gate of the campaign was lost: {problem}") from problem
                if answer != b"go\n":
                    raise GateClosed("the campaign has ended, and with it its gate")
                break
            connection.settimeout(_CONNECT_SECONDS)
            yield _RemotePlace(connection)


class _RemotePlace:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def refused(self, retry_after: float | None) -> None:
        """Note a 429. Raises GateClosed."""
        try:
            self._connection.sendall(msgspec.json.encode(_Tell(True, retry_after)) + b"\n")
            self._connection.recv(8)
        except OSError as problem:
            raise GateClosed(f"the gate of the campaign was lost: {problem}") from problem

    def answered(self) -> None:
        """Note an answer."""
        with contextlib.suppress(OSError):  # The next call finds out.
            self._connection.sendall(msgspec.json.encode(_Tell(False)) + b"\n")
