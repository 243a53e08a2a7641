"""The forms of answers: JSON with an ETag, compressed and kept; errors as problem details."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import falcon
import msgspec

from ...ledger.errors import LedgerDamaged
from ...ledger.storage.chain import BadLine
from ..index.archive import Archive, Head, View

_DETAILS = {
    404: "unknown address; /api/openapi.json describes the API",
    405: "this address answers GET and HEAD only",
}
_GZIP_FROM_BYTES = 1024
_MAX_REMEMBERED_BYTES = 8 * 1024 * 1024


class _Reply(msgspec.Struct, frozen=True):
    """An answer: its tag, its body, also compressed if that saves bytes, and the view if it depends on nothing else."""

    tag: str
    plain: bytes
    packed: bytes | None
    view: View | None

    @property
    def size(self) -> int:
        return len(self.plain) + len(self.packed or b"")


class Replies:
    """Answers that are still current, by their URL: twenty open pages ask the same.

    As a middleware it gives those that depend on the history alone, before a resource sees the request.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._replies: OrderedDict[str, _Reply] = OrderedDict()
        self._bytes = 0

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give an answer that is still current to a reading request."""
        if req.method not in ("GET", "HEAD"):
            return
        reply = self._replies.get(req.relative_uri)
        if reply is not None and reply.view is not None and reply.view is self._archive.peek():
            resp.complete = True
            resp.set_header("ETag", reply.tag)
            if not _is_there(req, resp, reply.tag):
                _send(req, resp, reply.plain, reply.packed)

    def is_answered(self, req: falcon.Request, resp: falcon.Response, head: Head, more: Iterable[str]) -> bool:
        """Answer without building anything, if the client has the answer (`304`) or it is kept. Returns False if not.

        An answer changes only with the ledger's head, with the URL, and with `more`.
        """
        tag = _tag(head, more)
        resp.set_header("ETag", tag)
        if _is_there(req, resp, tag):
            return True
        reply = self._replies.get(req.relative_uri)
        if reply is None or reply.tag != tag:
            return False
        _send(req, resp, reply.plain, reply.packed)
        return True

    def give(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        value: Any,
        head: Head,
        more: Iterable[str],
        *,
        view: View | None = None,
    ) -> None:
        """Give a JSON answer and keep it; `view` if it depends on that view of the present alone."""
        plain = _encoded(value)
        reply = _Reply(_tag(head, more), plain, pack(plain), view)
        resp.set_header("ETag", reply.tag)
        self._remember(req.relative_uri, reply)
        _send(req, resp, reply.plain, reply.packed)

    def _remember(self, url: str, reply: _Reply) -> None:
        if reply.size > _MAX_REMEMBERED_BYTES // 4:
            return
        with self._lock:
            if old := self._replies.pop(url, None):
                self._bytes -= old.size
            self._replies[url] = reply
            self._bytes += reply.size
            while self._bytes > _MAX_REMEMBERED_BYTES:
                self._bytes -= self._replies.popitem(last=False)[1].size


def _is_there(req: falcon.Request, resp: falcon.Response, tag: str) -> bool:
    # Weak comparison (RFC 9110, 13.1.2): a proxy may have removed the mark of a weak tag.
    if not any(known in ("*", tag[3:-1]) for known in req.if_none_match or ()):
        return False
    resp.status = falcon.HTTP_304
    return True


def answer(req: falcon.Request, resp: falcon.Response, value: Any) -> None:
    """Give a JSON answer that is not kept."""
    plain = _encoded(value)
    _send(req, resp, plain, pack(plain))


def _encoded(value: Any) -> bytes:
    """An answer as JSON. Raises HTTPUnprocessableEntity for data of a benchmark that are nested too deep."""
    try:
        return msgspec.json.encode(value)
    except RecursionError:
        text = "a benchmark wrote data that are nested too deep to be given as JSON"
        raise falcon.HTTPUnprocessableEntity(title="data nested too deep", description=text) from None


def pack(plain: bytes) -> bytes | None:
    """The bytes compressed with gzip; None if they are too few."""
    return gzip.compress(plain, compresslevel=1, mtime=0) if len(plain) >= _GZIP_FROM_BYTES else None


def send_packed(req: falcon.Request, resp: falcon.Response, plain: bytes, packed: bytes | None) -> None:
    """Give a body, compressed if the client accepts it."""
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
    """The error for an `as_of` that is not a moment."""
    raise falcon.HTTPBadRequest(title="bad parameter as_of", description=f"as_of: {problem}") from problem


def ledger_problem(req: falcon.Request, resp: falcon.Response, problem: Exception, params: dict[str, Any]) -> None:
    """The error if the history cannot be read: the reason, as the ledger or the projection gives it."""
    is_damaged = isinstance(problem, LedgerDamaged | BadLine)
    title = "the ledger is damaged" if is_damaged else "the history cannot be read"
    raise falcon.HTTPServiceUnavailable(title=title, description=str(problem)) from problem


def problem_json(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """Errors as RFC 9457 problem details."""
    status = error.status_code
    detail = error.description or _DETAILS.get(status, error.title)
    resp.data = msgspec.json.encode({"type": "about:blank", "title": error.title, "status": status, "detail": detail})
    resp.content_type = "application/problem+json"
    # A resource may have set a tag before it failed; an error has none.
    resp.delete_header("ETag")
