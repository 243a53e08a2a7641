"""Hands the work of a campaign to its executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...ledger.events import Paused
from ..planning.plan import PlannedRun
from .budget import Budget
from .control import Control, words_of
from .execution import Cancellation
from .executor import Crew, Performed, Task
from .retries import Retries
from .schedule import Schedule

_LOOK_SECONDS = 0.2


class Dispatcher:
    """Hands out the work of a schedule until none is left, the budget is spent or the campaign is cancelled."""

    def __init__(
        self,
        schedule: Schedule,
        crew: Crew,
        *,
        retries: Retries,
        budget: Budget,
        cancellation: Cancellation,
        control: Control,
        note: Callable[[str], None],
    ) -> None:
        self._schedule = schedule
        self._crew = crew
        self._retries = retries
        self._budget = budget
        self._cancellation = cancellation
        self._control = control
        self._noted_pause: Paused | None = None
        self._note = note
        self._waits: dict[str, Iterator[float]] = {}
        self._running = 0

    def run(self) -> int:
        """Have all work performed. Returns how many pieces of work were not started.

        Raises what `Crew.wait` raises; no further work is started then.
        """
        try:
            while self._hand_out():
                for task, performed in self._crew.wait(_LOOK_SECONDS):
                    self._take_back(task, performed)
        except BaseException:
            # Probably the ledger cannot be written, so later runs could not be recorded either.
            if not self._cancellation.requested:
                self._cancellation.request()
            raise
        return self._schedule.left

    def _hand_out(self) -> bool:
        """Start all work that may start now. Returns whether there is something to wait for."""
        while self._running < self._crew.room and self._may_start() and (taken := self._schedule.take()):
            self._crew.start(Task(*taken))
            self._running += 1
        return self._running > 0 or (self._schedule.is_waiting and not self._is_over())

    def _take_back(self, task: Task, performed: Performed) -> None:
        self._running -= 1
        self._schedule.give_back(task.grant)
        self._budget.spend(performed.usage, if_unknown=performed.if_unknown)
        if performed.is_unclaimed:
            self._control.look()
            self._schedule.put_back(task.planned, 0, was_taken=False)
        # Work that waits for its next attempt holds no resources.
        if performed.retry:
            self._retry(task.planned)

    def _retry(self, planned: PlannedRun) -> None:
        wait = next(self._waits.setdefault(planned.signature.digest, self._retries.waits()), None)
        if wait is not None and not self._is_over():
            self._note(
                f"{planned.adapter.id}: the failure may be temporary; retrying in {wait:.0f} s, or once there is room"
            )
            self._schedule.put_back(planned, wait)

    def _may_start(self) -> bool:
        if self._is_over():
            return False
        paused = self._control.asked.paused
        if paused != self._noted_pause:
            self._note(f"{words_of(paused)}; benchmarks resume lets it go on" if paused else "resumed")
            self._noted_pause = paused
        return paused is None

    def _is_over(self) -> bool:
        return self._cancellation.requested or self._control.is_cancelled or self._budget.exceeded() is not None
