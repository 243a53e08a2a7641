"""The server: it listens on the given address, prints its URL, and ends after a signal."""

from __future__ import annotations

import os
import signal
import socket
import threading
import urllib.error
import urllib.request

import pytest

from benchmarks.viewer.server.server import PortInUse, ViewerError, serve


def visit(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.status, answer.read()


def serve_while(visitor, tmp_path, store, **options):
    """Serve in this thread, as `serve` must; the visitor comes in another, and a signal ends both."""
    seen = []

    def visit_and_end(url):
        try:
            seen.append(visitor(url))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_ready(url):
        threading.Thread(target=visit_and_end, args=(url,)).start()

    serve(tmp_path / "w", store, **{"host": "127.0.0.1", "port": 0, "on_ready": on_ready, **options})
    assert len(seen) == 1, "the visitor failed"
    return seen[0]


def test_the_server_prints_its_url_and_ends_after_a_signal(tmp_path, store):
    assert serve_while(lambda url: visit(url + "healthz"), tmp_path, store) == (200, b"ok\n")


def test_an_allowed_host_is_answered(tmp_path, store):
    def visitor(url):
        return visit(url + "healthz", Host="bench.example")

    assert serve_while(visitor, tmp_path, store, allowed_hosts=["bench.example"])[0] == 200


def test_a_token_is_required_on_a_public_address(tmp_path, store):
    def visitor(url):
        address, _, token = url.partition("?token=")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            visit(address)
        return token, visit(url)[0]

    token, status = serve_while(visitor, tmp_path, store, host="127.0.0.2")
    assert status == 200 and len(token) >= 32


def test_a_port_in_use_is_reported_with_a_hint(tmp_path, store):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortInUse, match="--port"):
        serve(tmp_path, store, host="127.0.0.1", port=other.getsockname()[1], on_ready=lambda url: pytest.fail(url))


def test_an_address_of_another_machine_is_reported(tmp_path, store):
    with pytest.raises(ViewerError, match=r"192\.0\.2\.1"):
        serve(tmp_path, store, host="192.0.2.1", port=0, on_ready=lambda url: pytest.fail(url))
