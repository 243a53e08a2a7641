"""The counts of the server, for Prometheus."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

import falcon


class Metrics:
    """Counts requests, as a middleware; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.seconds = 0.0
        self.streams = 0

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Note when a request began."""
        req.context.began = time.perf_counter()

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        """Count it when its answer is ready."""
        taken = time.perf_counter() - req.context.began
        with self._lock:
            self.requests[f"{resp.status_code // 100}xx"] += 1
            self.seconds += taken

    def add_stream(self, number: int) -> None:
        """A stream was opened (1) or ended (-1)."""
        with self._lock:
            self.streams += number
