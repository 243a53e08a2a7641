"""Decides when a run records a heartbeat: seldom enough that the ledger of a long campaign is not mostly heartbeats.

A heartbeat is due when the run has lived twice as long as at the last one, and after each tenth of its progress. It
states how long the next silence may be, so that other machines do not declare the run lost meanwhile. (On the same
machine, the process itself is checked.)
"""

from __future__ import annotations

from ...ledger.events import Heartbeat, Progress

FIRST_SECONDS = 5.0
MAX_SILENCE_SECONDS = 3600.0
"""The maximum silence between two heartbeats of a run on the machine of its campaign."""
STEP = 0.1 - 1e-9  # Floating point: 0.3 - 0.2 is less than 0.1.
"""Progress of this share of the work makes a heartbeat due if STEP_SECONDS have passed."""
STEP_SECONDS = 30.0
_MARGIN_SECONDS = 60.0


class Pulse:
    """The heartbeats of one run. Times are seconds of a monotonic clock.

    Two heartbeats are at most `max_silence` apart.
    """

    def __init__(self, now: float, max_silence: float = MAX_SILENCE_SECONDS) -> None:
        self._max_silence = max_silence
        self._start = now
        self._last = now
        self._gap = FIRST_SECONDS
        self._share = 0.0
        self._before = (self._last, self._gap, self._share)

    def beat(self, now: float, progress: Progress | None) -> Heartbeat | None:
        """The heartbeat that is due now; None if none is due."""
        share = progress.done / progress.total if progress and progress.total else 0.0
        silence = now - self._last
        has_stepped = share - self._share >= STEP and silence >= STEP_SECONDS
        if silence < self._gap and not has_stepped:
            return None
        self._before = (self._last, self._gap, self._share)
        self._last, self._share = now, share
        self._gap = min(max(now - self._start, FIRST_SECONDS), self._max_silence)
        return Heartbeat(progress=progress, lease_seconds=round(2 * self._gap + _MARGIN_SECONDS, 1))

    def was_missed(self) -> None:
        """Make the last heartbeat due again, since it could not be recorded."""
        self._last, self._gap, self._share = self._before
