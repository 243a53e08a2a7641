"""Verifies a bundle: each event is proven, no event is missing between others, and each file is the recorded one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from ..events import Artifact, Record
from ..fold import Run
from ..history import History
from ..proof.encoding import BadText
from ..proof.policy import Accepted, Policy, judge
from ..proof.proof import NotProven, parse_proof, verify_proof
from ..storage import codec
from ..storage.chain import BadLine
from .bundle import (
    BUNDLE,
    CHECKPOINT,
    EVENTS,
    FILES,
    FORMAT,
    MANIFESTS,
    MAX_MANIFEST_BYTES,
    PROOFS,
    REDACTED,
    VERIFIER,
    Contents,
    manifest_digest,
    verifier,
)
from .packed import MAX_LINE_BYTES
from .salted import Opening, RedactedSamples
from .zipped import DamagedBundle, ZippedFiles, open_zip, shown

T = TypeVar("T")

_MAX_TEXT_BYTES = 64 * 1024 * 1024
_MAX_PROOF_BYTES = 1024 * 1024


class Evidence(msgspec.Struct, frozen=True):
    """A verified bundle: the accepted checkpoint, and the runs as its events tell them.

    `files` is the number of recorded files that it has; `notes` name the others, each with a reason, and whatever else
    a reader should know. `opened` is the number of samples that were opened.
    """

    accepted: Accepted
    runs: list[Run]
    events: int
    files: int
    notes: list[str]
    opened: int = 0


def verify_bundle(path: Path, policy: Policy | None, openings: Iterable[Opening] = ()) -> Evidence:
    """Verify a bundle by a policy; without one, nothing is known of who signed its checkpoint.

    Raises DamagedBundle for a file that is not a whole bundle, NotProven and NotTrusted for one that does not prove
    what it should.
    """
    with open_zip(path) as zipped:
        return _Checking(zipped, policy).check(list(openings))


class _Checking:
    def __init__(self, zipped: ZippedFiles, policy: Policy | None) -> None:
        self._zipped = zipped
        self._policy = policy
        self._names = set(zipped.names())
        self._notes: list[str] = []
        self._expected = {BUNDLE, CHECKPOINT, VERIFIER}

    def check(self, openings: list[Opening]) -> Evidence:
        zipped = self._zipped
        contents = self._decode(BUNDLE, Contents)
        if contents.format != FORMAT:
            raise zipped.damaged(f"its format is {contents.format}, and this version knows {FORMAT}")
        note = self._text(CHECKPOINT)
        try:
            accepted = judge(self._policy, note)
        except BadText as problem:
            raise zipped.damaged(f"its checkpoint cannot be read: {problem}") from problem
        if (contents.origin, contents.size) != (accepted.checkpoint.origin, accepted.checkpoint.position):
            raise zipped.damaged("it says that it is of another checkpoint than the one in it")
        if contents.events != sorted(set(contents.events)):
            raise zipped.damaged("its events are not in order")
        records = [self._event(position, note) for position in contents.events]
        runs = self._runs(records, contents)
        files = self._files(runs, contents)
        if self._text(VERIFIER) != verifier():
            self._notes.append(f"{VERIFIER} is not the verifier of this version: do not run it")
        self._open(openings)
        if strange := sorted(self._names - self._expected):
            raise zipped.damaged(f"{shown(strange[0])} belongs to nothing in it")
        return Evidence(accepted, runs, len(records), files, self._notes, len(openings))

    def _event(self, position: int, note: str) -> Record:
        """The event at a position, after it is proven."""
        zipped = self._zipped
        line = self._read(f"{EVENTS}/{position}.json", MAX_LINE_BYTES).removesuffix(b"\n")
        text = self._text(f"{PROOFS}/{position}.tlog-proof", _MAX_PROOF_BYTES)
        try:
            proof = parse_proof(text)
            if proof.note != note:
                raise NotProven(f"the proof of event {position} is for another checkpoint than that of the bundle")
            if proof.event_hash is None:
                raise NotProven(f"the proof of event {position} does not have the hash of the event")
            proven = verify_proof(text, self._policy, line)
            record = codec.read(line)
        except BadText as problem:
            raise zipped.damaged(f"the proof of event {position} cannot be read: {problem}") from problem
        except BadLine as problem:
            raise zipped.damaged(f"event {position} cannot be read: {problem}") from problem
        if proven.position != position:
            raise NotProven(f"the bundle has event {proven.position} in the place of event {position}")
        return record

    def _runs(self, records: list[Record], contents: Contents) -> list[Run]:
        """The runs as their events tell them; every stream is there from its first event on, without a gap."""
        versions: dict[str, int] = {}
        for record in records:
            versions[record.stream] = versions.get(record.stream, 0) + 1
            if record.version != versions[record.stream]:
                raise NotProven(
                    f"{shown(record.stream)} lacks event {versions[record.stream]}: the bundle goes on with event "
                    f"{record.version} of it"
                )
        history = History().read(records)
        for problem in history.problems:
            self._notes.append(f"event {problem.seq} makes no sense at its place, and does not count: {problem.text}")
        lacking = [run_id for run_id in contents.runs if run_id not in history.runs]
        if lacking:
            raise NotProven(f"the bundle has no event of {shown(lacking[0])}, which it names")
        if unnamed := history.runs.keys() - set(contents.runs):
            raise self._zipped.damaged(f"it has events of {shown(min(unnamed))}, which it does not name")
        runs = [history.runs[run_id] for run_id in contents.runs]
        for run in runs:
            if run.imported is None and run.run_group_id not in history.groups:
                raise NotProven(f"the bundle does not have the group of {shown(run.run_id)}")
            if run.registration and run.registration not in history.registrations:
                raise NotProven(f"the bundle does not have the registered plan of {shown(run.run_id)}")
        return runs

    def _files(self, runs: list[Run], contents: Contents) -> int:
        """Compare each file with its record. Returns the number of files; those that are not there are noted."""
        states = {(entry.run_id, entry.path): entry for entry in contents.files}
        count = 0
        for run in runs:
            self._manifest(run)
            for artifact in run.artifacts:
                name = f"{FILES}/{run.run_id}/{artifact.path}"
                entry = states.pop((run.run_id, artifact.path), None)
                if name in self._names:
                    self._file(name, artifact)
                    count += 1
                elif entry is not None and entry.state == "here":
                    raise self._zipped.damaged(f"{shown(name)} is missing")
                elif not self._redacted(run, artifact):
                    state = f"was {entry.state} when the bundle was made" if entry else "is not in the bundle"
                    state += f": {shown(entry.reason)}" if entry and entry.state == "redacted" and entry.reason else ""
                    self._notes.append(f"{shown(run.run_id)}: {shown(artifact.path)} {state}")
        if states:
            raise self._zipped.damaged(f"it names {shown(next(iter(states))[1])}, which its run did not record")
        return count

    def _file(self, name: str, artifact: Artifact) -> None:
        self._expected.add(name)
        size, digest = self._zipped.digest(name)
        if (size, digest) != (artifact.bytes, artifact.sha256):
            raise self._zipped.damaged(
                f"{shown(name)} is not the file that was recorded: its SHA-256 is {digest}, not {artifact.sha256}"
            )

    def _manifest(self, run: Run) -> None:
        name, recorded = f"{MANIFESTS}/{run.run_id}.json", manifest_digest(run)
        if name not in self._names:
            self._notes.append(f"{shown(run.run_id)}: its manifest is not in the bundle")
            return
        self._expected.add(name)
        if self._zipped.digest(name)[1] != recorded:
            raise self._zipped.damaged(f"{shown(name)} is not the manifest that the run began with")
        self._read(name, MAX_MANIFEST_BYTES)

    def _redacted(self, run: Run, artifact: Artifact) -> bool:
        name = f"{REDACTED}/{run.run_id}/{artifact.path}.json"
        if name not in self._names:
            return False
        lines = self._decode(name, RedactedSamples)
        if (lines.path, lines.bytes, lines.sha256) != (artifact.path, artifact.bytes, artifact.sha256):
            raise self._zipped.damaged(f"{shown(name)} is about another file than the recorded one")
        return True

    def _open(self, openings: list[Opening]) -> None:
        for one in openings:
            name = f"{REDACTED}/{one.run_id}/{one.path}.json"
            if name not in self._expected:
                raise NotProven(
                    f"the bundle does not have redacted samples of {shown(one.run_id)} in {shown(one.path)}"
                )
            lines = self._decode(name, RedactedSamples).lines
            if not 0 <= one.line < len(lines) or lines[one.line] != one.digest:
                raise NotProven(f"the opened sample is not line {one.line} of {shown(one.path)} of {shown(one.run_id)}")

    def _read(self, name: str, most: int) -> bytes:
        self._expected.add(name)
        return self._zipped.read(name, most=most)

    def _text(self, name: str, most: int = _MAX_TEXT_BYTES) -> str:
        try:
            return self._read(name, most).decode()
        except UnicodeDecodeError as problem:
            raise self._zipped.damaged(f"{shown(name)} is not text: {problem}") from problem

    def _decode(self, name: str, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(self._read(name, _MAX_TEXT_BYTES), type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
            raise self._zipped.damaged(f"{shown(name)} cannot be read: {problem}") from problem


def parse_opening(text: bytes) -> Opening:
    """An opened sample. Raises DamagedBundle."""
    try:
        opening = msgspec.json.decode(text, type=Opening)
        bytes.fromhex(opening.salt)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as problem:
        raise DamagedBundle(f"the opened sample cannot be read: {problem}") from problem
    return opening
