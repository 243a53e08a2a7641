"""The threads that perform the work of a campaign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from ..planning.plan import PlannedRun
from .budget import Budget
from .execution import Cancellation
from .retries import Retries
from .schedule import Grant, Schedule

Perform = Callable[[PlannedRun, Grant], bool]
"""Performs a piece of work with its grant. Returns whether it failed in a way that may be temporary."""


class Workers:
    """Performs the work of a schedule until none is left, the budget is spent or the campaign is cancelled."""

    def __init__(
        self,
        schedule: Schedule,
        perform: Perform,
        *,
        retries: Retries,
        budget: Budget,
        cancellation: Cancellation,
        note: Callable[[str], None],
    ) -> None:
        self._schedule = schedule
        self._perform = perform
        self._retries = retries
        self._budget = budget
        self._cancellation = cancellation
        self._note = note
        self._waits: dict[str, Iterator[float]] = {}

    def run(self, number: int) -> int:
        """Perform the work with a number of threads. Returns how many pieces of work were not started.

        Raises what `perform` raises; no further work is started then.
        """
        if number == 1:
            self._work()
        else:
            with ThreadPoolExecutor(number, thread_name_prefix="run") as pool:
                for future in [pool.submit(self._work) for _ in range(number)]:
                    future.result()
        return self._schedule.left

    def _work(self) -> None:
        while taken := self._schedule.take(self._is_over):
            planned, grant = taken
            try:
                may_pass = self._perform(planned, grant)
            except BaseException:
                # Probably the ledger cannot be written, so later runs could not be recorded either.
                if not self._cancellation.requested:
                    self._cancellation.request()
                raise
            finally:
                self._schedule.give_back(grant)
            # Work that waits for its next attempt holds no resources.
            if may_pass:
                self._retry(planned)

    def _retry(self, planned: PlannedRun) -> None:
        wait = next(self._waits.setdefault(planned.signature.digest, self._retries.waits()), None)
        if wait is not None and not self._is_over():
            self._note(
                f"{planned.adapter.id}: the failure may be temporary; retrying in {wait:.0f} s, or once there is room"
            )
            self._schedule.put_back(planned, wait)

    def _is_over(self) -> bool:
        return self._cancellation.requested or self._budget.exceeded() is not None
