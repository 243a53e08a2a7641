"""A small reverse proxy for tests, as a program: `reverse_proxy.py BACKEND_PORT PREFIX keep|strip [HEADER=VALUE]...`.

It serves PREFIX on a free port, which it prints, and passes requests on to the backend: with the prefix or without, and
with the given headers in place of those of the visitor. A value may hold {host}, the Host that the visitor asked for.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BACKEND, PREFIX, WAY = int(sys.argv[1]), sys.argv[2], sys.argv[3]
HEADERS = dict(argument.split("=", 1) for argument in sys.argv[4:])
_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        path = self.path
        if not (path + "/").startswith(PREFIX + "/") and not path.startswith(PREFIX + "?"):
            self.send_error(404, "not a path of the viewer")
            return
        if WAY == "strip":
            path = path[len(PREFIX) :] or "/"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
        for name, value in HEADERS.items():
            asked = {known: one for known, one in asked.items() if known.lower() != name.lower()}
            asked[name] = value.format(host=self.headers["Host"])
        backend = http.client.HTTPConnection("127.0.0.1", BACKEND, timeout=60)
        backend.request(self.command, path, body or None, asked)
        answer = backend.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _OF_ONE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):  # The visitor has gone, as from a stream.
            while piece := answer.read1(65536):
                self.wfile.write(piece)
        backend.close()

    do_GET = do_HEAD = do_POST = answer

    def log_message(self, format: str, *values: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
