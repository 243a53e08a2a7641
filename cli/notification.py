"""Tells somebody else of what has ended: each terminal event is posted to a URL, as a CloudEvents 1.0 JSON document.

A notification is a courtesy. It is sent once, from a thread of its own. Nothing that goes wrong with it fails a run, or
holds up a campaign for longer than LAST_SECONDS at its end.
"""

from __future__ import annotations

import base64
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import msgspec

from ..ledger.events import Failed, Finished, GroupClosed, Record, Recovered
from ..orchestrator.errors import UsageError

TYPE_PREFIX = "benchmarks."
"""What stands before the type of an event in the type of its notification."""

TIMEOUT_SECONDS = 5.0
LAST_SECONDS = 10.0
_HEADERS = {"Content-Type": "application/cloudevents+json; charset=utf-8", "User-Agent": "benchmarks"}
_TERMINAL = (Finished, Failed, Recovered, GroupClosed)


class Notifier:
    """Posts the terminal events of those that it is told of. Safe for many threads."""

    def __init__(self, url: str, *, source: Callable[[], str], complain: Callable[[str], None]) -> None:
        """`source` says how each document names the ledger; `complain` is told the first thing that goes wrong.

        Raises UsageError for what is no http(s) URL.
        """
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise UsageError("--notify takes a URL that begins with http:// or https://, and then names a host")
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._headers = _HEADERS | _authorization(parts)
        # A URL may be a secret as a whole: only its host is ever shown.
        self._host = parts.hostname or ""
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._source = source
        self._complain = complain
        self._failures = 0
        self._queue: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._post_all, name="notify", daemon=True)
        self._thread.start()

    def tell(self, records: Sequence[Record]) -> None:
        """Events were recorded."""
        for record in records:
            if isinstance(record.data, _TERMINAL):
                self._queue.put(record)

    def close(self) -> None:
        """Wait for what is still on its way, for LAST_SECONDS at most."""
        self._queue.put(None)
        self._thread.join(LAST_SECONDS)
        if self._thread.is_alive():
            self._complain(f"--notify: {self._host} is too slow; the last notifications were not sent")

    def _post_all(self) -> None:
        while (record := self._queue.get()) is not None:
            try:
                self._post(record)
            except (OSError, ValueError, HTTPException) as problem:
                self._failures += 1
                if self._failures == 1:
                    what = getattr(problem, "reason", None) or problem
                    if isinstance(problem, HTTPException):
                        what = "it answers something that is no HTTP"
                    self._complain(f"--notify: {self._host} did not take {record.type} of {record.stream}: {what}")

    def _post(self, record: Record) -> None:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._url,
            data=msgspec.json.encode(cloud_event(record, self._source())),
            headers=self._headers,
            method="POST",
        )
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            # The timeout is for each read: whoever drips his answer must not hold up the next one.
            while answer.read(1024) and time.monotonic() < deadline:
                pass


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows none: the other address was not given by the user, and would get the event or the password."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Say so instead."""
        raise urllib.error.URLError(f"it answers {code}, a redirect, which is not followed: give the address itself")


def _authorization(parts: SplitResult) -> dict[str, str]:
    """The header for a user and a password that stand before the host (RFC 7617)."""
    if parts.username is None and parts.password is None:
        return {}
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def cloud_event(record: Record, source: str) -> dict[str, object]:
    """An event of the ledger as a CloudEvents 1.0 document; its place and hash are extension attributes."""
    return {
        "specversion": "1.0",
        "id": record.id,
        "source": source,
        "type": TYPE_PREFIX + record.type,
        "subject": record.stream,
        "time": record.at,
        "datacontenttype": "application/json",
        "ledgerseq": record.seq,
        "ledgerhash": record.hash,
        "data": record.data,
    }
