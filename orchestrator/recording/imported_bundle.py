"""Imports the runs of a bundle, with their files, as `imported` events: each once, from whatever bundle it comes.

A run's id here is made from the hash of the event that ended it there. So the same run of two bundles is one run here,
and the whole ledger that it comes from can still be merged later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import msgspec

from ...adapters.imports.found import slug
from ...ledger.events import Artifact, Imported, ImportSource, Json, NewEvent, Record, Reproduced, Retracted
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.ledger import Ledger
from ...ledger.proof.policy import Policy
from ...ledger.run_files import NotReadable
from ...ledger.storage import codec
from ...ledger.transfer.archive import Left, is_here, put_file
from ...ledger.transfer.bundle import EVENTS, FILES
from ...ledger.transfer.evidence import Evidence, verify_bundle
from ...ledger.transfer.packed import MAX_LINE_BYTES
from ...ledger.transfer.zipped import ZippedFiles, open_zip
from ...projections.workspace import Workspace

KIND = "bundle"

_KEPT = (
    "benchmark_id benchmark_directory signature agent provider model extra_config started_at ended_at "
    "duration_seconds score unit higher_is_better metrics error reason return_code samples stderr usage synthetic "
    "benchmark_version benchmarks_commit status reproduces"
).split()
"""The fields of a run that its imported row has, as they are."""


class BundleTaken(msgspec.Struct, frozen=True):
    """The result of an import: runs added and already known, files added, and what was left out."""

    evidence: Evidence
    added: int
    known: int
    files: int
    left: list[Left]


def take_in_bundle(path: Path, ledger: Ledger, workspace: Workspace, policy: Policy | None) -> BundleTaken:
    """Import the runs of a bundle that have ended, after it is verified. A second import adds nothing.

    A run that is in this ledger itself only gets the files that are missing here; that another run has its id makes no
    difference. Raises what `verify_bundle` and `Ledger.decide` raise, and LedgerUnwritable.
    """
    evidence = verify_bundle(path, policy)
    with open_zip(path) as zipped:
        known = {run.run_id: run for run in ledger.detailed(_same_here(evidence, ledger, zipped))}
    left: list[Left] = []
    files = 0
    rows: dict[str, Imported] = {}
    with open_zip(path) as zipped:
        for run in evidence.runs:
            if why := _why_not(run):
                left.append(Left(run.run_id, why))
                continue
            run_id = run.run_id if run.run_id in known else _id_of(run, zipped)
            target = known.get(run.run_id) or _as_imported(run, run_id)
            placed, taken, refused = _put_files(zipped, run, target, workspace)
            files += placed
            left += refused
            if run.run_id not in known:
                rows[run_id] = Imported(source=_source(evidence, run, zipped), run=_row(run, taken, evidence, zipped))
        reproduced = _reproduced_in(zipped)
    renamed = _ids_here(evidence, known, rows)
    added = _append(ledger, rows, [(renamed[one], event) for one, event in reproduced if one in renamed])
    return BundleTaken(evidence, added, len(rows) - added + len(known), files, left)


def _same_here(evidence: Evidence, ledger: Ledger, zipped: ZippedFiles) -> list[Run]:
    """The runs of this ledger that are in a bundle: the same event ended them, wherever it stands here."""
    ended = {run.run_id: run.ended_seq for run in evidence.runs if run.ended_seq is not None}
    mine = ledger.look(lambda history: [history.runs[name] for name in ended if name in history.runs])
    same = []
    for run in mine:
        if run.imported is None and run.ended_seq is not None:
            here = next(ledger.store.read_lines(after=run.ended_seq - 1))
            if _content(here) == _content(_line(zipped, ended[run.run_id])):
                same.append(run)
    return same


def _content(line: bytes) -> tuple[str, bytes]:
    """The id of an event, and what it says: a ledger that is merged keeps both."""
    return codec.read_envelope(line).id, bytes(codec.raw_data(line).raw)


def _why_not(run: Run) -> str:
    """Why a run of a bundle cannot be imported; empty if it can."""
    if run.ended_seq is None:
        return "has not ended there"
    if run.retracted is not None:
        return "was retracted there"
    if run.imported is not None and run.imported.kind == KIND:
        return f"came to that ledger with a bundle of {run.imported.path.partition('#')[0]}, which has the evidence"
    return ""


def supersede(ledger: Ledger, *, by: str) -> int:
    """Retract the imported copies of runs that came themselves with a merged ledger, so that none counts twice.

    Returns their number. They stay in the ledger, and say which run they are a copy of.
    """

    bundled = ledger.look(lambda history: [run for run in history.runs.values() if _is_bundled(run)])
    copies = {copy.run_id: run_id for copy in ledger.detailed(bundled) if (run_id := _original(copy, ledger))}
    if not copies:
        return 0

    def decide(history: History) -> list[NewEvent]:
        return [
            NewEvent(copy, Retracted(author=by, reason=f"it is a copy of {run_id}, which is here itself now"))
            for copy, run_id in copies.items()
            if history.runs[copy].retracted is None
        ]

    return len(ledger.decide(decide).records)


def _is_bundled(run: Run) -> bool:
    return run.imported is not None and run.imported.kind == KIND and run.retracted is None


def _original(copy: Run, ledger: Ledger) -> str | None:
    """The id of the run that an imported run is a copy of, if the event that the copy is made from is here."""
    bundle = copy.provenance.get("bundle")
    if not isinstance(bundle, dict):
        return None
    run = ledger.look(lambda history: history.runs.get(str(bundle.get("run_id"))))
    if run is None or run.imported is not None or run.ended_seq is None:
        return None
    line = next(ledger.store.read_lines(after=run.ended_seq - 1))
    return run.run_id if codec.read_envelope(line).id == bundle.get("event") else None


def _append(ledger: Ledger, rows: dict[str, Imported], reproduced: list[tuple[str, Reproduced]]) -> int:
    """Append the runs that the ledger does not have, and what their reproductions say. Returns the number of runs."""
    if not rows and not reproduced:
        return 0

    def decide(history: History) -> list[NewEvent]:
        new = [NewEvent(run_id, event) for run_id, event in rows.items() if run_id not in history.runs]
        streams = {run_id for run_id, _ in reproduced if run_id in history.runs}
        said = [(record.stream, record.data) for record in _said(ledger, streams)]
        return new + [NewEvent(run_id, event) for run_id, event in reproduced if (run_id, event) not in said]

    return sum(isinstance(record.data, Imported) for record in ledger.decide(decide).records)


def _said(ledger: Ledger, streams: set[str]) -> Iterator[Record]:
    """The reproductions that the ledger has for these runs."""
    if streams:
        yield from (record for record in ledger.store.read(types=[Reproduced.type]) if record.stream in streams)


def _reproduced_in(zipped: ZippedFiles) -> list[tuple[str, Reproduced]]:
    """The `reproduced` events of a verified bundle, with the runs there that they are about."""
    names = [name for name in zipped.names() if name.startswith(f"{EVENTS}/")]
    lines = (zipped.read(name, most=MAX_LINE_BYTES).removesuffix(b"\n") for name in names)
    records = (codec.decode(line) for line in lines if b'"type":"reproduced"' in line)
    return [(record.stream, record.data) for record in records if isinstance(record.data, Reproduced)]


def _ids_here(evidence: Evidence, known: Collection[str], rows: Mapping[str, Imported]) -> dict[str, str]:
    """The ids here of the runs of a bundle, by their ids there."""
    there = {event.run["provenance"]["bundle"]["run_id"]: run_id for run_id, event in rows.items()}
    return {run.run_id: run.run_id for run in evidence.runs if run.run_id in known} | there


def _end_hash(run: Run, zipped: ZippedFiles) -> str:
    """The hash of the event that ended a run; the bundle is verified, so it is the one of its line."""
    return _line(zipped, run.ended_seq)[-66:-2].decode()


def _line(zipped: ZippedFiles, seq: int | None) -> bytes:
    return zipped.read(f"{EVENTS}/{seq}.json", most=MAX_LINE_BYTES).removesuffix(b"\n")


def _id_of(run: Run, zipped: ZippedFiles) -> str:
    digest = sha256(f"bundle\n{_end_hash(run, zipped)}".encode()).hexdigest()
    return f"run_{slug(run.benchmark_id)}_imported_{digest[:16]}"


def _as_imported(run: Run, run_id: str) -> Run:
    return msgspec.structs.replace(run, run_id=run_id, run_group_id="")


def _source(evidence: Evidence, run: Run, zipped: ZippedFiles) -> ImportSource:
    """The origin of a run: the ledger and the position, and the hash of the event there."""
    return ImportSource(KIND, f"{evidence.accepted.checkpoint.origin}#{run.ended_seq}", _end_hash(run, zipped))


def _row(run: Run, artifacts: list[Artifact], evidence: Evidence, zipped: ZippedFiles) -> Json:
    """The fields of a run row. Only the files that are here are its artifacts."""
    row: Json = {name: value for name in _KEPT if (value := getattr(run, name)) is not None}
    row["comparison_key"] = run.options_key or run.comparison_key
    row["artifacts"] = msgspec.to_builtins(artifacts)
    row["notes"] = list(run.notes)
    signer = evidence.accepted.log
    row["provenance"] = {
        **run.provenance,
        "bundle": {
            "run_id": run.run_id,
            "event": codec.read_envelope(_line(zipped, run.ended_seq)).id,
            "origin": evidence.accepted.checkpoint.origin,
            "size": evidence.accepted.checkpoint.position,
            "signed_by": str(signer.verifier) if signer else None,
            "witnesses": evidence.accepted.witnesses,
        },
    }
    if run.task_revision is not None:
        row["task_revision"] = msgspec.to_builtins(run.task_revision)
    return row


def _put_files(
    zipped: ZippedFiles, run: Run, target: Run, workspace: Workspace
) -> tuple[int, list[Artifact], list[Left]]:
    """Write the files of a run to their places. Returns the number of new ones, those that are here, and the others."""
    folder, names = workspace.folder_of(target), set(zipped.names())
    new = 0
    here: list[Artifact] = []
    left: list[Left] = []
    for artifact in _recorded(run, target):
        name = f"{FILES}/{run.run_id}/{artifact.path}"
        if name not in names:
            continue
        try:
            if not is_here(folder, artifact):
                put_file(workspace.root, folder, artifact, zipped.pieces(name))
                new += 1
            here.append(artifact)
        except NotReadable as problem:
            left.append(Left(name, str(problem)))
    return new, here, left


def _recorded(run: Run, target: Run) -> Iterator[Artifact]:
    """The files of a run; if the run is in this ledger, only those that it recorded here, too."""
    mine = set(map(msgspec.structs.astuple, target.artifacts))
    return (artifact for artifact in run.artifacts if msgspec.structs.astuple(artifact) in mine)
