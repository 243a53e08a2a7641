"""What people asked of the runs of a group while they run: to end, to pause, to go on.

They append an event to the ledger, from any machine. Each process that performs runs of the group follows the ledger
and obeys within seconds.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping

import msgspec

from ...ledger.errors import LedgerError
from ...ledger.events import CancelRequested, Paused
from ...ledger.fold import Group
from ...ledger.history import History
from ...ledger.ledger import Ledger

_LOOK_SECONDS = 1.0


class Asked(msgspec.Struct, frozen=True):
    """What is asked of a group now: to end, to pause, or to end some of its runs (by their ids)."""

    cancelled: CancelRequested | None = None
    paused: Paused | None = None
    runs: Mapping[str, CancelRequested] = {}


class Control:
    """What is asked of one group, as of the last look at the ledger. Safe for many threads."""

    def __init__(self, ledger: Ledger, run_group_id: str) -> None:
        self._ledger = ledger
        self._run_group_id = run_group_id
        self.asked = Asked()

    def look(self) -> None:
        """Read what is asked now. If the ledger cannot be read, the last answer stays."""
        with contextlib.suppress(LedgerError, OSError):  # The next append reports it, and the next look comes soon.
            self.asked = self._ledger.look(lambda history: asked_of(history, self._run_group_id))

    @property
    def is_cancelled(self) -> bool:
        """Whether the whole group has to end."""
        return self.asked.cancelled is not None

    def why_to_end(self, run_id: str) -> str | None:
        """Why a run has to end; None if it may go on."""
        asked = self.asked
        request = asked.runs.get(run_id) or asked.cancelled
        return words_of(request) if request else None


@contextlib.contextmanager
def followed(control: Control) -> Iterator[Control]:
    """Follow the ledger in a thread during the context: a wait for the ledger must not delay a run's time limit."""
    is_over = threading.Event()

    def follow() -> None:
        while not is_over.wait(_LOOK_SECONDS):
            control.look()

    thread = threading.Thread(target=follow, name="control", daemon=True)
    thread.start()
    try:
        yield control
    finally:
        is_over.set()
        thread.join()


def asked_of(history: History, run_group_id: str) -> Asked:
    """What is asked of a group in this history."""
    group: Group | None = history.groups.get(run_group_id)
    if group is None:
        return Asked()
    runs = {
        run.run_id: run.cancel_requested
        for run in history.open_runs()
        if run.run_group_id == run_group_id and run.cancel_requested
    }
    return Asked(group.cancel_requested, group.paused, runs)


def words_of(request: CancelRequested | Paused) -> str:
    """Who asked, and why: `cancelled by Ada: wrong model`."""
    what = "paused" if isinstance(request, Paused) else "cancelled"
    return f"{what} by {request.author}" + (f": {request.reason}" if request.reason else "")
