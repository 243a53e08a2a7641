"""Conducts a campaign from its plan to the closing of its group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ...ledger.events import Counts, GroupClosed, NewEvent
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.ledger import Ledger
from ..machine.presence import present
from ..machine.reservation import lock_folder
from ..planning.plan import PlannedRun
from ..redaction import Redactor
from .budget import Budget
from .campaign import Campaign
from .control import Control, followed, words_of
from .dispatch import Dispatcher
from .display import Display
from .execution import Cancellation
from .executor import Assignment, Crew, Executor
from .identifiers import new_group_id
from .opening import open_group
from .provenance import workspace_provenance
from .recovery import count
from .schedule import Schedule, longest_first


class Result(msgspec.Struct, frozen=True):
    """How a campaign ended: its group, its runs, and whether it was interrupted or cancelled.

    `notes` say why it ended early, if it did.
    """

    run_group_id: str
    counts: Counts
    runs: list[Run]
    interrupted: bool
    notes: list[str] = []
    cancelled: bool = False


def conduct(
    campaign: Campaign,
    ledger: Ledger,
    executor: Executor,
    *,
    redactor: Redactor,
    display: Display,
    cancellation: Cancellation,
) -> Result:
    """Run all work of the plan that is not done. Every transition is in the ledger when this returns or raises.

    Raises what `Ledger.decide` raises.
    """
    group_id = new_group_id()
    provenance = workspace_provenance(campaign.workspace.root)
    budget = Budget(campaign.allowance)
    to_do = open_group(campaign, ledger, group_id, provenance, lambda text: display.note(redactor.text(text)))
    left, control = 0, Control(ledger, group_id)
    if to_do and not cancellation.requested:
        assignment = Assignment(
            campaign=campaign,
            ledger=ledger,
            run_group_id=group_id,
            folder=campaign.workspace.group_folder(group_id),
            provenance=provenance,
            redactor=redactor,
            display=display,
            cancellation=cancellation,
            control=control,
        )
        with present(assignment.folder), followed(control), executor.crew(assignment) as crew:
            left = _dispatcher(assignment, to_do, crew, budget).run()
    reason, notes = _why_over(cancellation, control, budget, left)
    if to_do:
        _close_group(ledger, group_id, reason, notes)
    for text in notes:
        display.note(text)
    counts, runs = ledger.look(lambda history: (count(history, group_id), history.runs_of(group_id)))
    return Result(group_id, counts, ledger.detailed(runs), cancellation.requested, notes, reason == "cancelled")


def _dispatcher(assignment: Assignment, to_do: Sequence[PlannedRun], crew: Crew, budget: Budget) -> Dispatcher:
    """The dispatcher of the work, in the order of the plan, or longest first if several runs work in parallel."""
    campaign, note = assignment.campaign, assignment.display.note
    work = to_do
    if crew.room > 1:
        work = assignment.ledger.look(lambda history: longest_first(to_do, history))
    locks = _locks_for(work, assignment.display) if campaign.capacity else None
    return Dispatcher(
        Schedule(work, campaign.capacity, locks=locks, announce=note),
        crew,
        retries=campaign.retries,
        budget=budget,
        cancellation=assignment.cancellation,
        control=assignment.control,
        note=note,
    )


def _locks_for(work: Sequence[PlannedRun], display: Display) -> Path | None:
    """The folder of the locks that the orchestrators of this machine share; None if no work needs a lock."""
    resources = [planned.adapter.manifest.resources for planned in work]
    if not any(wanted.gpus or wanted.exclusive for wanted in resources):
        return None
    try:
        return lock_folder()
    except OSError as problem:
        display.note(f"other orchestrators may use the same GPUs meanwhile: {problem.filename}: {problem.strerror}")
        return None


def _why_over(cancellation: Cancellation, control: Control, budget: Budget, left: int) -> tuple[str, list[str]]:
    """Why a campaign is over, in one word, and notes about it. `left` pieces of work were not started."""
    not_started = f"{left} {'run' if left == 1 else 'runs'} not started"
    if cancellation.requested:
        return "interrupted", []
    control.look()
    if request := control.asked.cancelled:
        return "cancelled", [f"{words_of(request)}; {not_started}"]
    if left and (exceeded := budget.exceeded()):
        reason, text = exceeded
        return reason, [f"{text}; {not_started}"]
    return "completed", []


def _close_group(ledger: Ledger, group_id: str, reason: str, notes: list[str]) -> None:
    def decide(history: History) -> list[NewEvent]:
        if history.groups[group_id].finished_at is not None:
            return []  # Another process has taken this one for dead, and has closed the group.
        return [NewEvent(group_id, GroupClosed(counts=count(history, group_id), reason=reason, notes=notes))]

    ledger.decide(decide)
