"""How long what a run left may be read: an interrupted campaign does not wait for a terabyte to be hashed."""

from __future__ import annotations

import time

from .execution import GRACE_SECONDS, Cancellation

SECONDS = 120.0
"""How long what one run left is read at most: a result, calls, digests of files."""


class Patience:
    """Begins when it is made, and is over after `seconds`; a few seconds after a first interrupt, at once on a second.

    Without a `cancellation`, only time ends it.
    """

    def __init__(self, cancellation: Cancellation | None = None, seconds: float = SECONDS) -> None:
        self._until = time.monotonic() + seconds
        self._cancellation = cancellation
        self._is_hurried = False

    def is_over(self) -> bool:
        """Whether what is not read by now is left out."""
        if self._cancellation is not None and self._cancellation.requested:
            if self._cancellation.is_urgent:
                return True
            if not self._is_hurried:
                self._is_hurried = True
                self._until = min(self._until, time.monotonic() + GRACE_SECONDS)
        return time.monotonic() >= self._until
