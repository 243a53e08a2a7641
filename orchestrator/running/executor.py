"""The protocol of an executor: the place where the runs of a campaign are performed.

A campaign decides what may start (`dispatch`), and its executor performs it: on this machine, or on a cluster. Every
executor uses `supervision.Supervisor` for a run, so claims, logs, heartbeats and outcomes are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from ...ledger.events import Json
from ...ledger.ledger import Ledger
from ..location import Location
from ..planning.plan import PlannedRun
from ..redaction import Redactor
from .campaign import Campaign
from .control import Control
from .display import Display
from .execution import Cancellation
from .schedule import Grant


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """An open group, and everything that an executor needs to perform its runs. `folder` is that of the group."""

    campaign: Campaign
    ledger: Ledger
    run_group_id: str
    folder: Path
    provenance: Json
    redactor: Redactor
    display: Display
    cancellation: Cancellation
    control: Control


class Performed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a piece of work. Its run, if it had one, is in the ledger.

    `retry`: it failed in a way that may be temporary. `usage` is that of the run, and `if_unknown` is the id of a run
    that used a model, otherwise empty (see `Budget.spend`). `is_unclaimed`: nothing was run, because the group is
    paused or a machine failed before; the work is still to do.
    """

    is_unclaimed: bool = False
    retry: bool = False
    usage: Json = {}
    if_unknown: str = ""


class Task(msgspec.Struct, frozen=True, eq=False):
    """A piece of work that was started, with what it may use until it has ended."""

    planned: PlannedRun
    grant: Grant


class Crew(Protocol):
    """Performs the runs of one group. Only one thread uses it."""

    @property
    def room(self) -> int:
        """The maximum number of tasks that may have started and not ended."""
        ...

    def start(self, task: Task) -> None:
        """Begin to perform a task. Returns at once."""
        ...

    def wait(self, seconds: float) -> Sequence[tuple[Task, Performed]]:
        """The tasks that have ended since the last call; waits up to `seconds` for the first one.

        Raises what `Supervisor.perform` raises. Then no further task should be started.
        """
        ...


class Executor(Protocol):
    """A place where runs are performed."""

    def begin(self, place: Location, ledger: Ledger, plan: Sequence[PlannedRun]) -> None:
        """Get ready, before anything of the plan is recorded. Raises UsageError if the plan can never be performed."""
        ...

    def crew(self, assignment: Assignment) -> AbstractContextManager[Crew]:
        """The crew for a group. The end of the context waits for the tasks that still run."""
        ...

    def close(self) -> None:
        """Release what `begin` took."""
        ...
