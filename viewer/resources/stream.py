"""`/api/stream`: changes as server-sent events.

A stream holds a thread of the server. So only some may wait at once, and not for long: a further page is answered at
once, with what is new to it, and its browser connects again after a moment. The id of an event is a position of the
ledger, which the browser sends back (`Last-Event-ID`): no change is missed, and none is sent twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import falcon
import msgspec

from ..api.parameters import MAX_NUMBER, BadParameter, Form, Parameter
from ..api.site import Site
from ..index.archive import View
from ..index.proof import ProofState

RETRY_MS = 700
LOOK_EVERY = 0.15
"""Seconds between two checks of the ledger; one that finds nothing takes about ten microseconds."""

_OPEN_SECONDS = 25.0
_COMMENT_EVERY = 5.0
_MAX_ROWS = 200


class Stream:
    """Runs as they start and change, one stream for each page."""

    about = "Changes as server-sent events: run, head, stale, reset, damage, proof"
    parameters = Form(Parameter("after", "the position that the page shows", "number", maximum=MAX_NUMBER))
    answer = "text/event-stream"

    def __init__(self, site: Site, max_waiting: int, *, open_seconds: float = _OPEN_SECONDS) -> None:
        self._site = site
        self._waiting = threading.BoundedSemaphore(max_waiting) if max_waiting else None
        self._open_seconds = open_seconds

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Server-sent events, from `Last-Event-ID`, or `after`, or now on."""
        after = _last_seen(req, self.parameters.read(req)["after"])
        updates = _News(self._site, after)
        first = f"retry: {RETRY_MS}\n\n".encode() + updates.news()  # An error must come before the stream begins.
        resp.content_type = "text/event-stream"
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Accel-Buffering", "no")
        if req.method == "HEAD" or self._waiting is None or not self._waiting.acquire(blocking=False):
            resp.data = first
            return
        is_gone = req.env.get("waitress.client_disconnected", lambda: False)
        self._site.metrics.add_stream(1)
        resp.stream = _Open(self._follow(first, updates, is_gone), self._end)

    on_head = on_get

    def _end(self) -> None:
        self._site.metrics.add_stream(-1)
        assert self._waiting is not None  # noqa: S101 - for the type checker: it was taken
        self._waiting.release()

    def _follow(self, first: bytes, updates: _News, is_gone: Any) -> Iterator[bytes]:
        yield first
        end = time.monotonic() + self._open_seconds
        spoke = time.monotonic()
        while (now := time.monotonic()) < end and not is_gone():
            if self._site.closing.wait(LOOK_EVERY):
                return
            news = updates.news()
            if not news and now - spoke >= _COMMENT_EVERY:
                news = b": still here\n\n"  # Only writing shows that a client is gone.
            if news:
                spoke = now
                yield news


class _Open:
    """An open stream. The server always calls `close`, which frees its place."""

    def __init__(self, pieces: Iterator[bytes], end: Callable[[], None]) -> None:
        self._pieces = pieces
        self._end: Callable[[], None] | None = end

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """End it."""
        if self._end is not None:
            self._end()
            self._end = None


class _News:
    """What is new to one page."""

    def __init__(self, site: Site, after: int | None) -> None:
        self._archive = site.archive
        self._proof = site.proof
        self._damage = ""
        self._state: tuple[ProofState, str] | None = None
        self._position = after
        self._stale: frozenset[str] | None = None

    def news(self) -> bytes:
        """Everything since the last call; empty if nothing changed."""
        with self._archive.look() as view:
            pieces = list(self._news(view))
        return b"".join(pieces)

    def _news(self, view: View) -> Iterator[bytes]:
        head = view.head
        if self._position is None:
            yield _event("head", head, head.position)
        elif self._position != head.position:
            changed = self._archive.changes_since(self._position)
            if changed is None or len(changed) > _MAX_ROWS:
                yield _event("reset", head, head.position)
            else:
                rows = [row for run_id in changed if (row := view.table.find(run_id))]
                # Without an id: only after the last one has the page everything up to the head.
                for row in view.listed(rows):
                    yield _event("run", row, None)
                yield _event("head", head, head.position)
        self._position = head.position
        if view.stale != self._stale:
            self._stale = view.stale
            yield _event("stale", {"run_ids": sorted(view.stale)}, None)
        if self._proof.damage != self._damage:
            self._damage = self._proof.damage
            yield _event("damage", {"damage": self._damage}, None)
        state = self._proof.state(head.position, self._archive.problems())
        if (state, self._damage) != self._state:
            self._state = state, self._damage
            yield _event("proof", {"state": state, "damage": self._damage}, None)


def _event(name: str, data: Any, position: int | None) -> bytes:
    number = b"" if position is None else b"id: %d\n" % position
    return number + b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


def _last_seen(req: falcon.Request, after: int | None) -> int | None:
    given = req.get_header("Last-Event-ID")
    if not given:
        return after
    if not given.isdecimal() or len(given) > 16:
        raise BadParameter("Last-Event-ID", "not a position of the ledger")
    return int(given)
