"""Limits the time to read the files of a run, so that an interrupted campaign ends soon."""

from __future__ import annotations

import time

from .execution import GRACE_SECONDS, Cancellation

SECONDS = 120.0
"""The maximum time to read the files of one run: its result, its calls, the digests of its files."""


class Patience:
    """Ends `seconds` after its creation, a few seconds after a first interrupt, or at once after a second one.

    Without a `cancellation`, only the time limit applies.
    """

    def __init__(self, cancellation: Cancellation | None = None, seconds: float = SECONDS) -> None:
        self._until = time.monotonic() + seconds
        self._cancellation = cancellation
        self._is_hurried = False

    def is_over(self) -> bool:
        """Whether the time is over, so that the rest is not read."""
        if self._cancellation is not None and self._cancellation.requested:
            if self._cancellation.is_urgent:
                return True
            if not self._is_hurried:
                self._is_hurried = True
                self._until = min(self._until, time.monotonic() + GRACE_SECONDS)
        return time.monotonic() >= self._until
