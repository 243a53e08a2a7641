"""The default executor: runs on this machine, each in a thread of this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

from ...ledger.ledger import Ledger
from ..location import Location
from ..models.endpoints import Endpoints
from ..models.gate import Gate
from ..planning.plan import PlannedRun
from ..running.executor import Assignment, Performed, Task
from ..running.supervision import Supervisor

LOCAL_SERVER_LOG = "local-server.log"
"""The log of the servers of local models, in the folder of the group."""


class LocalExecutor:
    """Performs up to `jobs` runs of a campaign in parallel."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def begin(self, place: Location, ledger: Ledger, plan: Sequence[PlannedRun]) -> None:
        """Do nothing: what is missing here is known from the plan."""

    def close(self) -> None:
        """Do nothing."""

    @contextlib.contextmanager
    def crew(self, assignment: Assignment) -> Iterator[LocalCrew]:
        """The threads for a group. The end of the context waits for their runs, and then stops local models."""
        limits = assignment.campaign.call_limits
        with (
            Endpoints(
                log_path=assignment.folder / LOCAL_SERVER_LOG,
                announce=assignment.display.note,
                cancelled=lambda: assignment.cancellation.requested,
                gate=Gate(limits) if limits else None,
            ) as endpoints,
            ThreadPoolExecutor(self._jobs, thread_name_prefix="run") as pool,
        ):
            supervisor = Supervisor.of(assignment, endpoints)
            yield LocalCrew(supervisor, pool, self._jobs)


class LocalCrew:
    """Performs each task in a thread of a pool."""

    def __init__(self, supervisor: Supervisor, pool: ThreadPoolExecutor, room: int) -> None:
        self.room = room
        self._supervisor = supervisor
        self._pool = pool
        self._ended: SimpleQueue[tuple[Task, Future[Performed]]] = SimpleQueue()

    def start(self, task: Task) -> None:
        """Begin to perform a task."""
        future = self._pool.submit(self._supervisor.perform, task.planned, task.grant)
        future.add_done_callback(lambda done: self._ended.put((task, done)))

    def wait(self, seconds: float) -> Sequence[tuple[Task, Performed]]:
        """The tasks that have ended. Raises what `Supervisor.perform` raises."""
        ended = []
        with contextlib.suppress(Empty):
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        return [(task, future.result()) for task, future in ended]
