"""How long the files of a run may be read: an interrupted campaign does not wait until a terabyte is hashed."""

from __future__ import annotations

import time

from .execution import GRACE_SECONDS, Cancellation

SECONDS = 120.0
"""The maximum time to read the files of one run: its result, its calls, the digests of its files."""


class Patience:
    """Is over `seconds` after it was made, a few seconds after a first interrupt, or at once on a second one.

    Without a `cancellation`, only time ends it.
    """

    def __init__(self, cancellation: Cancellation | None = None, seconds: float = SECONDS) -> None:
        self._until = time.monotonic() + seconds
        self._cancellation = cancellation
        self._is_hurried = False

    def is_over(self) -> bool:
        """Whether everything that is not read by now is left out."""
        if self._cancellation is not None and self._cancellation.requested:
            if self._cancellation.is_urgent:
                return True
            if not self._is_hurried:
                self._is_hurried = True
                self._until = min(self._until, time.monotonic() + GRACE_SECONDS)
        return time.monotonic() >= self._until
