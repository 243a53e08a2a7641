"""A proxy on 127.0.0.1 through which the calls of foreign code to an endpoint pass the gate of the campaign.

It forwards every request unchanged, with its headers, and streams the answer. So a limit holds for a benchmark that
knows nothing of it. A request that the endpoint refuses with 429 is sent again when the gate lets it go.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from .gate import AnyGate, GateClosed, is_closed

MAX_BODY_BYTES = 256 * 1024 * 1024
MAX_REFUSALS = 8
"""How often a request is sent again after a 429; then the caller gets the answer."""
SILENCE_SECONDS = 1800.0
"""Maximum time without a byte from the endpoint."""

_PIECE = 64 * 1024
_QUOTA = b"insufficient_quota"
"""A 429 with this code does not pass."""
_OF_A_CONNECTION = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    "upgrade host content-length".split()
)
"""Headers that concern one connection only (RFC 9110, section 7.6.1), and those that are made anew."""


@contextlib.contextmanager
def proxied(base_url: str, gate: AnyGate) -> Iterator[str]:
    """The address of a proxy for an endpoint during the context; `base_url` is its name at the gate."""
    parts = urlsplit(base_url)
    origin = f"{parts.scheme}://{parts.netloc}"

    class Handler(_Handler):
        def setup(self) -> None:
            super().setup()
            self.gate, self.endpoint, self.origin = gate, base_url, origin

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 1024

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="proxy", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{parts.path}"
        finally:
            server.shutdown()
            thread.join()


class _Whole(urllib.request.HTTPErrorProcessor):
    """Passes every answer on, errors and redirects among them."""

    def http_response(self, request: object, response: http.client.HTTPResponse) -> http.client.HTTPResponse:
        return response

    https_response = http_response


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gate: AnyGate
    endpoint: str
    origin: str
    has_begun: bool
    """Whether the caller has got the head of an answer, so that nothing but its body may follow."""

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):  # The caller went away.
            super().handle_one_request()
            return
        self.close_connection = True

    def log_message(self, format: str, *_: object) -> None:
        """Log nothing: addresses may hold secrets."""

    def forward(self) -> None:
        """Forward one request and its answer."""
        self.has_begun = False
        body = self._body()
        if body is None:
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_A_CONNECTION}
        request = urllib.request.Request(self.origin + self.path, body or None, headers, method=self.command)  # noqa: S310 - the origin is http(s)
        for attempt in range(MAX_REFUSALS + 1):
            try:
                with (
                    self.gate.enter(self.endpoint, lambda: is_closed(self.connection)) as place,
                    _sent(request) as answer,
                ):
                    if answer.status != 429:
                        place.answered()
                        self._pass_on(answer)
                        return
                    content = answer.read()
                    place.refused(_seconds(answer.headers.get("Retry-After")))
                    if attempt == MAX_REFUSALS or _QUOTA in content:
                        self._reply(429, dict(answer.headers.items()), content)
                        return
            except GateClosed as problem:
                self._reply(503, {"Retry-After": "5"}, str(problem).encode())
                return
            except (OSError, http.client.HTTPException) as problem:
                if self.has_begun:
                    self.close_connection = True  # So the caller sees that the answer is torn.
                    return
                self._reply(502, {}, f"{self.endpoint} cannot be reached: {problem}".encode())
                return

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = forward  # noqa: N815 - the names of http.server

    def _body(self) -> bytes | None:
        """The body of the request; None if it was refused."""
        if self.headers.get("Upgrade"):
            self._reply(501, {}, b"connections cannot be upgraded through the limit of calls in flight")
            return None
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= MAX_BODY_BYTES:
            self._reply(413, {}, b"the request is too large")
            return None
        return self.rfile.read(length)

    def _chunks(self) -> bytes | None:
        body = bytearray()
        while True:
            line = self.rfile.readline(_PIECE).split(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError:
                size = -1
            if not 0 <= size <= MAX_BODY_BYTES - len(body):
                self._reply(413, {}, b"the request is too large, or not in chunks")
                return None
            body += self.rfile.read(size)
            self.rfile.readline(_PIECE)
            if size == 0:
                return bytes(body)

    def _pass_on(self, answer: http.client.HTTPResponse) -> None:
        """Stream an answer. If the endpoint ends it too early, the connection is closed."""
        self.has_begun = True
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in _OF_A_CONNECTION:
                self.send_header(name, value)
        has_body = self.command != "HEAD" and answer.status not in (204, 304)
        if has_body and answer.length is not None:
            self.send_header("Content-Length", str(answer.length))
        elif has_body:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if not has_body:
            return
        is_chunked = answer.length is None
        while piece := answer.read1(_PIECE):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
            self.wfile.flush()
        if answer.length:
            self.close_connection = True
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _OF_A_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


_opener = urllib.request.build_opener(_Whole)


@contextlib.contextmanager
def _sent(request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
    with _opener.open(request, timeout=SILENCE_SECONDS) as answer:
        yield answer


def _seconds(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header, which is a number or a date; None if it says nothing."""
    if retry_after is None:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(retry_after))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    return None
