"""Verification: every byte of a JSONL ledger, the story that its events tell, and the files that they speak of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import file_digest
from pathlib import Path

import msgspec

from .errors import LedgerDamaged
from .events import Record
from .fold import Run
from .history import History
from .segments import Cursor, list_segments, walk_chain

FolderOf = Callable[[Run], Path]
"""Where the files of a run lie."""


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it should be: at which event (0 where at none), and what."""

    seq: int
    text: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification saw.

    `damage`: the bytes are not what was written; events up to `position` are proven. `story`: events that make no
    sense where they stand. `artifacts`: files that are gone or changed. `notes`: what is worth knowing and no fault.
    """

    position: int
    head_hash: str
    segments: int
    runs: int
    groups: int
    unknown: int
    damage: list[Finding]
    story: list[Finding]
    artifacts: list[Finding]
    notes: list[str]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not (self.damage or self.story or self.artifacts)


def verify(folder: Path, *, folder_of: FolderOf | None = None) -> Report:
    """Check every byte of the ledger in `folder`, without a lock and without changing anything.

    With `folder_of`, the digests of all recorded artifacts too. The chain is followed to its first break.
    """
    cursor = Cursor()
    history = History()
    versions: dict[str, int] = {}
    ids: set[str] = set()
    story: list[Finding] = []
    damage: list[Finding] = []
    try:
        for records in walk_chain(folder, cursor):
            history.read(records)
            story += [finding for record in records for finding in _envelope(record, versions, ids)]
    except LedgerDamaged as problem:
        damage.append(Finding(problem.trusted + 1, str(problem)))
    story += [Finding(problem.seq, problem.text) for problem in history.problems]
    return Report(
        position=cursor.seq,
        head_hash=cursor.hash,
        segments=len(list_segments(folder)),
        runs=len(history.runs),
        groups=len(history.groups),
        unknown=history.unknown,
        damage=damage,
        story=sorted(story, key=lambda finding: finding.seq),
        artifacts=list(_artifacts(history, folder_of)) if folder_of else [],
        notes=[] if damage else list(_notes(cursor, history)),
    )


def _envelope(record: Record, versions: dict[str, int], ids: set[str]) -> Iterator[Finding]:
    expected = versions.get(record.stream, 0) + 1
    if record.version != expected:
        yield Finding(record.seq, f"{record.stream}: version {record.version} where {expected} should stand")
    versions[record.stream] = record.version
    if record.id in ids:
        yield Finding(record.seq, f"the id {record.id} stands twice in the ledger")
    ids.add(record.id)


def _artifacts(history: History, folder_of: FolderOf) -> Iterator[Finding]:
    for run in history.runs.values():
        for artifact in run.artifacts:
            path = folder_of(run) / artifact.path
            try:
                with path.open("rb") as file:
                    digest = file_digest(file, "sha256").hexdigest()
            except OSError as problem:
                yield Finding(run.last_seq, f"{run.run_id}: {artifact.path} cannot be read: {problem.strerror}")
                continue
            if digest != artifact.sha256:
                yield Finding(run.last_seq, f"{run.run_id}: {artifact.path} is not the file that was recorded")


def _notes(cursor: Cursor, history: History) -> Iterator[str]:
    if cursor.segment is not None and (torn := cursor.segment.stat().st_size - cursor.offset):
        yield f"{cursor.segment.name} ends with {torn} bytes of an unfinished line, which no writer acknowledged"
    running = sum(1 for _ in history.open_runs())
    if running:
        yield f"{running} runs have no end yet"
    if history.unknown:
        yield f"{history.unknown} events are of types that this version does not know"
