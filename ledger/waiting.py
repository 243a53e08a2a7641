"""A wait for a lock that another process holds. It has a time limit, and its notice names that process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path

from .errors import LedgerBusy
from .holders import describe_holders

PATIENCE_SECONDS = 30.0
"""How long a writer waits for a lock while nothing changes in the ledger."""

PATIENCE_VARIABLE = "BENCHMARKS_LOCK_SECONDS"
"""The environment variable that sets another limit."""

NOTICE_SECONDS = 2.0
"""After this time a notice names the process that holds the lock."""

_HURRIED_SECONDS = 1.0
"""A cancelled wait continues for this time: other writers usually finish quickly."""
_TRIES_AT_ONCE = 40
"""A writer holds the lock for about 50 microseconds; for that time, retrying costs less than sleeping."""
_FIRST_PAUSE = 0.000_05
_QUEUES_AFTER_SECONDS = 0.005
_SHORT_PAUSE = 0.000_5
_LONG_PAUSE = 0.01
_SHORT_SECONDS = 5.0
"""Busy writers leave the lock free only briefly: a writer that sleeps longer would miss it for seconds."""
_SLICE_SECONDS = 0.2
_NOT_YET = object()


def usual_patience() -> float:
    """The seconds that a writer waits for a lock."""
    try:
        return max(0.0, float(os.environ[PATIENCE_VARIABLE]))
    except (KeyError, ValueError):
        return PATIENCE_SECONDS


class LockWait:
    """One writer's wait, with its limit and its notice.

    `seconds` is the limit; None is the usual one. The limit starts again each time that `progress` returns
    another value, because the process that holds the lock is then working. `gives_up` ends the wait after a second.
    """

    def __init__(
        self,
        path: Path,
        seconds: float | None = None,
        *,
        notice: Callable[[str], None] = lambda _: None,
        progress: Callable[[], Hashable] = lambda: None,
        gives_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._path = path
        self._seconds = usual_patience() if seconds is None else seconds
        self._notice: Callable[[str], None] | None = notice
        self._progress = progress
        self._gives_up = gives_up
        self._since = self._began = time.monotonic()
        self._seen: Hashable = _NOT_YET
        self._pause = _FIRST_PAUSE
        self._tries = 0

    def wait_for_thread(self, lock: threading.Lock) -> None:
        """Take a lock that another thread of this process may hold. Raises LedgerBusy."""
        if lock.acquire(blocking=False):
            return
        while not lock.acquire(timeout=max(0.0, min(_SLICE_SECONDS, self._seconds))):
            self._judge("another thread of this process")

    def pause(self) -> None:
        """Wait a moment before the next try. Raises LedgerBusy if the time is up."""
        self._judge(None)
        if self._tries < _TRIES_AT_ONCE:
            self._tries += 1
            time.sleep(0)
            return
        time.sleep(min(self._pause, self._seconds))
        is_short = time.monotonic() - self._began < _SHORT_SECONDS
        self._pause = min(1.5 * self._pause, _SHORT_PAUSE if is_short else _LONG_PAUSE)

    @property
    def is_long(self) -> bool:
        """Whether the lock is held for longer than an append of events takes."""
        return time.monotonic() - self._began >= _QUEUES_AFTER_SECONDS

    def wait_for_event(self, event: threading.Event) -> None:
        """Wait until another thread of this process sets the event. Raises LedgerBusy if the time is up."""
        while not event.wait(max(0.0, min(_SLICE_SECONDS, self._seconds))):
            self._judge(None)

    def _judge(self, holder: str | None) -> None:
        now = time.monotonic()
        if now - self._began >= _HURRIED_SECONDS and self._gives_up():
            raise self._busy(now, holder)
        if self._seen is _NOT_YET and now - self._began >= min(_SLICE_SECONDS, self._seconds / 2):
            self._seen = self._progress()
        if now - self._since >= self._seconds:
            if not self._seconds or (seen := self._progress()) == self._seen:
                raise self._busy(now, holder)
            self._seen, self._since = seen, now
        if self._notice and now - self._began >= NOTICE_SECONDS:
            notice, self._notice = self._notice, None
            notice(f"waiting for the lock {self._path}: {holder or describe_holders(self._path)} holds it ...")

    def _busy(self, now: float, holder: str | None) -> LedgerBusy:
        # A writer that does not wait at all tries again soon; a search for the holder would take longer.
        holder = holder or (describe_holders(self._path) if self._seconds else "another process")
        return LedgerBusy(self._path, now - self._began, holder)
