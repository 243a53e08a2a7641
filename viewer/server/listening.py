"""The address that a server listens on, and the signals that end it."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType


class ViewerError(Exception):
    """The viewer cannot be served; the message says why, and what to do."""


class PortInUse(ViewerError):
    """Another program listens there already."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; port 0 takes any free one. Raises PortInUse and ViewerError."""
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
def ended_by_signals(closing: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `closing`, and raise KeyboardInterrupt in this thread."""

    def end(number: int, _: FrameType | None) -> None:
        closing.set()
        raise KeyboardInterrupt  # It ends the loop and the threads of waitress.

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
