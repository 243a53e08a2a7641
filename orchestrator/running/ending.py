"""Records the end of a run: its outcome, compared with the high score of that time."""

from __future__ import annotations

from msgspec.structs import replace

from ...ledger.commitment import Secrets
from ...ledger.events import Failed, Finished, NewEvent
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.ledger import Ledger
from .outcome import against


def record_end(ledger: Ledger, run: Run, outcome: Finished | Failed, secrets: Secrets) -> Run:
    """Record the outcome of a run that this process owns. Returns the recorded run.

    If another process has declared the run lost meanwhile, the outcome is recorded as late and does not change the
    status. Raises what `Ledger.decide` raises.
    """
    outcome = replace(outcome, revealed=secrets.by_owner)

    def decide(history: History) -> list[NewEvent]:
        is_late = history.runs[run.run_id].status != "running"
        measured = against(outcome, history.reference(run.benchmark_id))
        return [NewEvent(run.run_id, replace(outcome, late=is_late, **measured))]

    return ledger.decide(decide).runs[run.run_id]
