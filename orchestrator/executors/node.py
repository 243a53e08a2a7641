"""The side of an executor that performs an errand, in a process on the machine that was chosen for it.

It is the same supervision as on the machine of the campaign: claim, logs, heartbeats, redaction, outcome. Events go
directly to the ledger.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import socket
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from ...adapters.cache import cache_folder
from ...adapters.discovery import discover
from ...adapters.requirements.missing import Need, examine
from ...ledger.errors import ExpectedError, LedgerError
from ...ledger.events import Head, Incompatible, Progress
from ...ledger.fold import Run
from ...ledger.identity import boot_id, host_name, pid_namespace
from ...ledger.ledger import Ledger
from ...ledger.storage.postgres_address import without_secrets
from ...projections.workspace import Workspace
from ..location import Location
from ..machine.capacity import Capacity, this_machine
from ..machine.reservation import lock_folder
from ..models.endpoints import Endpoints
from ..models.gate import RemoteGate
from ..models.prices import Prices
from ..planning.naming import secrets_of_plan
from ..planning.plan import PlannedRun
from ..redaction import Redactor, secrets_of
from ..running.control import Control, followed
from ..running.execution import Cancellation
from ..running.executor import Assignment, Performed
from ..running.provenance import own_version
from ..running.recovery import provably_dead, recover
from ..running.schedule import Grant, Schedule
from ..running.supervision import Supervisor
from .errand import Errand, LedgerAddress, campaign_of, unpacked
from .packing import pack_run, place

MARK = ".driver"
"""The file in a group's folder by which a machine recognises the workspace of the campaign."""

SILENCE_SECONDS = 60.0
"""Maximum time between heartbeats of a run on a cluster: other machines cannot see its process."""

MAX_RETURNED_BYTES = 64 * 1024 * 1024
"""Maximum size of a run's files that are sent back to the workspace of the campaign."""

_PAUSE_SECONDS = 0.2
_OF_THE_EXECUTOR = ("RAY_", "SLURM_", "SBATCH_")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an errand.

    `refused` is why this machine cannot perform errands of this campaign; empty if it can. `notes` are lines for the
    display of the campaign. `files` is an archive of the run's folder if the workspace is not shared.
    """

    performed: Performed = Performed()
    refused: str = ""
    notes: list[str] = []
    run_id: str | None = None
    files: bytes | None = None


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine says of itself: its version, its identity, whether it sees the workspace and reads the ledger."""

    version: str
    python: str
    host: str
    boot_id: str
    pid_namespace: str
    sees_workspace: bool
    problem: str = ""
    recovered: list[str] = []


class NodeDisplay:
    """Keeps the notes of an errand; the display of the campaign follows the ledger for everything else."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.open_run: str | None = None
        self.run_id: str | None = None

    def note(self, text: str) -> None:
        """Keep a note."""
        self.notes.append(text)

    def started(self, run_id: str, benchmark_id: str) -> None:
        """Remember that a run is open."""
        self.open_run = self.run_id = run_id

    def progress(self, run_id: str, progress: Progress) -> None:
        """Do nothing: heartbeats carry the progress."""

    def ended(self, run: Run) -> None:
        """Remember that the run was recorded."""
        self.open_run = None

    def close(self) -> None:
        """Do nothing."""


_ledgers: dict[str, tuple[Ledger, Redactor]] = {}
"""The ledgers that this process has opened: the next errand finds them up to date."""


def perform(
    errand: Errand,
    fetch: Callable[[], bytes],
    *,
    before: Callable[[Ledger], None] = lambda _: None,
    shares_models: bool = False,
) -> Report:
    """Perform an errand to its end. `fetch` returns the content of its package.

    With `shares_models`, the processes of this machine use one server for each local model.
    `before` is called with the ledger before the work is claimed. If the ledger cannot be written while a run is open,
    this process ends: the run is then recovered, as that of any dead process.
    """
    if errand.version != own_version():
        return Report(
            refused=f"{host_name()} has benchmark-orchestrator {own_version()}, and the campaign {errand.version}"
        )
    display = NodeDisplay()
    try:
        return _perform(errand, fetch, display, before, shares_models)
    except (LedgerError, OSError) as problem:
        if display.open_run is None:
            return Report(refused=f"{host_name()}: {problem}", notes=display.notes)
        print(f"{display.open_run}: {problem}", file=sys.stderr, flush=True)
        os._exit(1)


def _perform(
    errand: Errand,
    fetch: Callable[[], bytes],
    display: NodeDisplay,
    before: Callable[[Ledger], None],
    shares_models: bool,
) -> Report:
    ledger, redactor = _ledger_of(errand.ledger)
    if not ledger.look(lambda history: errand.run_group_id in history.groups):
        return Report(refused=_another_ledger(errand.ledger))
    before(ledger)
    workspace, is_shared = _workspace_of(errand)
    try:
        root = _root_of(errand, workspace, is_shared, fetch)
    except (OSError, tarfile.TarError) as problem:
        return Report(refused=f"{host_name()}: the files of {errand.work.manifest.id} cannot be unpacked: {problem}")
    planned = unpacked(errand.work, root)
    environ = {**_own_environment(errand.ledger.url), **errand.environ}
    redactor.learn(secrets_of(errand.environ), *_keys_of(planned), identities=errand.identities)
    redactor.learn(*secrets_of_plan([planned]))
    missing = _missing(planned, environ)
    if missing:
        return _incompatible(ledger, errand, planned, missing)
    campaign = campaign_of(errand, workspace, planned, environ)
    with (
        contextlib.closing(Cancellation()) as cancellation,
        followed(Control(ledger, errand.run_group_id)) as control,
        Endpoints(
            log_path=workspace.group_folder(errand.run_group_id) / f"local-server-{host_name()}.log",
            announce=display.note,
            cancelled=lambda: control.is_cancelled,
            gate=RemoteGate(errand.gate) if errand.gate else None,
            shares=shares_models,
        ) as endpoints,
    ):
        grant = _granted(planned, environ, control, display)
        if grant is None:
            return Report(performed=Performed())
        assignment = Assignment(
            campaign=campaign,
            ledger=ledger,
            run_group_id=errand.run_group_id,
            folder=workspace.group_folder(errand.run_group_id),
            provenance=errand.provenance,
            redactor=redactor,
            display=display,
            cancellation=cancellation,
            control=control,
        )
        performed = Supervisor.of(assignment, endpoints, silence_seconds=SILENCE_SECONDS).perform(planned, grant)
    report = Report(performed=performed, notes=display.notes, run_id=display.run_id)
    return report if is_shared else _with_files(report, errand, workspace)


def _ledger_of(address: LedgerAddress) -> tuple[Ledger, Redactor]:
    url = address.url
    if url not in _ledgers:
        # The store and libpq look for them there; a benchmark does not inherit them.
        os.environ.update(address.environ)
        # The workspace is of no importance: every errand has its own.
        _ledgers[url] = Location(Workspace(cache_folder()), url).ledger()
    return _ledgers[url]


def ledger_of(address: LedgerAddress) -> Ledger:
    """The ledger of an errand, as this process has opened it."""
    return _ledger_of(address)[0]


def _another_ledger(address: LedgerAddress) -> str:
    return (
        f"{host_name()} sees another ledger than the campaign, or none, at {_ledger_of(address)[0].store.url}\n"
        "hint: give a ledger that all machines reach with --ledger postgresql://…, or a path that they share"
    )


def _workspace_of(errand: Errand) -> tuple[Workspace, bool]:
    """The workspace of the campaign if this machine shares it, else one in the cache folder."""
    given = Workspace(Path(errand.workspace), errand.artifacts)
    if sees(given.group_folder(errand.run_group_id) / MARK, errand.mark):
        return given, True
    return Workspace(own_workspace(errand.run_group_id), errand.artifacts), False


def own_workspace(run_group_id: str) -> Path:
    """The workspace of this machine for a group whose workspace it does not share."""
    return cache_folder() / "cluster" / run_group_id


def sees(path: Path, mark: str) -> bool:
    """Whether this machine finds a file with that content."""
    try:
        return path.read_text() == mark
    except (OSError, UnicodeDecodeError):
        return False


def _root_of(errand: Errand, workspace: Workspace, is_shared: bool, fetch: Callable[[], bytes]) -> Path | None:
    """The folder of the benchmark on this machine."""
    work, package = errand.work, errand.package
    if work.source in ("suite", "plugin"):
        # They come with programs that are installed on every machine.
        known = discover(workspace.root).adapters.get(work.manifest.id)
        if known is None or known.sha256 != work.sha256:
            raise OSError(f"the {work.source} {work.manifest.id} is not installed here in the same version")
        return known.root
    if is_shared or work.root is None:
        return Path(work.root) if work.root else None
    if package is None:
        raise OSError(f"the workspace {errand.workspace} is not visible here")
    files = place(fetch(), package.digest)
    if package.is_workspace:
        workspace.root.mkdir(parents=True, exist_ok=True)
        for entry in files.iterdir():
            link = workspace.root / entry.name
            with contextlib.suppress(FileExistsError):
                link.symlink_to(entry)
    return files / package.root


def _own_environment(ledger_url: str) -> dict[str, str]:
    """The variables of this process, without those of the executor's own machinery and the ledger's passwords."""
    environ = without_secrets(os.environ, ledger_url)
    return {name: value for name, value in environ.items() if not name.startswith(_OF_THE_EXECUTOR)}


def _keys_of(planned: PlannedRun) -> list[Mapping[str, str]]:
    endpoint = planned.target.endpoint
    return [{endpoint.key_variable: endpoint.key}] if endpoint.key_variable and endpoint.key else []


def _missing(planned: PlannedRun, environ: Mapping[str, str]) -> list[str]:
    need = Need(adapter=planned.adapter, agent=planned.agent, config=planned.config)
    [standing] = examine([need], environ, ask_now=True)
    return [f"{text} (on {host_name()})" for text in standing.missing]


def _incompatible(ledger: Ledger, errand: Errand, planned: PlannedRun, missing: list[str]) -> Report:
    event = Incompatible(
        benchmark_id=planned.adapter.id,
        signature=planned.signature.digest,
        missing=missing,
        agent=planned.agent,
        provider=planned.provider,
        model=planned.model,
    )
    ledger.append(errand.run_group_id, event)
    return Report(notes=[f"{planned.adapter.id}: incompatible, missing: {'; '.join(missing)}"])


def _granted(planned: PlannedRun, environ: Mapping[str, str], control: Control, display: NodeDisplay) -> Grant | None:
    """What the run may use on this machine; waits for GPUs and words that other orchestrators use here.

    The executor has chosen a machine with enough processors and memory. None if the group is cancelled meanwhile.
    """
    needed = planned.adapter.manifest.resources
    if not (needed.gpus or needed.exclusive):
        return Grant(needed)
    capacity = Capacity(math.inf, sys.maxsize, this_machine(environ).gpus if needed.gpus else ())
    schedule = Schedule([planned], capacity, locks=lock_folder(), announce=display.note)
    while (taken := schedule.take()) is None:
        if control.is_cancelled:
            return None
        time.sleep(_PAUSE_SECONDS)
    return taken[1]


def _with_files(report: Report, errand: Errand, workspace: Workspace) -> Report:
    """The report with the files of the run, which are removed here."""
    if report.run_id is None or workspace.artifacts:
        return report
    manifest = errand.work.manifest
    folder = workspace.run_folder(errand.run_group_id, manifest.directory, manifest.id, report.run_id)
    try:
        files = pack_run(folder, max_bytes=MAX_RETURNED_BYTES)
    except (ExpectedError, OSError) as problem:
        too_large = f"are larger than {MAX_RETURNED_BYTES / 2**20:.0f} MiB"
        why = too_large if isinstance(problem, ExpectedError) else f"cannot be read ({problem.strerror})"
        note = f"{report.run_id}: its files {why} and stay on {host_name()} in {folder}"
        return msgspec.structs.replace(report, notes=[*report.notes, note])
    shutil.rmtree(folder, ignore_errors=True)
    return msgspec.structs.replace(report, files=files)


def probe(address: LedgerAddress, head: tuple[int, str], mark_path: str, mark: str) -> Probe:
    """What this machine says of itself; `head` is the last event of the campaign's ledger (its position and hash).

    Runs of this machine whose process is gone are recovered first: only this machine can end what they left.
    """
    problem, recovered = "", []
    try:
        ledger, _ = _ledger_of(address)
        seq, digest = head
        if seq and not ledger.store.holds(Head(seq, digest)):
            problem = _another_ledger(address)
        elif seq:
            recovered = [run.run_id for run in recover_here(ledger, provably_dead)]
    except (ExpectedError, OSError) as error:
        problem = f"{host_name()}: {error}"
    return Probe(
        version=own_version(),
        python=sys.version.split()[0],
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid_namespace=pid_namespace(),
        sees_workspace=sees(Path(mark_path), mark),
        problem=problem,
        recovered=recovered,
    )


def recover_here(ledger: Ledger, is_lost: Callable[[Run], bool]) -> list[Run]:
    """Recover runs that this machine performed for campaigns whose workspace it does not share."""
    recovered = []
    folder = cache_folder() / "cluster"
    for group in sorted(folder.iterdir()) if folder.is_dir() else ():

        def is_here(run: Run, group: Path = group) -> bool:
            return run.run_group_id == group.name and is_lost(run)

        recovered += recover(ledger, is_here, workspace=Workspace(group), adapters={}, prices=Prices([]))
    return recovered
