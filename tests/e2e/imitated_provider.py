"""A server on this machine that answers as providers do, well and badly. The first part of the path chooses how."""

from __future__ import annotations

import collections
import json
import threading
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from typing import Any

Reply = tuple[int, dict[str, str], Any]
Way = Callable[[dict[str, Any], int], Reply]
"""Makes an answer of a request and its number."""
CALL = '{"tool": "no_tool", "arguments": {}}'


def said(content: Any = CALL, *, usage: dict[str, Any] | None = None, **choice: Any) -> Reply:
    """A chat completion; `usage` {} leaves it out."""
    given = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110} if usage is None else usage
    one = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop", **choice}
    body = {"object": "chat.completion", "model": "imitated", "choices": [one]}
    return 200, {}, {**body, "usage": given} if given else body


def _newer(asked: dict[str, Any]) -> Reply:
    if "max_tokens" in asked:
        words = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return 400, {}, {"error": {"message": words, "param": "max_tokens", "code": "unsupported_parameter"}}
    if asked.get("temperature", 1) != 1:
        return 400, {}, {"error": {"message": "Unsupported value: 'temperature' does not support 0."}}
    return said()


def _strict(asked: dict[str, Any]) -> Reply:
    if "seed" not in asked:
        return said()
    extra = {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 1}
    return 422, {}, {"object": "error", "message": {"detail": [extra]}, "type": "invalid_request_error"}


THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
WAYS: dict[str, Way] = {
    "well": lambda asked, number: said(),
    "choice-error": lambda asked, number: said(
        "", finish_reason="error", error={"code": 502, "message": "upstream died"}
    ),
    "error-200": lambda asked, number: (
        200,
        {},
        {"error": {"message": "Provider returned error: upstream is overloaded", "code": 502}},
    ),
    "cut-off": lambda asked, number: said(
        finish_reason="length", message={"role": "assistant", "content": None, "reasoning_content": "so ..."}
    ),
    "filtered": lambda asked, number: said(None, finish_reason="content_filter"),
    "no-usage": lambda asked, number: said(usage={}),
    "some-usage": lambda asked, number: said(usage={} if number % 3 == 2 else None),
    "zero-usage": lambda asked, number: said(usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
    "reasoning": lambda asked, number: said(
        usage={
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 1110,
            "completion_tokens_details": {"reasoning_tokens": 1000},
        }
    ),
    "newer": lambda asked, number: _newer(asked),
    "strict": lambda asked, number: _strict(asked),
    "parts": lambda asked, number: said([THINKING, {"type": "text", "text": CALL}]),
    "busy": lambda asked, number: (
        said() if number % 2 == 0 else (429, {"Retry-After": formatdate(time() + 1, usegmt=True)}, {"error": "slowly"})
    ),
    "spent": lambda asked, number: (429, {}, {"error": {"message": "no credit", "code": "insufficient_quota"}}),
}


class ImitatedProvider:
    """Answers on a port of its own; `asked` counts the requests by the way of answering, of which `ways` are more."""

    def __init__(self, ways: Mapping[str, Way] | None = None) -> None:
        known = {**WAYS, **(ways or {})}
        self.asked: collections.Counter[str] = collections.Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                way = self.path.split("/")[1]
                outer.asked[way] += 1
                status, headers, body = known[way](asked, outer.asked[way])
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def url(self, way: str) -> str:
        """The address of a server that answers in that way."""
        return f"http://127.0.0.1:{self._http.server_port}/{way}/v1"

    def close(self) -> None:
        """End the server."""
        self._http.shutdown()
        self._http.server_close()
