"""The files of the page."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import falcon

from ..api.answers import pack, send_packed

_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class PageFile:
    """A file of the page."""

    def __init__(self, file: Path) -> None:
        self._body = file.read_bytes()
        self._packed = pack(self._body)
        self._type = _TYPES[file.suffix]
        self._tag = f'"{sha256(self._body).hexdigest()[:16]}"'

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Its bytes, unless the browser has them already."""
        resp.set_header("ETag", self._tag)
        if self._tag in (req.get_header("If-None-Match") or ""):
            resp.status = falcon.HTTP_304
            return
        resp.content_type = self._type
        send_packed(req, resp, self._body, self._packed)

    on_head = on_get
