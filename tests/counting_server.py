"""A real HTTP server that counts how many calls are in flight, and refuses calls with 429 if a test says so."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Counting:
    """What the server saw. `refusals` is how many calls are still refused; `hold` is how long a call takes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.flying = self.most = self.calls = 0
        self.refusals = 0
        self.retry_after: str | None = None
        self.quota = False
        self.hold = 0.05
        self.refused_at: list[float] = []
        self.begun_at: list[float] = []
        self.keys: set[str] = set()
        self.base_url = ""


@contextlib.contextmanager
def counting_server() -> Iterator[Counting]:
    """The server during the context, on 127.0.0.1."""
    counting = Counting()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with counting.lock:
                counting.calls += 1
                counting.keys.add(self.headers.get("Authorization", ""))
                refuse = counting.refusals > 0
                counting.refusals -= refuse
                (counting.refused_at if refuse else counting.begun_at).append(time.monotonic())
                counting.flying += 1
                counting.most = max(counting.most, counting.flying)
            time.sleep(0 if refuse else counting.hold)
            # Before the answer: after its last byte, the next call may arrive at once.
            with counting.lock:
                counting.flying -= 1
            if refuse:
                self._refuse()
            else:
                self._answer(body)

        def _refuse(self) -> None:
            content = b'{"error": {"code": "insufficient_quota"}}' if counting.quota else b'{"error": "slow down"}'
            self.send_response(429)
            if counting.retry_after is not None:
                self.send_header("Retry-After", counting.retry_after)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _answer(self, body: bytes) -> None:
            if json.loads(body or b"{}").get("stream"):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in (b"data: one\n\n", b"data: two\n\n"):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                    time.sleep(0.05)
                self.wfile.write(b"0\r\n\r\n")
                return
            content = json.dumps({"path": self.path, "echo": json.loads(body)}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    with Server(("127.0.0.1", 0), Handler) as server:
        counting.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield counting
        server.shutdown()


CALLER = """
import concurrent.futures, os, urllib.request
def call(number):
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps({"n": number}).encode(),
        {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["echo"]["n"] == number
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    right = list(pool.map(call, range(12)))
print(os.environ["OPENAI_BASE_URL"])
output.joinpath("result.json").write_text(json.dumps({"score": sum(right) / 12, "n": 12}))
"""
"""A benchmark that knows nothing of a limit: eight calls at a time."""
