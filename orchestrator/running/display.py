"""The interface by which a campaign shows its progress."""

from __future__ import annotations

import logging
from typing import Protocol

from ...ledger.events import Progress
from ...ledger.fold import Run


class Display(Protocol):
    """Shows events of a campaign; called from several threads."""

    def note(self, text: str) -> None:
        """Show a line of text."""
        ...

    def started(self, run_id: str, benchmark_id: str) -> None:
        """Show that a run starts."""
        ...

    def progress(self, run_id: str, progress: Progress) -> None:
        """Show the progress of a run."""
        ...

    def ended(self, run: Run) -> None:
        """Show how a run ended."""
        ...

    def close(self) -> None:
        """End the display."""
        ...


class LogDisplay:
    """Reports to the logger `benchmarks`, for Python programs."""

    def __init__(self) -> None:
        self._log = logging.getLogger("benchmarks")

    def note(self, text: str) -> None:
        """Log a note."""
        self._log.info("%s", text)

    def started(self, run_id: str, benchmark_id: str) -> None:
        """Log that a run starts."""
        self._log.info("%s: started %s", benchmark_id, run_id)

    def progress(self, run_id: str, progress: Progress) -> None:
        """Log progress at the debug level."""
        self._log.debug("%s: %s of %s %s", run_id, progress.done, progress.total, progress.note)

    def ended(self, run: Run) -> None:
        """Log how a run ended; a failure is a warning."""
        level = logging.INFO if run.status == "succeeded" else logging.WARNING
        self._log.log(level, "%s: %s %s", run.benchmark_id, run.status, run.reason or run.score)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""
