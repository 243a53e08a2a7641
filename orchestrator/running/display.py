"""What a campaign reports while it runs; the command line shows it."""

from __future__ import annotations

from typing import Protocol

from ...ledger.events import Progress
from ...ledger.fold import Run


class Display(Protocol):
    """Told of what happens; may be called from several threads."""

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...

    def started(self, run_id: str, benchmark_id: str) -> None:
        """A run begins."""
        ...

    def progress(self, run_id: str, progress: Progress) -> None:
        """A run has come further."""
        ...

    def ended(self, run: Run) -> None:
        """A run has ended."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...
