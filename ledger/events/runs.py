"""The events of a run: it starts, gives signs of life, and ends."""

from __future__ import annotations

from hashlib import sha256
from typing import ClassVar

import msgspec

from .event import Event, Json, Owner

REPEAT = "repeat"
"""The key of a run's effective configuration that numbers independent repetitions of the same work, from 2 on."""


class Artifact(msgspec.Struct, frozen=True, gc=False):
    """A file that a run left: its path (relative to the run's folder, `/` between parts), size and SHA-256."""

    path: str
    bytes: int
    sha256: str


class HighScoreReference(msgspec.Struct, frozen=True, gc=False):
    """The published score that a run is measured against, in the unit of the run's score."""

    label: str
    value: float
    source: str


UNKNOWN_REVISION = "unknown"
"""The revision of a run that an older version recorded. It equals only itself."""


class TaskRevision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The version of a benchmark that a run used: runs of one revision used the same benchmark.

    `digest` is taken over the parts. `version` is the manifest's. `driver` is a digest of what the manifest starts and
    reads, and of the driver's files; `data` is a digest of the data's files, or the revision that the result reports;
    `packages` is a digest of the packages of the benchmark's environment. A part that does not exist is empty.
    """

    digest: str
    version: str = ""
    driver: str = ""
    data: str = ""
    packages: str = ""

    @staticmethod
    def of(*, version: str, driver: str, data: str, packages: str) -> TaskRevision:
        """The revision with those parts; its digest is the SHA-256 of their canonical JSON, as hex."""
        parts = {"data": data, "driver": driver, "packages": packages, "version": version}
        digest = sha256(msgspec.json.encode(parts)).hexdigest()
        return TaskRevision(digest=digest, version=version, driver=driver, data=data, packages=packages)


class Started(Event, frozen=True, kw_only=True):
    """A run was claimed and starts. Stream: the run_id.

    `registration` is the id of the registered plan that the run belongs to. `reproduces` is the id of the run whose
    work this one repeats as a check: its score is then evidence about that run, and counts nowhere itself.
    """

    type: ClassVar[str] = "started"
    details: ClassVar[frozenset[str]] = frozenset(
        {"preimage", "extra_config", "command", "stdout_path", "stderr_path", "provenance"}
    )
    run_group_id: str
    benchmark_id: str
    benchmark_directory: str
    signature: str
    preimage: Json
    comparison_key: str
    attempt: int
    agent: str
    provider: str
    model: str
    extra_config: Json
    command: list[str]
    cwd: str
    stdout_path: str
    stderr_path: str
    benchmark_version: str | None = None
    benchmarks_commit: str | None = None
    eliza_commit: str | None = None
    eliza_version: str | None = None
    provenance: Json = {}
    owner: Owner | None = None
    synthetic: bool = False
    task_revision: TaskRevision | None = None
    registration: str | None = None
    reproduces: str | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The progress of a run, in units of its own."""

    done: float
    total: float | None = None
    note: str = ""


class Heartbeat(Event, frozen=True, kw_only=True):
    """A run's owner is alive, and will write the next heartbeat within `lease_seconds`. Stream: the run_id."""

    type: ClassVar[str] = "heartbeat"
    details: ClassVar[frozenset[str]] = frozenset({"progress"})
    progress: Progress | None = None
    lease_seconds: float | None = None


class Outcome(Event, frozen=True, kw_only=True):
    """What is known of a run when it ends. Seconds are wall seconds; `stderr` is the score's standard error.

    `task_revision` is given if the result adds what was unknown at the start: the revision of its data.
    `served_model` is the model that answered, with its fingerprint, as the API reports it.

    `revealed` is what the commitment of the run's owner requires: from the owner, or (`Recovered.adopted`) the shell.

    `notes` are remarks by the supervisor, such as that a log was cut. `logs` are the run's logs as they were then.
    """

    details: ClassVar[frozenset[str]] = frozenset(
        {"metrics", "usage", "artifacts", "result_json_path", "notes", "logs"}
    )

    ended_at: str
    duration_seconds: float | None = None
    return_code: int | None = None
    score: float | None = None
    unit: str | None = None
    higher_is_better: bool | None = None
    samples: int | None = None
    stderr: float | None = None
    metrics: Json = {}
    usage: Json = {}
    artifacts: list[Artifact] = []
    result_json_path: str | None = None
    high_score: HighScoreReference | None = None
    delta_to_high_score: float | None = None
    synthetic: bool = False
    late: bool = False
    notes: list[str] = []
    revealed: str = ""
    task_revision: TaskRevision | None = None
    served_model: str | None = None
    logs: list[Artifact] = []


class Finished(Outcome, frozen=True, kw_only=True):
    """A run ended with a valid result. Stream: the run_id."""

    type: ClassVar[str] = "finished"


class Failed(Outcome, frozen=True, kw_only=True):
    """A run ended without a valid result; `reason` is one word, `error` is the full text. Stream: the run_id."""

    type: ClassVar[str] = "failed"
    reason: str
    error: str = ""


class Recoverer(msgspec.Struct, frozen=True, gc=False):
    """The process that declared a run lost."""

    host: str
    pid: int


class Recovered(Event, frozen=True, kw_only=True):
    """A run whose owner is gone was closed by another process. Stream: the run_id.

    `ended_at` is when its child ended, or else its last sign of life, and `duration_seconds` is the time from the start
    to then. `adopted` holds the result that the owner's child left behind, if it is valid: the run has then succeeded.
    """

    type: ClassVar[str] = "recovered"
    reason: str
    last_seen_at: str
    stale_seconds: float
    by: Recoverer
    adopted: Finished | None = None
    ended_at: str | None = None
    duration_seconds: float | None = None
