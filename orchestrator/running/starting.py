"""The event that starts a run, for benchmarks with a manifest and for runs that a program records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ...ledger.commitment import Secrets
from ...ledger.events import Json, Started, TaskRevision
from ...ledger.identity import this_process
from ..planning.plan import PlannedRun


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of work that is about to be claimed, with its run, its group and its folder."""

    planned: PlannedRun
    run_group_id: str
    run_id: str
    attempt: int
    folder: Path
    secrets: Secrets


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is executed: its command, its working folder, and the versions of its code and surroundings."""

    command: Sequence[str]
    cwd: str
    provenance: Json
    synthetic: bool
    benchmark_version: str | None = None
    benchmarks_commit: str | None = None
    eliza_commit: str | None = None
    eliza_version: str | None = None
    task_revision: TaskRevision | None = None


def started(claimed: Claimed, setting: Setting) -> Started:
    """The event that claims the work for this process."""
    planned = claimed.planned
    manifest, signature = planned.adapter.manifest, planned.signature
    return Started(
        run_group_id=claimed.run_group_id,
        benchmark_id=manifest.id,
        benchmark_directory=manifest.directory,
        signature=signature.digest,
        preimage=signature.preimage,
        comparison_key=signature.comparison_key,
        attempt=claimed.attempt,
        agent=planned.agent,
        provider=planned.provider,
        model=planned.model,
        extra_config=planned.config,
        command=list(setting.command),
        cwd=setting.cwd,
        stdout_path=str(claimed.folder / "stdout.log"),
        stderr_path=str(claimed.folder / "stderr.log"),
        benchmark_version=setting.benchmark_version,
        benchmarks_commit=setting.benchmarks_commit,
        eliza_commit=setting.eliza_commit,
        eliza_version=setting.eliza_version,
        provenance=setting.provenance,
        owner=replace(this_process(), commitment=claimed.secrets.commitment),
        synthetic=setting.synthetic,
        task_revision=setting.task_revision,
        reproduces=planned.reproduces,
    )
