"""Measures how long a child has worked, even if the machine slept or its orchestrator was stopped meanwhile.

The clock is the monotonic one (`CLOCK_MONOTONIC`), which on Linux stands still while the machine is suspended, unlike
`CLOCK_BOOTTIME`. If only this process is stopped, its child works on, and the end that the child's shell noted counts.
If both are stopped, that time does not count. Limits are extended by the time in which this process stood still, since
it could not read the child's output.
"""

from __future__ import annotations

import os
import time

_MAX_STEP_SECONDS = 2.0
"""After a gap of this length, this process must have stood still, since it looks about twice a second."""


class Stopwatch:
    """Begins with the child. Call `look` about twice a second."""

    def __init__(self, pid: int, began: float) -> None:
        self._pid = pid
        self._began = self._looked = began
        self._is_stopped = False
        self._stopped = 0.0
        self.stood_still = 0.0

    def look(self) -> float:
        """The seconds since the last look in which this process stood still; usually 0.0."""
        now = time.monotonic()
        gap, self._looked = now - self._looked, now
        was_stopped, has_changed = self._is_stopped, self._observe()
        if gap < _MAX_STEP_SECONDS:
            return 0.0
        self.stood_still += gap
        if was_stopped or has_changed:
            self._stopped += gap
        return gap

    def worked(self, ended_at: float | None) -> float:
        """Seconds from the start to the end of a child that has ended.

        `ended_at` is the end that its shell noted, in Unix seconds; None if it noted none, or the child was killed.
        """
        now = ended = time.monotonic()
        if ended_at is not None and now - self._looked >= _MAX_STEP_SECONDS:
            ended = min(max(now - (time.time() - ended_at), self._looked), now)
            self.stood_still += now - self._looked
        return max(0.0, ended - self._began - self._stopped)

    def note(self) -> list[str]:
        """A note if this process stood still; otherwise empty."""
        return [f"its orchestrator stood still for {self.stood_still:.0f} s meanwhile"] if self.stood_still else []

    def _observe(self) -> bool:
        """Whether the child was stopped or continued since the last look."""
        has_changed = False
        try:
            while state := os.waitid(os.P_PID, self._pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG):
                self._is_stopped = state.si_code == os.CLD_STOPPED
                has_changed = True
        except (AttributeError, ChildProcessError):
            return False  # The system does not report it, or the child has ended.
        return has_changed
