"""A real server with four threads: neither streams nor slow clients keep others from their answers."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import urlsplit

import psutil
import pytest

from benchmarks.ledger.events import NewEvent
from benchmarks.viewer.server import channels
from tests.waiting import until

from .test_server import serve_while, visit

THREADS = 4


def connect(url):
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def send(connection, path, *headers):
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode())


def read_until(connection, wanted):
    told = b""
    while wanted not in told:
        piece = connection.recv(65536)
        assert piece, f"closed before {wanted!r} came: {told[-200:]!r}"
        told += piece
    return told


def is_closed_soon(connection):
    """Whether the other side ends it; what it says before that does not matter."""
    connection.settimeout(20)
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    return True


def is_kept(connection):
    """Whether the server, which is in this process, still has its end of the connection."""
    ends = psutil.Process().net_connections("tcp")
    return any(end.raddr and end.raddr.port == connection.getsockname()[1] and end.fd >= 0 for end in ends)


def test_a_stream_for_each_thread_stalls_no_request(tmp_path, store, histories):
    histories.append_anyway(store, [NewEvent("run_a", histories.started())])

    def visitor(url):
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(connect(url)) for _ in range(3 * THREADS)]
            for stream in streams:
                send(stream, "/api/stream?after=1")
                read_until(stream, b"event: stale")
            assert visit(url + "healthz")[0] == 200
            assert b"viewer_open_streams 2" in visit(url + "metrics")[1], "half of the threads wait, and no more"
            histories.append_anyway(store, [NewEvent("run_a", histories.finished(0.5))])
            for stream in streams[:2]:
                assert b"succeeded" in read_until(stream, b"event: head")
            for stream in streams[2:]:  # These were answered at once: they ask again, as browsers do.
                send(stream, "/api/stream", "Last-Event-ID: 1")
                assert b"succeeded" in read_until(stream, b"event: head")
        return True

    assert serve_while(visitor, tmp_path, store, threads=THREADS)


def test_a_stream_without_its_reader_frees_its_place(tmp_path, store):
    def visitor(url):
        def opened():
            return b"viewer_open_streams 1" in visit(url + "metrics")[1]

        with connect(url) as stream:
            send(stream, "/api/stream")
            read_until(stream, b"event: stale")
            assert opened()
        until(lambda: not opened())
        return True

    assert serve_while(visitor, tmp_path, store, threads=2)


def test_clients_that_send_slowly_stall_no_request_and_are_closed(tmp_path, store, monkeypatch):
    monkeypatch.setattr(channels, "REQUEST_SECONDS", 0.5)

    def visitor(url):
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(connect(url)) for _ in range(150)]
            for connection in slow:
                connection.sendall(b"GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            assert visit(url + "healthz")[0] == 200
            with contextlib.suppress(OSError):  # A drop now and then does not buy more time.
                for _ in range(10):
                    slow[0].sendall(b"x")
                    time.sleep(0.1)
            return all(is_closed_soon(connection) for connection in slow)

    assert serve_while(visitor, tmp_path, store, threads=THREADS)


@pytest.mark.slow
def test_a_client_that_does_not_read_holds_no_thread_and_is_closed(tmp_path, store, histories, monkeypatch):
    monkeypatch.setattr(channels, "READ_WINDOW_SECONDS", 0.5)
    error = "x" * 400
    runs = [NewEvent(f"run_{n}", histories.started(str(n), agent=error)) for n in range(8000)]
    histories.append_anyway(store, runs)

    def visitor(url):
        visit(url + "api/runs?limit=1")
        with contextlib.ExitStack() as stack:
            lazy = [stack.enter_context(connect(url)) for _ in range(2 * THREADS)]
            for connection in lazy:
                # Two answers of megabytes, one after the other, and no client reads them.
                send(connection, "/api/runs?format=csv")
                send(connection, "/api/runs?format=json")
            for path in ("healthz", "api/runs?limit=1", "api/overview"):
                assert visit(url + path)[0] == 200
            until(lambda: not any(is_kept(connection) for connection in lazy))
        return True

    assert serve_while(visitor, tmp_path, store, threads=THREADS)


def test_a_client_that_sends_nothing_is_closed(tmp_path, store, monkeypatch):
    monkeypatch.setattr(channels, "IDLE_SECONDS", 0.2)

    def visitor(url):
        with connect(url) as silent, connect(url) as idle:
            send(idle, "/healthz")
            read_until(idle, b"ok")
            return is_closed_soon(silent) and is_closed_soon(idle)

    assert serve_while(visitor, tmp_path, store)


def test_idle_connections_are_closed_if_all_are_taken(tmp_path, store, monkeypatch):
    monkeypatch.setattr(channels, "CONNECTIONS", 20)
    monkeypatch.setattr(channels, "CROWDED_SECONDS", 0.2)

    def visitor(url):
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(connect(url))
            return visit(url + "healthz")[0]

    assert serve_while(visitor, tmp_path, store) == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
        (b"POST /api/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 300_000, b"413"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", b"40"),
        (b"GET / HTTP/1.1\r\n\r\n", b"403"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_requests_have_size_limits(tmp_path, store, request_, status):
    def visitor(url):
        with connect(url) as connection:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(request_)
            return connection.recv(100)

    assert serve_while(visitor, tmp_path, store).split(b" ")[1].startswith(status)
