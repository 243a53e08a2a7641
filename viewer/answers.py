"""The forms in which answers are given: JSON with an ETag, packed and remembered; errors as problem details."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import falcon
import msgspec

from .index.archive import Head

_DETAILS = {
    404: "nothing is at this address; the API is described at /api/openapi.json",
    405: "the viewer only shows: it answers GET and HEAD",
}
_GZIP_FROM_BYTES = 1024
_MOST_REMEMBERED_BYTES = 16 * 1024 * 1024

_Key = tuple[str, str]  # The question, which is the URL, and the tag of the state that answers it.


class Replies:
    """Answers that were given and still hold: twenty open pages ask the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: OrderedDict[_Key, tuple[bytes, bytes | None]] = OrderedDict()
        self._bytes = 0

    def is_given(self, req: falcon.Request, resp: falcon.Response, head: Head, more: Iterable[str]) -> bool:
        """Whether nothing has to be built: the asker has the answer already (`304`), or it is remembered.

        An answer changes only with the ledger's head, with the URL, and with `more`.
        """
        tag = self.mark(resp, head, more)
        if tag in (req.get_header("If-None-Match") or ""):
            resp.status = falcon.HTTP_304
            return True
        with self._lock:
            body = self._bodies.get((req.relative_uri, tag))
        if body is not None:
            _send(req, resp, *body)
        return body is not None

    def mark(self, resp: falcon.Response, head: Head, more: Iterable[str]) -> str:
        """Give the answer the tag of the state that it shows."""
        tag = _tag(head, more)
        resp.set_header("ETag", tag)
        resp.context.tag = tag
        return tag

    def give(self, req: falcon.Request, resp: falcon.Response, value: Any) -> None:
        """A JSON answer, to be remembered where it has a tag."""
        plain = msgspec.json.encode(value)
        packed = pack(plain)
        if tag := getattr(resp.context, "tag", None):
            self._remember((req.relative_uri, tag), plain, packed)
        _send(req, resp, plain, packed)

    def _remember(self, key: _Key, plain: bytes, packed: bytes | None) -> None:
        size = len(plain) + len(packed or b"")
        if size > _MOST_REMEMBERED_BYTES // 4:
            return
        with self._lock:
            if key not in self._bodies:
                self._bytes += size
            self._bodies[key] = (plain, packed)
            while self._bytes > _MOST_REMEMBERED_BYTES:
                _, (old, old_packed) = self._bodies.popitem(last=False)
                self._bytes -= len(old) + len(old_packed or b"")


def answer(req: falcon.Request, resp: falcon.Response, value: Any) -> None:
    """A JSON answer that holds for this moment only."""
    plain = msgspec.json.encode(value)
    _send(req, resp, plain, pack(plain))


def pack(plain: bytes) -> bytes | None:
    """The bytes packed with gzip; None where that is not worth it."""
    return gzip.compress(plain, compresslevel=1, mtime=0) if len(plain) >= _GZIP_FROM_BYTES else None


def send_packed(req: falcon.Request, resp: falcon.Response, plain: bytes, packed: bytes | None) -> None:
    """A body in the form that the asker can unpack."""
    resp.data = plain
    if packed is not None:
        resp.append_header("Vary", "Accept-Encoding")
        if "gzip" in (req.get_header("Accept-Encoding") or ""):
            resp.data = packed
            resp.set_header("Content-Encoding", "gzip")


def _send(req: falcon.Request, resp: falcon.Response, plain: bytes, packed: bytes | None) -> None:
    resp.content_type = falcon.MEDIA_JSON
    send_packed(req, resp, plain, packed)


def _tag(head: Head, more: Iterable[str]) -> str:
    text = "\n".join(more)
    mark = sha256(text.encode()).hexdigest()[:8] if text else "0"
    return f'W/"{head.position}-{head.hash[:16]}-{int(head.past)}-{mark}"'


def no_such_moment(req: falcon.Request, resp: falcon.Response, problem: Exception, params: dict[str, Any]) -> None:
    """What is said where `as_of` names no moment."""
    raise falcon.HTTPBadRequest(title="bad parameter as_of", description=f"as_of: {problem}") from problem


def ledger_problem(req: falcon.Request, resp: falcon.Response, problem: Exception, params: dict[str, Any]) -> None:
    """What is said where the history cannot be read: the reason, as the ledger or the projection gives it."""
    raise falcon.HTTPServiceUnavailable(title="the history cannot be read", description=str(problem)) from problem


def problem_json(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """Errors as RFC 9457 problem details."""
    status = error.status_code
    detail = error.description or _DETAILS.get(status, error.title)
    resp.data = msgspec.json.encode({"type": "about:blank", "title": error.title, "status": status, "detail": detail})
    resp.content_type = "application/problem+json"
    # An answer that was begun may have left a tag: an error is no state of the history.
    resp.delete_header("ETag")
