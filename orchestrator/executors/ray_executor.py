"""The executor `ray`: each run is a task of a Ray cluster, which places it by its resources.

A task gets its errand as an argument, which Ray keeps in the memory of the processes concerned: it is in no metadata,
no dashboard and no process list. A task is never repeated by Ray itself: a worker that dies leaves a run in the ledger,
which is closed first (a fence), and `--retries` decides about the next attempt.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...ledger.fold import Run
from ...ledger.ledger import Ledger
from ..errors import UsageError
from ..location import Location
from ..planning.plan import PlannedRun
from ..running.executor import Assignment, Performed, Task
from ..running.provenance import own_version
from .errand import Errands, LedgerAddress, Package, encode
from .liaison import Liaison, gate_for
from .node import MARK, Probe, Report
from .packing import digest_of, pack
from .ray_cluster import Node, connect, nodes_of, options_of, refuse_impossible, room_of

PROBE_SECONDS = 60.0
RECOVER_SECONDS = 20.0


def _remote(ray: Any) -> dict[str, Any]:
    """The tasks, as Ray's remote functions.

    They are made here so that Ray sends them by value: a machine without this program can then say so.
    """

    def call(name: str, *arguments: Any) -> bytes:
        import importlib

        try:
            module = importlib.import_module("benchmarks.orchestrator.executors.ray_worker")
        except ImportError as problem:
            import socket

            return b"!" + f"{socket.gethostname()}: benchmark-orchestrator cannot be imported: {problem}".encode()
        answer: bytes = getattr(module, name)(*arguments)
        return answer

    def perform(errand: bytes, package: Any) -> bytes:
        return call("perform", errand, package)

    def probe(*arguments: Any) -> bytes:
        return call("probe", *arguments)

    def recover(*arguments: Any) -> bytes:
        return call("recover", *arguments)

    made = {"perform": perform, "probe": probe, "recover": recover}
    for name, function in made.items():
        function.__qualname__ = function.__name__ = f"benchmark_{name}"
    return {name: ray.remote(max_retries=0)(function) for name, function in made.items()}


class RayExecutor:
    """Performs the runs of a campaign on a Ray cluster; `jobs` is the maximum number of them in parallel."""

    def __init__(self, address: str | None, jobs: int | None) -> None:
        self._address = address
        self._jobs = jobs

    def begin(self, place: Location, ledger: Ledger, plan: Sequence[PlannedRun]) -> None:
        """Connect to the cluster and see that its nodes can perform the plan. Raises UsageError."""
        self._ray = connect(self._address)
        self._place = place
        self._tasks = _remote(self._ray)
        self._nodes = nodes_of(self._ray)
        refuse_impossible(plan, self._nodes)
        self._probes = self._probe(place, ledger)

    def close(self) -> None:
        """Disconnect from the cluster."""
        if getattr(self, "_ray", None) is not None:
            self._ray.shutdown()

    @contextlib.contextmanager
    def crew(self, assignment: Assignment) -> Iterator[RayCrew]:
        """The cluster for a group."""
        mark = os.urandom(16).hex()
        assignment.folder.mkdir(parents=True, exist_ok=True)
        (assignment.folder / MARK).write_text(mark)
        travels = not all(probe.sees_workspace for probe in self._probes.values())
        room = self._jobs or room_of(assignment.campaign.plan, self._nodes)
        with contextlib.ExitStack() as stack:
            gate = stack.enter_context(gate_for(assignment, self._own_address()))
            errands = Errands(assignment, LedgerAddress.of(self._place.ledger_url), mark, gate)
            crew = RayCrew(self._ray, self._tasks, assignment, errands, room, travels=travels)
            try:
                yield crew
            except BaseException:
                crew.abandon()
                raise
            finally:
                crew.end()
                with contextlib.suppress(OSError):
                    (assignment.folder / MARK).unlink()

    def _own_address(self) -> str:
        """The address of this machine for the others; that of the loopback if the cluster is on this machine alone."""
        own: str = self._ray.util.get_node_ip_address()
        return "127.0.0.1" if {node.address for node in self._nodes} <= {own} else own

    def _probe(self, place: Location, ledger: Ledger) -> dict[str, Probe]:
        """What each node says of itself. Raises UsageError if one has another version or does not see the ledger."""
        results = place.workspace.results
        results.mkdir(parents=True, exist_ok=True)
        mark, path = os.urandom(16).hex(), results / f".probe-{os.getpid()}"
        path.write_text(mark)
        head = ledger.store.head()
        address = msgspec.msgpack.encode(LedgerAddress.of(place.ledger_url))
        try:
            asked = {
                node.node_id: self._on(node, "probe").remote(address, head.seq, head.hash, str(path), mark)
                for node in self._nodes
            }
            ready, _ = self._ray.wait(list(asked.values()), num_returns=len(asked), timeout=PROBE_SECONDS)
            probes = {}
            for node_id, reference in asked.items():
                # A node that dies meanwhile says nothing; its runs are recovered as those of any dead node.
                with contextlib.suppress(self._ray.exceptions.RayError):
                    if reference in ready:
                        probes[node_id] = _answer(self._ray, reference, Probe)
        finally:
            path.unlink(missing_ok=True)
        if not probes:
            raise UsageError(f"no node of the cluster has answered within {PROBE_SECONDS:.0f} s", "look at: ray status")
        for probe in probes.values():
            if probe.version != own_version():
                raise UsageError(
                    f"{probe.host} has benchmark-orchestrator {probe.version}, and this machine {own_version()}",
                    "install the same version on every machine",
                )
            if probe.problem:
                raise UsageError(probe.problem)
        return probes

    def _on(self, node: Node, name: str) -> Any:
        return _pinned(self._tasks[name], node.node_id)


def _pinned(task: Any, node_id: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return task.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False))


def _answer(ray: Any, reference: Any, kind: type[Any]) -> Any:
    """The answer of a task. Raises UsageError for a machine without this program, and what Ray raises."""
    content: bytes = ray.get(reference)
    if content.startswith(b"!"):
        raise UsageError(content[1:].decode(), "install benchmark-orchestrator in the environment of every node")
    return msgspec.msgpack.decode(content, type=kind)


class RayCrew:
    """Performs each task of a group as a Ray task."""

    def __init__(
        self,
        ray: Any,
        tasks: dict[str, Any],
        assignment: Assignment,
        errands: Errands,
        room: int,
        *,
        travels: bool,
    ) -> None:
        self.room = room
        self._ray = ray
        self._tasks = tasks
        self._assignment = assignment
        self._errands = errands
        self._packages = Packages(ray, assignment) if travels else None
        self._running: dict[Any, Task] = {}
        self._liaison = Liaison(assignment)

    def start(self, task: Task) -> None:
        """Submit a task."""
        package, reference = self._packages.of(task.planned) if self._packages else (None, None)
        errand = encode(self._errands.of(task.planned, package))
        options = options_of(task.planned.adapter.manifest.resources)
        submitted = self._tasks["perform"].options(name=f"benchmark {task.planned.adapter.id}", **options)
        self._running[submitted.remote(errand, [reference])] = task

    def wait(self, seconds: float) -> Sequence[tuple[Task, Performed]]:
        """The tasks that have ended. Raises UsageError if a machine cannot perform errands of this campaign."""
        if self._liaison.pass_interrupt_on():
            for reference in self._running:
                self._ray.cancel(reference, force=True)
        # Now, because the new tasks have been handed out, and no worker waits for one.
        self._liaison.look(now=False)
        ready: list[Any] = []
        if self._running:
            ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
            if ready and len(self._running) > 1:
                ready, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        else:
            time.sleep(seconds)
        return [self._ended(reference) for reference in ready]

    def end(self) -> None:
        """Wait for the tasks that still run, after an interrupt or an error."""
        self._liaison.finish(self._running, self.wait)

    def abandon(self) -> None:
        """Ask the tasks that still run to end, because the campaign cannot go on."""
        self._liaison.give_up()

    def _ended(self, reference: Any) -> tuple[Task, Performed]:
        task = self._running.pop(reference)
        try:
            report: Report = _answer(self._ray, reference, Report)
        except self._ray.exceptions.RayError as problem:
            return task, self._liaison.lost(task.planned, _told(problem), recover_there=self._recover_there)
        return task, self._liaison.take_back(task.planned, report)

    def _recover_there(self, run: Run) -> Run | None:
        """Recover a run on its own machine, which can end its processes and adopt its result. None if it cannot."""
        for node in nodes_of(self._ray):
            reference = _pinned(self._tasks["recover"], node.node_id).remote(
                msgspec.msgpack.encode(self._errands.ledger),
                str(self._assignment.campaign.workspace.root),
                run.run_id,
            )
            try:
                ready, _ = self._ray.wait([reference], timeout=RECOVER_SECONDS)
                if ready and self._ray.get(reference) == b"recovered":
                    return self._assignment.ledger.look(lambda history: history.runs[run.run_id])
            except self._ray.exceptions.RayError:
                continue  # This node has died, too.
        return None


class Packages:
    """The files of benchmarks in the object store of the cluster, each put there once."""

    def __init__(self, ray: Any, assignment: Assignment) -> None:
        self._ray = ray
        self._root = assignment.campaign.workspace.root
        self._put: dict[Path, tuple[str, Any]] = {}

    def of(self, planned: PlannedRun) -> tuple[Package | None, Any]:
        """The package of a piece of work and its reference. Raises PackageTooLarge."""
        adapter = planned.adapter
        if adapter.source in ("suite", "plugin") or adapter.root is None:
            return None, None
        manifest = adapter.manifest
        is_workspace = adapter.source == "catalog" or not manifest.needs_directory or manifest.run.package is not None
        root = self._root if is_workspace else adapter.root
        if root not in self._put:
            content = pack(root)
            self._put[root] = digest_of(content), self._ray.put(content)
        digest, reference = self._put[root]
        inside = str(adapter.root.relative_to(root)) if adapter.root.is_relative_to(root) else "."
        return Package(digest, inside, is_workspace), reference


def _told(problem: Exception) -> str:
    """What Ray says of a task, in a few words."""
    kind = type(problem).__name__
    words = {
        "WorkerCrashedError": "its worker process died",
        "NodeDiedError": "its node died",
        "OutOfMemoryError": "Ray killed its worker process, because the memory of the node was used up",
        "TaskCancelledError": "its worker process was killed",
    }
    return words.get(kind) or f"its worker failed ({kind}: {' '.join(str(problem).split())[:200]})"
