"""What is known of a run and of a group: the states that the fold makes of events."""

from __future__ import annotations

from sys import intern
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from .events import (
    FIRST_ORCHESTRATOR,
    UNKNOWN_REVISION,
    Annotated,
    Artifact,
    CancelRequested,
    Counts,
    ImportSource,
    Incompatible,
    Json,
    Owner,
    Paused,
    Progress,
    Request,
    Rescored,
    Retracted,
    Scorer,
    Skipped,
    TaskRevision,
)

RESCORED = "rescored/"
"""The beginning of the paths, in a run's folder, of the samples with the scores of a later scorer."""

NO_ITEMS: list[Any] = []
_NO_FIELDS: Json = {}


def no_items() -> list[Any]:
    """One empty list for all runs: it is never changed, and a hundred thousand lists would take memory."""
    return NO_ITEMS


Status = Literal["running", "succeeded", "failed", "skipped", "incompatible"]


class Run(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a run: the columns of a run row, in their order.

    `comparison_key` must be equal for the scores of two runs to be compared. It combines `options_key` (the
    `comparison_key` of `started`: benchmark and options) with the task revision.

    Times are ISO 8601 UTC strings. The fields up to `created_at` are those of the first orchestrator's database;
    its readers do not know the later ones. `first_seq`, `last_seq` and `ended_seq` are positions in the ledger: of the
    first and the last event of the run, and of the event that ended it (None while it runs).
    """

    run_id: str
    run_group_id: str
    benchmark_id: str
    benchmark_directory: str
    signature: str
    status: Status
    attempt: int
    agent: str
    provider: str
    model: str
    extra_config: Json = {}
    started_at: str
    ended_at: str | None = None
    duration_seconds: float | None = None
    command: list[str] = []
    cwd: str = ""
    stdout_path: str = ""
    stderr_path: str = ""
    result_json_path: str | None = None
    score: float | None = None
    unit: str | None = None
    higher_is_better: bool | None = None
    metrics: Json = {}
    artifacts: list[Artifact] = []
    error: str | None = None
    high_score_label: str | None = None
    high_score_value: float | None = None
    delta_to_high_score: float | None = None
    benchmark_version: str | None = None
    benchmarks_commit: str | None = None
    eliza_commit: str | None = None
    eliza_version: str | None = None
    created_at: str
    comparison_key: str = ""
    reason: str | None = None
    return_code: int | None = None
    samples: int | None = None
    stderr: float | None = None
    usage: Json = {}
    high_score_source: str | None = None
    synthetic: bool = False
    late: bool = False
    notes: list[str] = msgspec.field(default_factory=no_items)
    recovered: bool = False
    retracted: Retracted | None = None
    annotations: list[Annotated] = msgspec.field(default_factory=no_items)
    imported: ImportSource | None = None
    progress: Progress | None = None
    last_seen_at: str
    lease_seconds: float | None = None
    owner: Owner | None = None
    provenance: Json = {}
    first_seq: int = 0
    last_seq: int = 0
    ended_seq: int | None = None
    task_revision: TaskRevision | None = None
    served_model: str | None = None
    options_key: str = ""
    registration: str | None = None
    cancel_requested: CancelRequested | None = None
    original_score: float | None = None
    excluded: list[str] = msgspec.field(default_factory=no_items)
    scorer: Scorer | None = None
    rescores: list[Rescored] = msgspec.field(default_factory=no_items)
    logs: list[Artifact] = []
    original_unit: str | None = None
    original_higher_is_better: bool | None = None
    reproduces: str | None = None

    @property
    def revision(self) -> str:
        """The digest of the run's revision; `unknown` for a run that an older version recorded."""
        return self.task_revision.digest if self.task_revision else UNKNOWN_REVISION

    @property
    def has_files_here(self) -> bool:
        """Whether the run's artifacts are in its folder of the workspace.

        Those of a run from the first orchestrator's database are where that run was made.
        """
        return self.imported is None or self.imported.kind != FIRST_ORCHESTRATOR

    @property
    def files(self) -> list[Artifact]:
        """Every file that was recorded: what the run left, the samples of a later scorer, and the logs."""
        return [*self.artifacts, *self.logs]

    @property
    def later_scorer(self) -> str | None:
        """The digest of the later scorer that gave the run's score; None if it is the benchmark's own."""
        return self.scorer.sha256 if self.scorer else None

    @property
    def is_success(self) -> bool:
        """Whether the run succeeded and was not retracted, so that its work is done.

        `leaderboard.is_eligible` says whether its score *counts*: that of a synthetic run or a reproduction does not.
        """
        return self.status == "succeeded" and self.retracted is None


class Group(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a run group: the columns of a `run_groups` row, in their order, then later additions."""

    run_group_id: str
    created_at: str
    finished_at: str | None = None
    request: Request
    benchmarks: list[str] = []
    repo_meta: Json = {}
    created_by: str = ""
    counts: Counts | None = None
    reason: str | None = None
    skipped: list[Skipped] = msgspec.field(default_factory=no_items)
    incompatible: list[Incompatible] = msgspec.field(default_factory=no_items)
    owner: Owner | None = None
    imported: ImportSource | None = None
    cancel_requested: CancelRequested | None = None
    paused: Paused | None = None


def without_details(run: Run) -> Run:
    """An ended run with only the fields that decisions need: a long history takes a third of the memory."""
    return replace(
        run,
        # Equal texts share one object: a hundred thousand runs have few benchmarks and models.
        run_group_id=intern(run.run_group_id),
        benchmark_id=intern(run.benchmark_id),
        benchmark_directory=intern(run.benchmark_directory),
        agent=intern(run.agent),
        provider=intern(run.provider),
        model=intern(run.model),
        comparison_key=intern(run.comparison_key),
        options_key=intern(run.options_key),
        high_score_label=None if run.high_score_label is None else intern(run.high_score_label),
        high_score_source=None if run.high_score_source is None else intern(run.high_score_source),
        command=NO_ITEMS,
        cwd="",
        stdout_path="",
        stderr_path="",
        result_json_path=None,
        metrics=_NO_FIELDS,
        artifacts=NO_ITEMS,
        logs=NO_ITEMS,
        notes=NO_ITEMS,
        progress=None,
        owner=None,
        provenance=_NO_FIELDS,
        rescores=[replace(one, artifact=None) for one in run.rescores] if run.rescores else NO_ITEMS,
    )
