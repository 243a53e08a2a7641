"""What every crew on other machines does in the process of the campaign: show, ask, take back, close what is lost."""

from __future__ import annotations

import contextlib
import tarfile
import time
from collections.abc import Callable, Iterator, Sized

from ...ledger.errors import ExpectedError, LedgerUnwritable
from ...ledger.events import CancelRequested, NewEvent
from ...ledger.fold import Run
from ...ledger.history import History
from ..errors import UsageError
from ..models.gate import Gate, GateAddress, serving
from ..planning.plan import PlannedRun
from ..running.executor import Assignment, Performed
from ..running.recovery import recover_one
from .node import Report
from .packing import unpack
from .tail import Tail

MAX_LOST_BEFORE_CLAIM = 3
"""How often work is started again after its worker was lost before it claimed the work."""
LOOK_SECONDS = 0.5


class Liaison:
    """The connection of a group with its runs on other machines. Only one thread uses it."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._tail = Tail(assignment)
        self._looked = 0.0
        self._lost: dict[str, int] = {}
        self._has_passed_on = False

    def look(self, *, now: bool) -> None:
        """Show what other machines have recorded, twice a second or `now`."""
        if now or time.monotonic() >= self._looked + LOOK_SECONDS:
            # A ledger that cannot be reached now is not a reason to give up: the next look shows what this one did not.
            with contextlib.suppress(LedgerUnwritable):
                self._tail.look()
            self._looked = time.monotonic()

    def pass_interrupt_on(self) -> bool:
        """Ask the runs to end after an interrupt. Returns whether a second interrupt wants them killed."""
        cancellation = self._assignment.cancellation
        if cancellation.requested and not self._has_passed_on:
            self._has_passed_on = True
            self.ask_to_end("the campaign was interrupted")
        return cancellation.is_urgent

    def ask_to_end(self, reason: str) -> None:
        """Ask all runs of the group to end, by an event that reaches every machine."""
        group_id = self._assignment.run_group_id

        def decide(history: History) -> list[NewEvent]:
            if history.groups[group_id].cancel_requested:
                return []
            return [NewEvent(group_id, CancelRequested(author="benchmarks run", reason=reason))]

        self._assignment.ledger.decide(decide)

    def finish(self, running: Sized, wait: Callable[[float], object]) -> None:
        """Wait for all that is `running`, after an interrupt or an error; `wait` takes back what has ended."""
        while running:
            # The first error is the one to report; each further wait takes other tasks back.
            with contextlib.suppress(ExpectedError):
                wait(LOOK_SECONDS)
        with contextlib.suppress(ExpectedError):
            self.look(now=True)

    def give_up(self) -> None:
        """Ask all runs of the group to end, because the campaign cannot go on."""
        with contextlib.suppress(ExpectedError):
            self.ask_to_end("the campaign cannot go on")

    def take_back(self, planned: PlannedRun, report: Report) -> Performed:
        """What came of work, by the report of its machine. Raises UsageError if that cannot perform this campaign."""
        for text in report.notes:
            self._assignment.display.note(text)
        if report.refused:
            raise UsageError(report.refused)
        if report.files is not None and report.run_id is not None:
            self._keep(planned, report.run_id, report.files)
        return report.performed

    def lost(
        self,
        planned: PlannedRun,
        what: str,
        *,
        recover_there: Callable[[Run], Run | None] = lambda _: None,
        may_retry: bool = True,
    ) -> Performed:
        """What came of work whose worker was lost; `what` says how.

        Its open run is closed: on its own machine by `recover_there`, which returns None if it cannot, else here, as a
        fence.
        """
        ledger, campaign = self._assignment.ledger, self._assignment.campaign
        run = ledger.look(lambda history: history.live_run(planned.signature.digest))
        if run is None or run.run_group_id != self._assignment.run_group_id:
            return self._not_claimed(planned, what, may_retry=may_retry)
        closed = recover_there(run) or recover_one(
            ledger, run, what, workspace=campaign.workspace, prices=campaign.prices
        )
        closed = closed or ledger.look(lambda history: history.runs[run.run_id])
        self._assignment.display.ended(closed)
        return Performed(retry=may_retry and closed.status == "failed", usage=closed.usage)

    def _not_claimed(self, planned: PlannedRun, what: str, *, may_retry: bool) -> Performed:
        """What to do about work that was lost before it was claimed: nothing has run, so it is not an attempt."""
        digest = planned.signature.digest
        self._lost[digest] = self._lost.get(digest, 0) + 1
        self._assignment.display.note(f"{planned.adapter.id}: {what}, before the work began")
        if not may_retry:
            return Performed()
        if self._lost[digest] > MAX_LOST_BEFORE_CLAIM:
            raise UsageError(
                f"{planned.adapter.id}: {what}, {self._lost[digest]} times before the work began",
                "look at the logs of the executor on that machine",
            )
        return Performed(is_unclaimed=True)

    def _keep(self, planned: PlannedRun, run_id: str, files: bytes) -> None:
        """Put the files of a run where they would be if the workspace was shared."""
        manifest = planned.adapter.manifest
        workspace, group_id = self._assignment.campaign.workspace, self._assignment.run_group_id
        try:
            unpack(files, workspace.run_folder(group_id, manifest.directory, manifest.id, run_id))
        except (OSError, ValueError, tarfile.TarError) as problem:
            self._assignment.display.note(f"{run_id}: its files cannot be kept here: {problem}")


@contextlib.contextmanager
def gate_for(assignment: Assignment, host: str) -> Iterator[GateAddress | None]:
    """The gate of a campaign, served to other machines at an address of this one; None if no endpoint has a limit."""
    limits = assignment.campaign.call_limits
    if not limits:
        yield None
        return
    with serving(Gate(limits), limits, host) as address:
        yield address
