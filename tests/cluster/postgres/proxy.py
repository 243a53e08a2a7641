"""A proxy between a store and its server that cuts connections at a chosen message."""

from __future__ import annotations

import contextlib
import socket
import threading


class _State:
    """One connection: whether the answers of the server are swallowed, and whether one was."""

    def __init__(self) -> None:
        self.is_muted = False
        self.answered = threading.Event()


class Proxy:
    """Forwards connections to a port of this machine. `cut` decides on each message of a client."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self.word = b""
        """The message of the client that contains this is the last one of its connection."""
        self.is_forwarded = True
        """Whether the server still gets that message; its answer is then swallowed."""
        self.end = b""
        """The server gets only what is before this in that message."""
        self.cuts = 0
        self.sent: list[bytes] = []
        """What clients have sent."""
        self.is_down = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, word: bytes, *, is_forwarded: bool, before: bytes = b"") -> None:
        """Cut the next connection that sends this word, once; the server gets what is before another word."""
        self.is_forwarded, self.end, self.word = is_forwarded, before, word

    def cut_all(self) -> None:
        """Cut every connection now."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.is_down = True
        self._listener.close()
        self.cut_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._port))
            self._open += [client, server]
            state = _State()
            threading.Thread(target=self._upward, args=(client, server, state), daemon=True).start()
            threading.Thread(target=self._downward, args=(server, client, state), daemon=True).start()

    def _upward(self, client: socket.socket, server: socket.socket, state: _State) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                self.sent.append(data)
                if self.word and self.word in data:
                    self.word = b""
                    self.cuts += 1
                    state.is_muted = True
                    if self.end:
                        server.sendall(data[: data.index(self.end)])
                    elif self.is_forwarded:
                        server.sendall(data)
                        state.answered.wait(30)  # The server has done it.
                    break
                server.sendall(data)
        self._close(client, server)

    def _downward(self, server: socket.socket, client: socket.socket, state: _State) -> None:
        with contextlib.suppress(OSError):
            while not state.is_muted and (data := server.recv(1 << 16)):
                if state.is_muted:
                    state.answered.set()
                    break
                client.sendall(data)
        if not state.is_muted:
            self._close(client, server)

    def _close(self, *sockets: socket.socket) -> None:
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
