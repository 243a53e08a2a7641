"""Evidence for some runs in one zip file, which is verified on any machine: without the ledger, and without a network.

    bundle.json                      what is in it, and which recorded files are not
    checkpoint                       the checkpoint that every proof leads to
    events/<position>.json           the lines of runs, their groups and plans, and of published tables, as they are
    proofs/<position>.tlog-proof     for each of these lines
    files/<run_id>/<path>            the files that the runs recorded
    manifests/<run_id>.json          the manifest that each run began with
    redacted/<run_id>/<path>.json    in place of a file with samples: a salted digest of each line
    verify.py                        checks one proof with Python's standard library

The same ledger, files and secret give the same bytes.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from ..errors import LedgerUnwritable
from ..events import Artifact, Record
from ..files.elsewhere import Elsewhere, open_recorded
from ..files.store import Unreachable
from ..fold import Run
from ..index.keeping import read_stream
from ..output_file import written_whole
from ..proof.checkpoint import parse_note
from ..proof.files import FolderOf
from ..proof.proof import EventProof, prove_events
from ..run_files import Missing, NotReadable, read_inside
from ..store import EventStore
from .private import Private, hashes_in, is_lines
from .salted import Salts, is_samples, redacted
from .zipped import is_plain_name

FORMAT = 1
BUNDLE, CHECKPOINT, VERIFIER = "bundle.json", "checkpoint", "verify.py"
EVENTS, PROOFS, FILES, MANIFESTS, REDACTED = "events", "proofs", "files", "manifests", "redacted"
MAX_MANIFEST_BYTES = 4 * 1024 * 1024

_PIECE = 1024 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)

State = Literal["here", "redacted", "missing", "changed"]


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that a run recorded: whether the bundle has it, and the reason if it does not."""

    run_id: str
    path: str
    state: State
    reason: str = ""


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bundle says of itself. Nothing in it is believed that the proofs do not show."""

    format: int
    origin: str
    size: int
    runs: list[str]
    events: list[int]
    files: list[FileEntry]
    redacted: list[str] = []


def write_bundle(
    store: EventStore,
    path: Path,
    runs: Sequence[Run],
    note: str,
    *,
    folder_of: FolderOf,
    elsewhere: Elsewhere | None = None,
    salts: Salts | None = None,
    tables: Sequence[str] = (),
) -> Contents:
    """Write the evidence for runs, completely or not at all. `note` is the checkpoint, which must have their events.

    `tables` are the ids of published tables, whose events belong to it. With `salts`, files that can hold samples are
    left out, and the lines of those with a sample on each line are replaced by salted digests. Raises NotProven,
    LedgerDamaged and LedgerUnwritable.
    """
    records = sorted(_records_of(store, runs, tables), key=lambda record: record.seq)
    try:
        with written_whole(path) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            writing = _Writing(store, archive, folder_of, elsewhere, salts)
            writing.text(CHECKPOINT, note)
            for record, proof in zip(records, prove_events(store, [one.seq for one in records], note), strict=True):
                writing.event(record, proof)
            files = [entry for run in runs for entry in writing.files_of(run)]
            checkpoint = parse_note(note)
            contents = Contents(
                format=FORMAT,
                origin=checkpoint.origin,
                size=checkpoint.position,
                runs=[run.run_id for run in runs],
                events=[record.seq for record in records],
                files=files,
                redacted=["samples"] if salts else [],
            )
            writing.text(VERIFIER, verifier())
            writing.text(BUNDLE, msgspec.json.format(msgspec.json.encode(contents), indent=1).decode() + "\n")
    except OSError as problem:
        raise LedgerUnwritable(f"cannot write {path}: {problem.strerror or problem}") from problem
    return contents


def verifier() -> str:
    """A program that checks one proof with Python's standard library."""
    return resources.files(__package__).joinpath("verifier.txt").read_text(encoding="utf-8")


def _records_of(store: EventStore, runs: Sequence[Run], tables: Sequence[str]) -> Iterator[Record]:
    """All events of the runs, of their groups, of their registered plans, and of published tables."""
    streams = {run.run_id: run.first_seq - 1 for run in runs} | dict.fromkeys(tables, 0)
    for run in runs:
        for stream in (run.run_group_id, run.registration):
            if stream:
                streams.setdefault(stream, 0)
    for stream, after in streams.items():
        yield from read_stream(store, stream, after=after)


class _Writing:
    def __init__(
        self,
        store: EventStore,
        archive: zipfile.ZipFile,
        folder_of: FolderOf,
        elsewhere: Elsewhere | None,
        salts: Salts | None,
    ) -> None:
        self._store = store
        self._archive = archive
        self._folder_of = folder_of
        self._elsewhere = elsewhere
        self._salts = salts
        self._public: set[int] = set()

    def text(self, name: str, text: str | bytes) -> None:
        """Write a member."""
        self._archive.writestr(_member(name), text)

    def event(self, record: Record, proof: EventProof) -> None:
        """Write the line of an event, and its proof."""
        line = next(self._store.read_lines(after=record.seq - 1))
        if self._salts is not None:
            self._public.update(hashes_in(line))
        self.text(f"{EVENTS}/{record.seq}.json", line + b"\n")
        self.text(f"{PROOFS}/{record.seq}.tlog-proof", str(proof))

    def files_of(self, run: Run) -> Iterator[FileEntry]:
        """Write what a run left, and yield what became of each file that it recorded."""
        folder = self._folder_of(run)
        try:
            manifest = read_inside(folder, "manifest.json", most=MAX_MANIFEST_BYTES)
        except NotReadable:
            manifest = b""
        if manifest and sha256(manifest).hexdigest() == manifest_digest(run):
            self.text(f"{MANIFESTS}/{run.run_id}.json", manifest)
        private = self._private(run, folder)
        for artifact in run.artifacts:
            if not is_plain_name(artifact.path):
                yield FileEntry(run.run_id, artifact.path, "missing", "its name cannot be one in a zip file")
            elif run.has_files_here:
                yield self._file(run, folder, artifact, private)

    def _private(self, run: Run, folder: Path) -> Private:
        """What the samples of a run say; nothing if they are written themselves."""
        private = Private(self._public)
        for artifact in run.artifacts if self._salts is not None else ():
            if is_samples(artifact.path):
                try:
                    with open_recorded(folder, artifact, self._elsewhere) as file:
                        private.learn(file)
                except (NotReadable, Unreachable):
                    private.give_up()
        return private

    def _file(self, run: Run, folder: Path, artifact: Artifact, private: Private) -> FileEntry:
        try:
            with open_recorded(folder, artifact, self._elsewhere) as file:
                if not is_recorded(file, artifact):
                    return FileEntry(run.run_id, artifact.path, "changed", "it is not the file that was recorded")
                if self._salts is not None and is_lines(artifact.path):
                    lines = redacted(self._salts, run.run_id, artifact, file)
                    self.text(f"{REDACTED}/{run.run_id}/{artifact.path}.json", msgspec.json.encode(lines))
                    return FileEntry(run.run_id, artifact.path, "redacted")
                if self._salts is not None and (reason := private.reason(file)):
                    return FileEntry(run.run_id, artifact.path, "redacted", reason)
                self._copy(f"{FILES}/{run.run_id}/{artifact.path}", file, artifact)
        except Missing as problem:
            return FileEntry(run.run_id, artifact.path, "missing", f"it {problem}")
        except (NotReadable, Unreachable) as problem:
            return FileEntry(run.run_id, artifact.path, "changed", f"it {problem}")
        return FileEntry(run.run_id, artifact.path, "here")

    def _copy(self, name: str, file: BinaryIO, artifact: Artifact) -> None:
        seen = sha256()
        with self._archive.open(_member(name), "w", force_zip64=True) as target:
            while piece := file.read(_PIECE):
                seen.update(piece)
                target.write(piece)
        if seen.hexdigest() != artifact.sha256:
            raise OSError(f"{name} was changed while it was read")


def manifest_digest(run: Run) -> str | None:
    """The digest of the manifest that a run began with, as `started` has it."""
    manifest = run.provenance.get("manifest")
    return manifest.get("content_sha256") if isinstance(manifest, dict) else None


def is_recorded(file: BinaryIO, artifact: Artifact) -> bool:
    """Whether an opened file is the one that was recorded; it is then at its beginning."""
    seen = sha256()
    size = 0
    while piece := file.read(_PIECE):
        seen.update(piece)
        size += len(piece)
    file.seek(0)
    return size == artifact.bytes and seen.hexdigest() == artifact.sha256


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    member.create_system = 3
    return member
