"""The executor `slurm`: runs are elements of job arrays, submitted by `sbatch`.

All machines share the workspace. The errands of an array are files in the folder of its group, which only their owner
can read; each element reads the one of its number, and writes its report beside it. `squeue` shows which elements are
lost: those that have left the queue, or have ended there, and left no report.
"""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ...adapters.manifest import Resources
from ...ledger.ledger import Ledger
from ..errors import UsageError
from ..location import Location
from ..planning.plan import PlannedRun
from ..running.executor import Assignment, Performed, Task
from .errand import Errands, LedgerAddress, encode
from .liaison import Liaison, gate_for
from .node import MARK, Report

ERRAND, REPORT = ".errand", ".report"
"""The endings of the files of an element; their names are its number."""

MAX_ARRAY = 1000
"""Maximum number of elements of an array. Slurm's own limit (MaxArraySize) is 1001 unless it is configured."""

QUEUE_SECONDS = 2.0
"""How often the queue is read."""
_GONE_SECONDS = 6.0
"""How long to wait for the report of an element that has left the queue: files on a shared disk may appear late."""
_COMMAND_SECONDS = 60.0
_COMMANDS = ("sbatch", "squeue", "scancel")
_EXPORTED = (
    "PATH HOME USER LOGNAME LANG LC_ALL TMPDIR LD_LIBRARY_PATH VIRTUAL_ENV BENCHMARKS_CACHE XDG_CACHE_HOME".split()
)
"""The variables that a job inherits. Slurm keeps them, so none of them may hold a secret."""

_LIVE = frozenset("PENDING RUNNING SUSPENDED COMPLETING CONFIGURING REQUEUED REQUEUE_HOLD REQUEUE_FED RESIZING".split())
_LIVE |= frozenset("SIGNALING STAGE_OUT STOPPED SPECIAL_EXIT RESV_DEL_HOLD".split())
_LASTING = frozenset("CANCELLED OUT_OF_MEMORY TIMEOUT DEADLINE".split())
"""States after which the same work would most likely end in the same way."""


class SlurmExecutor:
    """Performs the runs of a campaign as jobs of Slurm; `jobs` is the maximum number of them in parallel."""

    def __init__(self, jobs: int | None) -> None:
        self._jobs = jobs

    def begin(self, place: Location, ledger: Ledger, plan: Sequence[PlannedRun]) -> None:
        """See that Slurm is installed, and that it could perform the plan. Raises UsageError."""
        missing = [name for name in _COMMANDS if shutil.which(name) is None]
        if missing:
            raise UsageError(
                f"the executor slurm needs {', '.join(missing)}, which cannot be found on PATH",
                "run this command on a login node of the cluster",
            )
        self._place = place
        due = {msgspec.json.encode(one.adapter.manifest.resources): one for one in plan if not one.missing}
        for planned in due.values():
            _refuse_impossible(planned)

    def close(self) -> None:
        """Do nothing."""

    @contextlib.contextmanager
    def crew(self, assignment: Assignment) -> Iterator[SlurmCrew]:
        """The jobs for a group. The end of the context waits for those that still run."""
        mark = os.urandom(16).hex()
        folder = assignment.folder / "slurm"
        folder.mkdir(parents=True, mode=0o700)
        (assignment.folder / MARK).write_text(mark)
        host = os.uname().nodename
        with gate_for(assignment, host) as gate:
            errands = Errands(assignment, LedgerAddress.of(self._place.ledger_url), mark, gate)
            crew = SlurmCrew(assignment, errands, folder, self._jobs or MAX_ARRAY)
            try:
                yield crew
            except BaseException:
                crew.abandon()
                raise
            finally:
                crew.end()
                shutil.rmtree(folder, ignore_errors=True)
                with contextlib.suppress(OSError):
                    (assignment.folder / MARK).unlink()


class _Element(msgspec.Struct, frozen=True, eq=False):
    """A task that was submitted: the id of its element, such as 123_4, and its files without their ending."""

    job: str
    files: Path
    task: Task


class SlurmCrew:
    """Performs the tasks of a group as elements of job arrays."""

    def __init__(self, assignment: Assignment, errands: Errands, folder: Path, room: int) -> None:
        self.room = room
        self._assignment = assignment
        self._errands = errands
        self._folder = folder
        self._liaison = Liaison(assignment)
        self._new: list[Task] = []
        self._running: dict[str, _Element] = {}
        self._arrays = 0
        self._read_queue_at = 0.0
        self._gone_since: dict[str, float] = {}
        self._has_cancelled = False

    def start(self, task: Task) -> None:
        """Keep a task for the next array."""
        self._new.append(task)

    def wait(self, seconds: float) -> Sequence[tuple[Task, Performed]]:
        """Submit the new tasks, and return those that have ended. Raises UsageError if Slurm refuses a job."""
        dropped = self._end_what_is_asked()
        self._submit()
        until = time.monotonic() + seconds
        while not (ended := [*dropped, *self._ended()]) and time.monotonic() < until:
            time.sleep(min(0.1, seconds))
        self._liaison.look(now=bool(ended))
        return ended

    def end(self) -> None:
        """Wait for the elements that still run, after an interrupt or an error."""
        self._new.clear()
        self._liaison.finish(self._running, self.wait)

    def abandon(self) -> None:
        """Ask the elements that still run to end, because the campaign cannot go on."""
        self._new.clear()
        self._liaison.give_up()
        self._cancel("--state=PENDING")

    def _submit(self) -> None:
        """Submit the new tasks, one array for each kind of resources."""
        by_options: dict[tuple[str, ...], list[Task]] = {}
        for task in self._new:
            by_options.setdefault(tuple(options_of(task.planned.adapter.manifest.resources)), []).append(task)
        self._new.clear()
        for options, tasks in by_options.items():
            for first in range(0, len(tasks), MAX_ARRAY):
                self._submit_array(options, tasks[first : first + MAX_ARRAY])

    def _submit_array(self, options: tuple[str, ...], tasks: Sequence[Task]) -> None:
        self._arrays += 1
        folder = self._folder / str(self._arrays)
        folder.mkdir(mode=0o700)
        for number, task in enumerate(tasks):
            _write(folder / f"{number}{ERRAND}", encode(self._errands.of(task.planned, None)))
        script = folder / "job.sh"
        script.write_text(_script(folder))
        done = _slurm(
            "sbatch",
            "--parsable",
            f"--array=0-{len(tasks) - 1}",
            f"--output={folder}/%a.log",
            f"--job-name=benchmarks-{self._assignment.run_group_id}",
            *options,
            str(script),
        )
        if done.returncode:
            raise UsageError(f"sbatch refused a job: {_said(done)}")
        # With several clusters, the name of the cluster follows.
        array = done.stdout.strip().split(";")[0]
        for number, task in enumerate(tasks):
            element = _Element(f"{array}_{number}", folder / str(number), task)
            self._running[element.job] = element

    def _ended(self) -> list[tuple[Task, Performed]]:
        ended = []
        for element in list(self._running.values()):
            if (report := _read(element)) is not None:
                ended.append((element.task, self._liaison.take_back(element.task.planned, report)))
                self._forget(element)
        if self._running and time.monotonic() >= self._read_queue_at:
            ended += self._lost()
            self._read_queue_at = time.monotonic() + QUEUE_SECONDS
        return ended

    def _lost(self) -> list[tuple[Task, Performed]]:
        """The tasks whose element has ended without a report."""
        states = self._states()
        if states is None:
            return []
        ended = []
        now = time.monotonic()
        for element in list(self._running.values()):
            state = states.get(element.job, "gone")
            if state in _LIVE:
                self._gone_since.pop(element.job, None)
                continue
            if now < self._gone_since.setdefault(element.job, now) + _GONE_SECONDS or _read(element) is not None:
                continue
            state = _final_state(element.job) if state == "gone" else state
            what = f"its Slurm job {element.job} ended as {state}" if state else f"its Slurm job {element.job} is gone"
            performed = self._liaison.lost(element.task.planned, what, may_retry=state not in _LASTING)
            ended.append((element.task, performed))
            self._forget(element)
        return ended

    def _states(self) -> dict[str, str] | None:
        """The states of the elements in the queue; None if the queue cannot be read now."""
        arrays = sorted({job.partition("_")[0] for job in self._running})
        done = _slurm("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T", f"--jobs={','.join(arrays)}")
        if done.returncode and "nvalid job id" not in done.stderr:
            return None
        lines = (line.strip().partition("|") for line in done.stdout.splitlines())
        return {job: state.split()[0].rstrip("+") for job, _, state in lines if state}

    def _forget(self, element: _Element) -> None:
        del self._running[element.job]
        self._gone_since.pop(element.job, None)
        for ending in (ERRAND, REPORT):
            element.files.with_name(element.files.name + ending).unlink(missing_ok=True)

    def _end_what_is_asked(self) -> list[tuple[Task, Performed]]:
        """Pass an interrupt or a cancellation on to Slurm. Returns the tasks that are not submitted because of it."""
        assignment = self._assignment
        if self._liaison.pass_interrupt_on():
            self._cancel()
        if not (assignment.control.is_cancelled or assignment.cancellation.requested):
            return []
        if not self._has_cancelled:
            # Elements that run end by the event, and record their runs.
            self._has_cancelled = True
            self._cancel("--state=PENDING")
        dropped = [(task, Performed()) for task in self._new]
        self._new.clear()
        return dropped

    def _cancel(self, *options: str) -> None:
        if arrays := sorted({job.partition("_")[0] for job in self._running}):
            _slurm("scancel", "--quiet", *options, *arrays)


def options_of(needed: Resources) -> list[str]:
    """What a run asks of Slurm. Account, partition and the like come from the variables SBATCH_…."""
    exported = ",".join(name for name in _EXPORTED if name in os.environ)
    options = [
        "--ntasks=1",
        f"--cpus-per-task={max(1, math.ceil(needed.cpus))}",
        "--no-requeue",
        f"--export={exported}",
    ]
    if needed.memory_bytes:
        options.append(f"--mem={math.ceil(needed.memory_bytes / 2**20)}M")
    generic = [f"gpu:{needed.gpus}"] if needed.gpus else []
    generic += [f"{name}:{amount:g}" for name, amount in sorted(needed.custom.items())]
    if generic:
        options.append(f"--gres={','.join(generic)}")
    return options


def _refuse_impossible(planned: PlannedRun) -> None:
    """Raises UsageError for work that Slurm would never start: it is asked, and submits nothing."""
    needed = planned.adapter.manifest.resources
    done = _slurm("sbatch", "--test-only", *options_of(needed), "--wrap=true")
    if done.returncode == 0:
        return
    asked = [f"{max(1, math.ceil(needed.cpus))} processors"]
    asked += [f"{needed.memory_bytes / 2**30:.1f} GiB of memory"] if needed.memory_bytes else []
    asked += [f"{needed.gpus} GPUs"] if needed.gpus else []
    asked += [f"{amount:g} {name}" for name, amount in needed.custom.items()]
    raise UsageError(
        f"{planned.adapter.id}: Slurm cannot run it: it asks for {', '.join(asked)}{_largest()}; "
        f"sbatch says: {_said(done)}",
        "lower [resources] of its manifest, or choose another partition with SBATCH_PARTITION",
    )


def _largest() -> str:
    """What the largest node has, for a sentence; empty if `sinfo` does not say it."""
    if shutil.which("sinfo") is None:
        return ""
    rows = []
    for line in _slurm("sinfo", "--noheader", "--format=%c|%m|%G").stdout.splitlines():
        cpus, _, rest = line.strip().partition("|")
        memory, _, generic = rest.partition("|")
        with contextlib.suppress(ValueError):
            rows.append((int(cpus.rstrip("+")), int(memory.rstrip("+")), generic))
    if not rows:
        return ""
    cpus_of, memory_of, generic_of = max(rows)
    generic_told = "" if generic_of in ("", "(null)") else f", {generic_of}"
    return f"; the largest node has {cpus_of} processors, {memory_of / 1024:.1f} GiB of memory{generic_told}"


def _final_state(job: str) -> str:
    """The state in which an element has left the queue, by the accounting; empty if that does not know it."""
    if shutil.which("sacct") is None:
        return ""
    done = _slurm("sacct", "--noheader", "--allocations", "--parsable2", "--format=State", f"--jobs={job}")
    return done.stdout.split()[0] if done.returncode == 0 and done.stdout.split() else ""


def _slurm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Slurm. One that hangs counts as failed."""
    try:
        return subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return subprocess.CompletedProcess(arguments, 1, "", str(problem))


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stderr or done.stdout).split())[:300] or f"exit code {done.returncode}"


def _script(folder: Path) -> str:
    command = shlex.join([sys.executable, "-m", "benchmarks.orchestrator.executors.slurm_job", str(folder)])
    return f"#!/bin/sh\nexec {command}\n"


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(content)


def _read(element: _Element) -> Report | None:
    """The report of an element; None if there is none yet."""
    try:
        content = element.files.with_name(element.files.name + REPORT).read_bytes()
    except OSError:
        return None
    return msgspec.msgpack.decode(content, type=Report)
