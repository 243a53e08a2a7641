"""Claims, executes, watches and records one run."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ...adapters.adapter import Command
from ...adapters.environment import Environment, EnvironmentBuildError, in_use, spec_of
from ...ledger.commitment import Secrets, new_secrets
from ...ledger.errors import LedgerBusy, LedgerError
from ...ledger.events import Failed, Finished, Json, NewEvent, Started
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.holders import describe_holders
from ...ledger.ledger import Ledger
from ..models.endpoints import Endpoints, ModelUnavailable
from ..models.prices import priced
from ..models.providers import NO_MODEL, Endpoint, without_other_keys
from ..planning.addresses import public_address
from ..planning.plan import PlannedRun
from ..planning.revision import revision_of, with_packages
from ..redaction import Redactor
from .campaign import Campaign
from .control import Control
from .copying import COPY_SECONDS, Copies, stored_at
from .display import Display
from .ending import record_end
from .execution import RUN_ID_VARIABLE, Cancellation, Child, execute
from .executor import Assignment, Performed
from .fingerprints import remove_fingerprints, write_fingerprints
from .heartbeat import MAX_SILENCE_SECONDS, Pulse
from .identifiers import new_run_id
from .outcome import MANIFEST, OUTPUT, PROGRESS, TELEMETRY, Left, never_began, weigh
from .patience import Patience
from .provenance import content_of, run_provenance
from .retries import is_transient
from .schedule import Grant
from .starting import Claimed, Setting, started
from .telemetry import ProgressFile

_MIN_FREE_BYTES = 50 * 1024 * 1024
"""Bytes that must be free before a run starts, for its logs and its events."""


class Prepared(msgspec.Struct, frozen=True):
    """The resources of a run, prepared before its claim. `failure` is (reason, error) if the preparation failed."""

    grant: Grant
    endpoint: Endpoint | None
    environment: Environment | None
    failure: tuple[str, str] | None = None


class Supervisor(msgspec.Struct, frozen=True, kw_only=True):
    """Performs the runs of one group; safe to use from several threads."""

    campaign: Campaign
    ledger: Ledger
    run_group_id: str
    endpoints: Endpoints
    provenance: Json
    redactor: Redactor
    display: Display
    cancellation: Cancellation
    control: Control
    silence_seconds: float = MAX_SILENCE_SECONDS

    @staticmethod
    def of(assignment: Assignment, endpoints: Endpoints, *, silence_seconds: float = MAX_SILENCE_SECONDS) -> Supervisor:
        """The supervisor of a group's runs on this machine; see `heartbeat.Pulse` for `silence_seconds`."""
        return Supervisor(
            campaign=assignment.campaign,
            ledger=assignment.ledger,
            run_group_id=assignment.run_group_id,
            endpoints=endpoints,
            provenance=assignment.provenance,
            redactor=assignment.redactor,
            display=assignment.display,
            cancellation=assignment.cancellation,
            control=assignment.control,
            silence_seconds=silence_seconds,
        )

    def perform(self, planned: PlannedRun, granted: Grant) -> Performed:
        """Run a piece of work, unless another process has claimed or done it meanwhile, or the campaign is cancelled.

        `granted` is what the child may use. The caller checks the budget. If there was a run, its terminal event is in
        the ledger when this returns. Raises what `Ledger.decide` raises.
        """
        if self._is_over():
            return Performed()
        with contextlib.ExitStack() as held:
            prepared = self._prepare(planned, granted, held)
            if self._is_over():
                return Performed()
            secrets = new_secrets()
            run = self._claim(planned, prepared, secrets)
            if run is None:
                return Performed(is_unclaimed=self.ledger.look(self._is_paused))
            self.display.started(run.run_id, run.benchmark_id)
            outcome: Finished | Failed
            began = time.monotonic()
            copies = Copies(self.campaign.workspace, self._folder(planned, run.run_id))
            try:
                with copies:
                    outcome = self._outcome(planned, prepared, run, secrets)
            except LedgerError:
                raise  # A heartbeat could not be recorded, so the end could not be recorded either.
            except OSError as problem:
                # A full disk or a removed folder fails this run; the ledger may still be writable.
                error = f"{problem.filename or run.stdout_path}: {problem.strerror}"
                outcome = never_began("workspace", error, seconds=time.monotonic() - began)
            except Exception as problem:  # noqa: BLE001 - an unexpected error of one run must not end the others
                error = f"the orchestrator could not watch it to its end: {type(problem).__name__}: {problem}"
                outcome = never_began("internal", error, seconds=time.monotonic() - began)
            outcome = priced(outcome, self.campaign.prices.find(planned.provider, planned.model))
            outcome = copies.complete(
                outcome,
                self.redactor,
                is_over=Patience(self.cancellation, COPY_SECONDS).is_over,
                tick=self._watch(run, self._folder(planned, run.run_id)).beat,
            )
            asked_no_model = planned.provider == NO_MODEL or (
                isinstance(outcome, Failed) and outcome.reason in ("start", "environment")
            )
            self._record(run, outcome, secrets)
            with contextlib.suppress(OSError):  # The folder may have been removed.
                remove_fingerprints(self._folder(planned, run.run_id))
            return Performed(
                retry=isinstance(outcome, Failed) and is_transient(outcome, planned.adapter.manifest),
                usage=outcome.usage,
                if_unknown="" if asked_no_model else run.run_id,
            )

    def _is_over(self) -> bool:
        return self.cancellation.requested or self.control.is_cancelled

    def _is_paused(self, history: History) -> bool:
        return history.groups[self.run_group_id].paused is not None

    def _prepare(self, planned: PlannedRun, granted: Grant, held: contextlib.ExitStack) -> Prepared:
        """Prepare the resources of a run, which are held until `held` is closed."""
        if problem := _short_of_space(self.campaign.workspace.results, planned.adapter.manifest.resources.disk_bytes):
            return Prepared(granted, None, None, ("environment", problem))
        try:
            endpoint = held.enter_context(self.endpoints.lease(planned.target))
            environment = None
            if spec := spec_of(planned.adapter.manifest.requires):
                environment = held.enter_context(
                    in_use(
                        spec,
                        announce=self.display.note,
                        cancelled=self._is_over,
                        describe_holders=describe_holders,
                    )
                )
        except (EnvironmentBuildError, ModelUnavailable) as problem:
            return Prepared(granted, None, None, ("environment", str(problem)))
        return Prepared(granted, endpoint, environment)

    def _claim(self, planned: PlannedRun, prepared: Prepared, secrets: Secrets) -> Run | None:
        """Append `started`, or `skipped` if the work is done or running meanwhile."""

        def decide(history: History) -> list[NewEvent]:
            if self._is_paused(history) or history.groups[self.run_group_id].cancel_requested:
                return []
            verdict = self.campaign.rules.judge(history, planned)
            if not verdict.run:
                return [NewEvent(self.run_group_id, verdict.skipped(planned))]
            attempt = len(history.attempts(planned.signature.digest)) + 1
            run_id = new_run_id(planned.adapter.id, attempt)
            event = self._started(planned, prepared, run_id, attempt, secrets)
            registration = None if planned.reproduces else history.registration_of(planned)
            return [NewEvent(run_id, replace(event, task_revision=revision, registration=registration))]

        # Computed before the ledger is locked, because it reads files and calls git.
        known, environment = planned.revision, prepared.environment
        revision = with_packages(known, environment) if known else revision_of(planned.adapter, environment)
        decided = self.ledger.decide(decide)
        claimed = list(decided.runs.values())
        if decided.records and not claimed:
            self.display.note(f"{planned.adapter.id}: skipped, another process has done it or runs it now")
        return claimed[0] if claimed else None

    def _started(self, planned: PlannedRun, prepared: Prepared, run_id: str, attempt: int, secrets: Secrets) -> Started:
        manifest = planned.adapter.manifest
        # If only a part of an option is secret, the configuration already has its redacted value.
        hidden = {name: f"[redacted:{name}]" for name in planned.secrets if name not in planned.config}
        recorded = prepared.endpoint.recorded if prepared.endpoint else None
        placeholders = self._placeholders(planned, replace(prepared, endpoint=recorded), run_id)
        command = planned.adapter.command(planned.config, hidden, placeholders)
        claimed = Claimed(
            planned=planned,
            run_group_id=self.run_group_id,
            run_id=run_id,
            attempt=attempt,
            folder=self._folder(planned, run_id),
            secrets=secrets,
        )
        setting = Setting(
            command=command.argv,
            cwd=str(command.cwd),
            provenance={
                **run_provenance(planned.adapter, planned.agent, prepared.environment),
                "benchmarks": self.provenance["benchmarks"],
                "base_url": public_address(recorded.base_url) if recorded else None,
                "model_sha256": prepared.endpoint.model_sha256 if prepared.endpoint else None,
                "gpus": list(prepared.grant.gpus),
                **stored_at(self.campaign.workspace),
            },
            synthetic=manifest.is_synthetic(planned.agent, planned.config),
            benchmark_version=manifest.version or None,
            benchmarks_commit=self.provenance["benchmarks"].get("commit"),
            eliza_commit=self.provenance["eliza"].get("commit"),
            eliza_version=self.provenance["eliza_version"],
        )
        return started(claimed, setting)

    def _placeholders(self, planned: PlannedRun, prepared: Prepared, run_id: str) -> dict[str, str]:
        return {
            "python": str(prepared.environment.python) if prepared.environment else sys.executable,
            "model": planned.model,
            "provider": planned.provider,
            "base_url": (prepared.endpoint.base_url if prepared.endpoint else None) or "",
            "agent": planned.agent,
            "output_dir": str(self._folder(planned, run_id) / OUTPUT),
            "run_id": run_id,
            "workspace": str(self.campaign.workspace.root),
            "suite_dir": str(planned.adapter.root or ""),
        }

    def _folder(self, planned: PlannedRun, run_id: str) -> Path:
        manifest = planned.adapter.manifest
        return self.campaign.workspace.run_folder(self.run_group_id, manifest.directory, manifest.id, run_id)

    def _outcome(self, planned: PlannedRun, prepared: Prepared, run: Run, secrets: Secrets) -> Finished | Failed:
        folder = self._folder(planned, run.run_id)
        (folder / OUTPUT).mkdir(parents=True)
        write_fingerprints(folder, self.redactor.names)
        manifest = planned.adapter.manifest.played_by(planned.agent)
        (folder / MANIFEST).write_bytes(content_of(manifest))
        if prepared.failure or prepared.endpoint is None:
            return never_began(*(prepared.failure or ("environment", "no endpoint")))
        placeholders = self._placeholders(planned, prepared, run.run_id)
        command = planned.adapter.command(planned.config, planned.secrets, placeholders)
        own = {**prepared.grant.environment(), **command.env, **self._importable(command, folder)}
        child = Child(
            argv=command.argv,
            environment=self._child_environment(planned, prepared.endpoint, run, folder, own),
            inherits=prepared.grant.fds,
            cwd=command.cwd,
            folder=folder,
            timeout_seconds=self.campaign.limits.timeout_seconds or command.timeout_seconds,
            stall_seconds=self.campaign.limits.stall_seconds or command.stall_seconds,
            log_bytes=command.log_bytes,
            proof=secrets.by_shell,
            proven_codes=manifest.run.ok_exit_codes,
        )
        watch = self._watch(run, folder)
        started_at = time.time()
        exit = execute(
            child,
            redactor=self.redactor,
            cancellation=self.cancellation,
            tick=watch.tick,
            why_cancelled=lambda: self.control.why_to_end(run.run_id),
        )
        if watch.progress.problem:
            exit = replace(exit, notes=[*exit.notes, f"progress could not be read: {watch.progress.problem}"])
        left = Left(
            folder=folder,
            cwd=command.cwd,
            started_at=started_at,
            synthetic=run.synthetic,
            task_revision=run.task_revision,
        )
        return weigh(manifest, exit, left, is_over=Patience(self.cancellation).is_over)

    def _watch(self, run: Run, folder: Path) -> Watch:
        progress, pulse = ProgressFile(folder / PROGRESS), Pulse(time.monotonic(), self.silence_seconds)
        return Watch(run.run_id, progress, pulse, self.ledger, self.display, self.redactor)

    def _importable(self, command: Command, folder: Path) -> dict[str, str]:
        """PYTHONPATH with a folder that links to the workspace by the package name that the benchmark imports."""
        if command.package is None:
            return {}
        packages = folder / "packages"
        packages.mkdir()
        (packages / command.package).symlink_to(self.campaign.workspace.root, target_is_directory=True)
        known = command.env.get("PYTHONPATH") or self.campaign.environ.get("PYTHONPATH")
        return {"PYTHONPATH": os.pathsep.join(filter(None, (str(packages), known)))}

    def _child_environment(
        self, planned: PlannedRun, endpoint: Endpoint, run: Run, folder: Path, own: Mapping[str, str]
    ) -> dict[str, str]:
        output = str(folder / OUTPUT)
        manifest = planned.adapter.manifest
        return {
            **without_other_keys(
                self.campaign.environ, endpoint.provider, [*manifest.run.keys, *manifest.requires.env]
            ),
            **endpoint.environment(),
            **(self._without_proxy() if endpoint.behind else {}),
            "BENCHMARK_MODEL_PROVIDER": planned.provider,
            "BENCHMARK_MODEL_NAME": planned.model,
            "MODEL_NAME": planned.model,
            "BENCHMARK_AGENT": planned.agent,
            "BENCHMARK_HARNESS": planned.agent,
            RUN_ID_VARIABLE: run.run_id,
            "BENCHMARK_RUN_ROOT": str(folder),
            "BENCHMARK_RUN_DIR": output,
            "BENCHMARK_OUTPUT_DIR": output,
            "BENCHMARK_OUTPUT_ROOT": output,
            "BENCHMARK_TELEMETRY_JSONL": str(folder / OUTPUT / TELEMETRY),
            "BENCHMARK_PROGRESS_FILE": str(folder / PROGRESS),
            **own,
        }

    def _without_proxy(self) -> dict[str, str]:
        """Variables that keep the calls to a proxy on this machine from going through a proxy of the network."""
        known = [self.campaign.environ.get(name, "") for name in ("NO_PROXY", "no_proxy")]
        value = ",".join(filter(None, [*dict.fromkeys(known), "127.0.0.1"]))
        return {"NO_PROXY": value, "no_proxy": value}

    def _record(self, run: Run, outcome: Finished | Failed, secrets: Secrets) -> None:
        try:
            ended = record_end(self.ledger, run, outcome, secrets)
        except LedgerError:
            self.display.note(f"{run.run_id}: its end could not be recorded; the next `run` recovers it from its files")
            raise
        self.display.ended(ended)


def _short_of_space(folder: Path, wanted: int) -> str | None:
    """An error if less than `wanted` bytes are free for a run; None if there is enough space."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free, needed = shutil.disk_usage(existing).free, max(wanted, _MIN_FREE_BYTES)
    if free >= needed:
        return None
    return f"{free / 2**20:.0f} MiB are free in {folder}, and a run needs {needed / 2**20:.0f} MiB: free some space"


class Watch:
    """Watches a run between its start and its end: shows its progress and records its heartbeats."""

    def __init__(
        self,
        run_id: str,
        progress: ProgressFile,
        pulse: Pulse,
        ledger: Ledger,
        display: Display,
        redactor: Redactor,
    ) -> None:
        self._run_id = run_id
        self.progress = progress
        self._ledger = ledger
        self._display = display
        self._redactor = redactor
        self._pulse = pulse

    def tick(self) -> bool:
        """Called about twice a second while the child runs. Returns whether there was new progress."""
        has_moved = self.progress.look()
        if has_moved and (latest := self.progress.latest):
            self._display.progress(self._run_id, replace(latest, note=self._redactor.text(latest.note)))
        self.beat()
        return has_moved

    def beat(self) -> None:
        """Record a heartbeat if one is due."""
        if beat := self._pulse.beat(time.monotonic(), self.progress.latest):
            try:
                # Do not wait: this thread also checks the child's time limit, and the child may hold the ledger's lock.
                self._ledger.append(self._run_id, beat, sync=False, patience=0)
            except LedgerBusy:
                self._pulse.was_missed()
