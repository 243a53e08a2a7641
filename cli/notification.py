"""Notifications: each terminal event is posted to a URL as a CloudEvents 1.0 JSON document.

Each is sent once, from a separate thread. A failure to send does not fail a run, and delays the end of a campaign by at
most MAX_CLOSING_SECONDS.
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
"""The prefix of an event's type in the type of its notification."""

TIMEOUT_SECONDS = 5.0
MAX_CLOSING_SECONDS = 10.0
_HEADERS = {"Content-Type": "application/cloudevents+json; charset=utf-8", "User-Agent": "benchmarks"}
_TERMINAL = (Finished, Failed, Recovered, GroupClosed)


class Notifier:
    """Posts the terminal events among the records that it gets. Safe for many threads."""

    def __init__(self, url: str, *, source: Callable[[], str], complain: Callable[[str], None]) -> None:
        """`source` gives the name of the ledger in each document; `complain` gets the first failure.

        Raises UsageError if the URL is not an http(s) URL.
        """
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise UsageError("--notify needs an http:// or https:// URL with a host")
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
        """Queue the terminal events among new records."""
        for record in records:
            if isinstance(record.data, _TERMINAL):
                self._queue.put(record)

    def close(self) -> None:
        """Wait until the queue is sent, for at most MAX_CLOSING_SECONDS."""
        self._queue.put(None)
        self._thread.join(MAX_CLOSING_SECONDS)
        if self._thread.is_alive():
            self._complain(f"--notify: {self._host} is too slow: the last notifications were not sent")

    def _post_all(self) -> None:
        while (record := self._queue.get()) is not None:
            try:
                self._post(record)
            except (OSError, ValueError, HTTPException) as problem:
                self._failures += 1
                if self._failures == 1:
                    what = getattr(problem, "reason", None) or problem
                    if isinstance(problem, HTTPException):
                        what = "its answer is not HTTP"
                    self._complain(
                        f"--notify: {record.type} of {record.stream} was not delivered to {self._host}: {what}"
                    )

    def _post(self, record: Record) -> None:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._url,
            data=msgspec.json.encode(cloud_event(record, self._source())),
            headers=self._headers,
            method="POST",
        )
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            # The timeout is for each read: a server that answers byte by byte must not delay the next notification.
            while answer.read(1024) and time.monotonic() < deadline:
                pass


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the user did not give the other address, which would get the event or the password."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Raise URLError."""
        raise urllib.error.URLError(f"it answered {code}, and redirects are not followed; give the final address")


def _authorization(parts: SplitResult) -> dict[str, str]:
    """The header for the user and the password before the host, if any (RFC 7617)."""
    if parts.username is None and parts.password is None:
        return {}
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def cloud_event(record: Record, source: str) -> dict[str, object]:
    """An event of the ledger as a CloudEvents 1.0 document; its position and hash are extension attributes."""
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
