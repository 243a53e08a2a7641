"""Verification: every byte of a ledger, the story that its events tell, and the files that they speak of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..errors import LedgerDamaged
from ..events import Artifact, Merged, Record
from ..fold import Run
from ..history import History
from ..run_files import NotReadable, digest, open_inside
from ..storage.chain import GENESIS, Head, origin_of
from ..store import EventStore, Finding
from ..transfer.merge import unlike_origins
from .checkpoint import Checkpoint

FolderOf = Callable[[Run], Path]
"""Where the files of a run lie."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification saw.

    `damage`: the bytes are not what was written, or not the history that a checkpoint knows; events up to `position`
    are proven. `torn_bytes`: an unfinished last line, which the next append moves away. `story`: events that make no
    sense where they stand. `artifacts`: files that are gone or changed. `notes`: what is worth knowing and no fault.
    """

    origin: str
    position: int
    head_hash: str
    torn_bytes: int
    files: int
    runs: int
    groups: int
    unknown: int
    damage: list[Finding]
    story: list[Finding]
    artifacts: list[Finding]
    notes: list[str]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found; an unfinished last line is nothing to find fault with."""
        return not (self.damage or self.story or self.artifacts)


def verify(store: EventStore, *, folder_of: FolderOf | None = None, checkpoint: Checkpoint | None = None) -> Report:
    """Check every byte of a ledger, without a lock and without changing anything.

    The chain is proven, and the story told, up to the first break. What is behind it is looked at by itself, so that
    the report names every file that has to come from a copy. With `folder_of`, the files that
    runs recorded are compared too; with a `checkpoint`, whether the history up to it is still the one that it knows.
    Events are read in pieces; what stays in memory are the state of each run and the id of each event.
    """
    head = Head()
    history = History()
    versions: dict[str, int] = {}
    ids: set[str] = set()
    story: list[Finding] = []
    damage: list[Finding] = []
    notes: list[str] = []
    merges: list[Record] = []
    first_hash = known_hash = GENESIS
    broken: LedgerDamaged | None = None
    try:
        for records in store.prove_records():
            if records[0].seq == 1:
                first_hash = records[0].hash
            if checkpoint and records[0].seq <= checkpoint.position <= records[-1].seq:
                known_hash = records[checkpoint.position - records[0].seq].hash
            history.read(records)
            story += [finding for record in records for finding in _envelope(record, versions, ids)]
            merges += [record for record in records if type(record.data) is Merged]
            head = Head(records[-1].seq, records[-1].hash)
    except LedgerDamaged as problem:
        broken = problem
        damage.append(Finding(problem.trusted + 1, str(problem)))
    for told in store.examine(broken):
        damage.append(told) if isinstance(told, Finding) else notes.append(told)
    if checkpoint:
        damage += _against(checkpoint, origin_of(first_hash), head.seq, known_hash)
    damage += unlike_origins(store, merges)
    story += [Finding(problem.seq, problem.text) for problem in history.problems]
    story += _strays(history)
    return Report(
        origin=origin_of(first_hash),
        position=head.seq,
        head_hash=head.hash,
        torn_bytes=0 if broken else store.torn_bytes(),
        files=len(store.files()),
        runs=len(history.runs),
        groups=len(history.groups),
        unknown=history.unknown,
        damage=damage,
        story=sorted(story, key=lambda finding: finding.seq),
        artifacts=list(_artifacts(history, folder_of)) if folder_of else [],
        notes=notes + list(_notes(history, with_files=folder_of is not None)),
    )


def _against(checkpoint: Checkpoint, origin: str, position: int, known_hash: str) -> Iterator[Finding]:
    """How the history differs from the one that a checkpoint knows; `known_hash` is that of the event at its place."""
    if checkpoint.position > position:
        told = f"the checkpoint knows {checkpoint.position} events, and {position} are here: the others were cut off"
        yield Finding(position + 1, told)
    elif checkpoint.hash != known_hash:
        yield Finding(checkpoint.position, "the checkpoint knows another event here: history was written anew")
    elif checkpoint.position and checkpoint.origin != origin:
        yield Finding(1, f"the checkpoint is of {checkpoint.origin}, and this ledger is {origin}")


def _envelope(record: Record, versions: dict[str, int], ids: set[str]) -> Iterator[Finding]:
    expected = versions.get(record.stream, 0) + 1
    if record.version != expected:
        yield Finding(record.seq, f"{record.stream}: version {record.version} where {expected} should stand")
    versions[record.stream] = record.version
    if record.id in ids:
        yield Finding(record.seq, f"the id {record.id} stands twice in the ledger")
    ids.add(record.id)


def _strays(history: History) -> Iterator[Finding]:
    for run in history.runs.values():
        if run.imported is None and run.run_group_id not in history.groups:
            yield Finding(run.first_seq, f"{run.run_id}: its group {run.run_group_id!r} was never opened")


def _artifacts(history: History, folder_of: FolderOf) -> Iterator[Finding]:
    for run in history.runs.values():
        if run.imported is None:
            for artifact in run.artifacts:
                if fault := _fault(artifact, folder_of(run)):
                    yield Finding(run.last_seq, f"{run.run_id}: {artifact.path} {fault}")


def _fault(artifact: Artifact, folder: Path) -> str | None:
    """What is wrong with a file that a run recorded; None where it is as it was."""
    try:
        with open_inside(folder, artifact.path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != artifact.bytes:
                return f"is not the file that was recorded: it has {size} bytes, not {artifact.bytes}"
            found = digest(file)
    except NotReadable as problem:
        return str(problem)
    except OSError as problem:
        return f"cannot be read: {problem.strerror}"
    if found != artifact.sha256:
        return f"is not the file that was recorded: its SHA-256 is {found}, not {artifact.sha256}"
    return None


def _notes(history: History, *, with_files: bool) -> Iterator[str]:
    if running := sum(1 for _ in history.open_runs()):
        yield f"{running} runs have no end yet"
    if history.unknown:
        yield f"{history.unknown} events are of types that this version does not know"
    imported = sum(1 for run in history.runs.values() if run.imported is not None and run.artifacts)
    if with_files and imported:
        yield f"the files of {imported} imported runs lie where those were made, and were not looked at"
