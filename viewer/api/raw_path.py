"""Paths as the client sent them: a slash inside an id is not a slash between the parts of a path.

A WSGI server decodes `%2F` before the application sees it. So the router uses the path of the request line, and
decodes each part on its own.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import falcon
from falcon.routing import BaseConverter

_FIELD = re.compile(r"\{(\w+)\}")


class RawPath:
    """Routes by the path of the request line, as a middleware."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Restore the path that the client sent."""
        sent = req.env.get("REQUEST_URI") or req.env.get("RAW_URI") or ""
        path, _, query = sent.partition("?")
        if not path.startswith("/"):
            return  # If it is a whole URL, the path of the server is kept.
        if (prefix := req.root_path) and path == prefix:
            # The page's own addresses are relative, so its address must end with a slash.
            raise falcon.HTTPFound(f"{prefix}/" + (f"?{query}" if query else ""))
        if prefix and path.startswith(f"{prefix}/"):  # Some proxies take the prefix off, some do not.
            path = path[len(prefix) :]
        req.path = path.rstrip("/") or "/"


class _Part(BaseConverter):
    def convert(self, value: str) -> str:
        return unquote(value)


class _Rest(BaseConverter):
    CONSUME_MULTIPLE_SEGMENTS = True

    def convert(self, value: list[str]) -> str:  # type: ignore[override]  # the parts, as this flag asks for them
        return unquote("/".join(value))


CONVERTERS: dict[str, type[BaseConverter]] = {"part": _Part, "path": _Rest}


def template(path: str) -> str:
    """A route's path for the router: each plain field is one part, decoded."""
    return _FIELD.sub(r"{\1:part}", path)
