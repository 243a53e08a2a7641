"""The event types of the ledger, and the record that carries one.

Every type is a frozen struct. Fields only ever get added, and with a default, so that old lines stay readable.
The envelope's `type` tells them apart; `EVENT_TYPES` maps its values to the structs.

An event cannot contain itself, so the cyclic garbage collector need not examine events (`gc=False`). With a million in
memory, that took most of the time of reading.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, ClassVar

import msgspec

Json = dict[str, Any]

GENESIS = "0" * 64
"""The `prev` of the first event."""

REPEAT = "repeat"
"""The key of a run's effective configuration that numbers independent repetitions of the same work, from 2 on."""


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The `data` of a record; `type` is the envelope's type.

    `details` are the fields that only the run's own row shows; decisions about what to run read without them.
    """

    type: ClassVar[str]
    details: ClassVar[frozenset[str]] = frozenset()


class Owner(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The process that drives a run or a group; together the fields name one process of one boot of one machine.

    `host` is for people. `machine_id` is empty for a machine without one, and None in events of older versions. The
    `commitment` of a run's owner says what the event that ends the run must reveal (see `commitment`); empty: nothing.
    Unknown fields are left out of the event, so that an owner of an older version keeps the same text.
    """

    host: str
    boot_id: str
    pid: int
    process_start: float
    pid_namespace: str = ""
    machine_id: str | None = None
    commitment: str = ""


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


class ImportSource(msgspec.Struct, frozen=True, gc=False):
    """The origin of an imported run or group."""

    kind: str
    path: str
    sha256: str


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The arguments of a `run` command."""

    benchmarks: list[str]
    agent: str | None
    provider: str
    model: str
    extra: Json = {}
    flags: Json = {}


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


class GroupOpened(Event, frozen=True, kw_only=True):
    """A `run` command began its work. Stream: the run_group_id.

    For an imported group, `imported` says where it comes from, and `opened_at` when it was opened there.
    """

    type: ClassVar[str] = "group_opened"
    request: Request
    benchmarks: list[str]
    repo_meta: Json = {}
    created_by: str = ""
    owner: Owner | None = None
    imported: ImportSource | None = None
    opened_at: str | None = None


class Started(Event, frozen=True, kw_only=True):
    """A run was claimed and starts. Stream: the run_id."""

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

    `notes` are remarks by the supervisor, such as that a log was cut.
    """

    details: ClassVar[frozenset[str]] = frozenset({"metrics", "usage", "artifacts", "result_json_path", "notes"})

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


class Skipped(Event, frozen=True, kw_only=True):
    """A benchmark of the group needed no run. Stream: the run_group_id."""

    type: ClassVar[str] = "skipped"
    benchmark_id: str
    signature: str
    reason: str
    existing_run_id: str | None = None
    agent: str | None = None
    provider: str | None = None
    model: str | None = None


class Incompatible(Event, frozen=True, kw_only=True):
    """A benchmark of the group cannot run here; `missing` names every reason. Stream: the run_group_id."""

    type: ClassVar[str] = "incompatible"
    benchmark_id: str
    signature: str
    missing: list[str]
    agent: str | None = None
    provider: str | None = None
    model: str | None = None


class Counts(msgspec.Struct, frozen=True, gc=False):
    """How the benchmarks of a group ended."""

    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    incompatible: int = 0


class GroupClosed(Event, frozen=True, kw_only=True):
    """A `run` command ended, or its process was found dead. Stream: the run_group_id.

    `notes` explain the reason, such as a limit and the number of runs that it left undone. `closed_at` is when an
    imported group ended.
    """

    type: ClassVar[str] = "group_closed"
    counts: Counts
    reason: str
    notes: list[str] = []
    closed_at: str | None = None


class HighScorePublished(Event, frozen=True, kw_only=True):
    """A reference score for a benchmark, in the unit of its scores. Stream: the benchmark_id.

    `author` is the person who published it; None: the benchmark's manifest.
    """

    type: ClassVar[str] = "high_score_published"
    label: str
    value: float
    unit: str | None = None
    higher_is_better: bool = True
    source: str
    date: str | None = None
    author: str | None = None


class Annotated(Event, frozen=True, kw_only=True):
    """A person's remark on a run. Stream: the run_id."""

    type: ClassVar[str] = "annotated"
    author: str
    note: str
    tags: list[str] = []


class Retracted(Event, frozen=True, kw_only=True):
    """A person retracted a run: it stays in the history and does not count. Stream: the run_id."""

    type: ClassVar[str] = "retracted"
    author: str
    reason: str


class EquivalenceDeclared(Event, frozen=True, kw_only=True):
    """A person declared that two revisions of a benchmark are equivalent. Stream: the benchmark_id.

    `revisions` are two digests; `evidence` is what the person compared.
    """

    type: ClassVar[str] = "equivalence_declared"
    revisions: list[str]
    author: str
    reason: str
    evidence: Json = {}


class EquivalenceWithdrawn(Event, frozen=True, kw_only=True):
    """A person withdrew such a declaration. Stream: the benchmark_id."""

    type: ClassVar[str] = "equivalence_withdrawn"
    revisions: list[str]
    author: str
    reason: str


class Reinstated(Event, frozen=True, kw_only=True):
    """A person withdrew a retraction: the run counts again. Stream: the run_id."""

    type: ClassVar[str] = "reinstated"
    author: str
    reason: str


class Imported(Event, frozen=True, kw_only=True):
    """A run that was made elsewhere; `run` holds the fields of a run row, with the original times. Stream: run_id."""

    type: ClassVar[str] = "imported"
    source: ImportSource
    run: Json


class Repaired(Event, frozen=True, kw_only=True):
    """A person cut off events that could not be proven. Stream: `ledger`.

    `position` and `head_hash` are those of the last event that was kept; `quarantined` names the files, in the
    ledger's `quarantine/`, that hold what was cut.
    """

    type: ClassVar[str] = "repaired"
    author: str
    reason: str
    position: int
    head_hash: str
    quarantined: list[str] = []


class Merged(Event, frozen=True, kw_only=True):
    """Events of another ledger were merged into this one. Stream: that ledger's origin.

    The other ledger's events 1 to `position` are here, in their order, at the positions in `stretches`: pairs of a
    first position and a count. With their original positions they make a chain that ends with `head_hash`.

    `added` is the number of them that came with this event, right before it (None: an older version wrote it).
    `coming` is the number of them that follow, so that their origin is known even if a crash interrupts the import.
    """

    type: ClassVar[str] = "merged"
    origin: str
    position: int
    head_hash: str
    stretches: list[tuple[int, int]]
    source: str = ""
    added: int | None = None
    coming: int = 0


class SetAside(Event, frozen=True, kw_only=True):
    """A person declared that events of this ledger do not count. Stream: `ledger`.

    `events` are pairs of a first position and a count. `head_hash` is the hash of the event before this one, so
    the event is valid only in the ledger in which it was written, not in one that it is merged into.
    """

    type: ClassVar[str] = "set_aside"
    author: str
    reason: str
    head_hash: str
    events: list[tuple[int, int]]


class Unknown(Event, frozen=True, kw_only=True):
    """An event of a type that this version does not know. It is kept and counted, and has no effect."""

    type: ClassVar[str] = "unknown"
    named: str
    raw: msgspec.Raw


class Unreadable(Unknown, frozen=True, kw_only=True):
    """An event of a known type whose data does not fit that type. It is kept, and has no effect."""

    type: ClassVar[str] = "unreadable"
    problem: str


EVENT_TYPES: dict[str, type[Event]] = {
    event.type: event
    for event in (
        GroupOpened,
        Started,
        Heartbeat,
        Finished,
        Failed,
        Recovered,
        Skipped,
        Incompatible,
        GroupClosed,
        HighScorePublished,
        Annotated,
        Retracted,
        EquivalenceDeclared,
        EquivalenceWithdrawn,
        Reinstated,
        Imported,
        Repaired,
        Merged,
        SetAside,
    )
}

LEDGER_STREAM = "ledger"
"""The stream of events about the ledger itself."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event at its position in the ledger. `seq` counts from 1 in the ledger, `version` from 1 in the stream."""

    seq: int
    id: str
    at: str
    stream: str
    version: int
    data: Event
    prev: str
    hash: str

    @property
    def type(self) -> str:
        """The envelope's type; for an unknown event, the type on its line."""
        return self.data.named if isinstance(self.data, Unknown) else self.data.type


class Head(msgspec.Struct, frozen=True):
    """The last event of a ledger, or of a part of it: its position and hash."""

    seq: int = 0
    hash: str = GENESIS


class NewEvent(msgspec.Struct, frozen=True):
    """An event on its way into the ledger.

    Appending the same `id` twice records it once. With `expected_version` it is recorded only if its stream has
    that many events before it (0: if it is the first). `at` is the time of an event that was written elsewhere.
    """

    stream: str
    data: Event
    id: str | None = None
    expected_version: int | None = None
    at: str | None = None
