"""Checks a published document by itself, as its page does in a browser: lines, proofs, signatures, and every figure."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ...ledger.errors import ImpossibleTransition, LedgerError
from ...ledger.events import PublishedRow, PublishedRun, Record, Reproduced, TablePublished
from ...ledger.fold import Run, evolve
from ...ledger.proof.checkpoint import Checkpoint, parse_checkpoint
from ...ledger.proof.encoding import BadText, decode64
from ...ledger.proof.policy import Accepted, NotTrusted, Policy, parse_policy, policy_text
from ...ledger.proof.signing import COSIGNATURE, BadSignature, SigningError, parse_verifier
from ...ledger.proof.tree import HASH_BYTES, BadProof, leaf_hash, root_by_inclusion
from ...ledger.storage import codec
from ...ledger.storage.chain import BadLine, Head, is_event
from ..scores.attempts import attempts
from ..scores.counting import task_config
from ..scores.leaderboard import score_of
from ..sqlite.reproductions import Reproduction
from .document import ProvenLine, TableDocument, label
from .errata import errata_of

_DATA = re.compile(rb'<script type="application/json" id="table">(.*?)</script>', re.DOTALL)
_CLOSE = 1e-9


class DocumentDamaged(LedgerError):
    """A document that is not whole, or that was changed; the message says where, in one sentence."""

    exit_code = 3


class Problem(msgspec.Struct, frozen=True):
    """Something that does not fit, in one sentence. `row` is the number of the row that it is about, from 1."""

    text: str
    row: int | None = None


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check has found. `unchecked` are sentences about what the document cannot show."""

    origin: str
    size: int
    problems: list[Problem]
    unchecked: list[str]
    signed_by: str | None = None
    witnesses: list[str] = []


def read_document(content: bytes, name: str) -> TableDocument:
    """The document in a JSON file or a page. Raises DocumentDamaged."""
    if content.lstrip()[:1] == b"<":
        found = _DATA.search(content)
        if found is None or not content.rstrip().endswith(b"</html>"):
            raise DocumentDamaged(
                f"{name} does not have the data of a table: it is another page, or its end is missing",
                "load it once more, or ask the publisher for the JSON file",
            )
        content = found[1]
    try:
        return msgspec.json.decode(content, type=TableDocument)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DocumentDamaged(
            f"{name} is not a published table: {problem}", "load it once more: it may be truncated"
        ) from problem


def check_document(document: TableDocument, policy: Policy | None = None) -> Checked:
    """Check every line, proof and figure, and the signatures by a policy. Raises NotTrusted and DocumentDamaged.

    Without a policy, signatures are checked with the keys that the document names.
    """
    try:
        checkpoint, note = parse_checkpoint(document.checkpoint)
    except BadText as problem:
        raise DocumentDamaged(f"the checkpoint of the table is damaged: {problem}") from problem
    unchecked = [
        "whether the publisher keeps another ledger, or has left runs out of this one",
        "whether the benchmark measured what it should: the events only say what it reported",
    ]
    signed_by, seen = None, []
    faults: list[Problem] = []
    if policy is not None:
        accepted = policy.judge(document.checkpoint)
        signed_by, seen = _signer(accepted), accepted.witnesses
    elif document.keys:
        try:
            signed_by = _signer(_own_policy(document).judge(document.checkpoint))
        except NotTrusted as problem:
            faults.append(Problem(str(problem)))
        unchecked.insert(0, "whether the key is the publisher's: it comes from the table itself")
    elif note.signatures:
        unchecked.insert(0, "the signatures: no key was given")
    else:
        unchecked.insert(0, "who published this: the checkpoint is not signed")
    for key in document.witnesses:
        try:
            witness = parse_verifier(key, COSIGNATURE)
            if witness.signature_of(note) is None:
                faults.append(Problem(f"{witness.name} has not signed the checkpoint"))
        except (SigningError, BadSignature) as problem:
            faults.append(Problem(f"a witness of the table: {problem}"))
    return Checked(
        origin=checkpoint.origin,
        size=checkpoint.position,
        problems=[*_problems(document, checkpoint), *faults],
        unchecked=unchecked,
        signed_by=signed_by,
        witnesses=seen,
    )


def _signer(accepted: Accepted) -> str | None:
    return str(accepted.log.verifier) if accepted.log else None


def _own_policy(document: TableDocument) -> Policy:
    try:
        return parse_policy(policy_text([parse_verifier(key) for key in document.keys], [], 0))
    except (SigningError, BadText, LedgerError) as problem:
        if isinstance(problem, NotTrusted):
            raise
        raise DocumentDamaged(f"a key of the table is damaged: {problem}") from problem


def _problems(document: TableDocument, checkpoint: Checkpoint) -> Iterator[Problem]:
    event = _proven_record(document.published, checkpoint)
    if isinstance(event, str):
        yield Problem(f"the table's own event: {event}")
        unproven = _unproven_record(document.published.line)
        if unproven is None:
            return
        event = unproven
    published = event.data
    if not isinstance(published, TablePublished):
        yield Problem(f"the table's own event is of the type {event.type}")
        return
    if (document.name, document.version) != (published.name, published.version):
        yield Problem(
            f"the document calls itself {document.name} version {document.version}, and its event says "
            f"{published.name} version {published.version}"
        )
    of: dict[str, list[Record]] = defaultdict(list)
    broken: dict[str, str] = {}
    for proven in document.events:
        record = _proven_record(proven, checkpoint)
        if isinstance(record, str):
            broken.setdefault(_stream_of(proven.line), record)
        else:
            of[record.stream].append(record)
    if len(document.rows) != len(published.rows):
        yield Problem(f"the document has {len(document.rows)} rows, and its event has {len(published.rows)}")
    for number, row in enumerate(published.rows, 1):
        shown = document.rows[number - 1] if number <= len(document.rows) else row
        for text in _faults(row, shown, of, broken, published.position):
            yield Problem(f"row {number} ({label(row)}): {text}", number)
    behind = {run.run_id for row in published.rows for run in row.runs} | {
        run_id for row in published.rows for run_id in row.attempt_ids
    }
    for stream, text in broken.items():
        if stream not in behind:
            yield Problem(f"the event of {stream or 'an unknown stream'}: {text}")
    records = sorted((record for some in of.values() for record in some), key=lambda record: record.seq)
    if list(document.errata) != errata_of(published.rows, published.position, records):
        yield Problem("the errata are not those that the events say")
    if list(document.reproductions) != reproductions_in(records, behind):
        yield Problem("the reproductions are not those that the events say")


def reproductions_in(records: Sequence[Record], run_ids: set[str]) -> list[Reproduction]:
    """The reproductions of some runs among records in their order, but for those that were retracted."""
    retracted: dict[str, bool] = {}
    for record in records:
        if record.type in ("retracted", "reinstated"):
            retracted[record.stream] = record.type == "retracted"
    return [
        Reproduction(
            of=record.data.of.run, run_id=record.stream, verdict=record.data.verdict, by=record.data.by, seq=record.seq
        )
        for record in records
        if isinstance(record.data, Reproduced) and record.data.of.run in run_ids and not retracted.get(record.stream)
    ]


def _stream_of(line: str) -> str:
    try:
        return codec.read_envelope(line.encode()).stream
    except (BadLine, UnicodeEncodeError):
        return ""


def _proven_record(proven: ProvenLine, checkpoint: Checkpoint) -> Record | str:
    """The event of a line that is in the tree; otherwise why it is not."""
    try:
        line = proven.line.encode()
        seq = codec.read_envelope(line).seq
        digest = line[-66:-2].decode(errors="replace")
        if not is_event(line, Head(seq, digest)):
            return f"the line of event {seq} was changed: its hash does not match its bytes"
        hashes = [decode64(one, "a hash of the proof", size=HASH_BYTES) for one in proven.proof]
        root = root_by_inclusion(leaf_hash(bytes.fromhex(digest)), seq - 1, checkpoint.position, hashes)
        if root != checkpoint.root:
            return f"event {seq} is not in the tree of the checkpoint"
        return codec.decode(line)
    except (BadLine, BadText, BadProof, UnicodeEncodeError, ValueError) as problem:
        return f"a line or its proof cannot be read: {problem}"


def _unproven_record(line: str) -> Record | None:
    """The event that a line claims to be: the rows in which it differs from the document can be named."""
    try:
        return codec.decode(line.encode())
    except (BadLine, UnicodeEncodeError):
        return None


def _faults(
    row: PublishedRow,
    shown: PublishedRow,
    of: Mapping[str, list[Record]],
    broken: Mapping[str, str],
    position: int,
) -> Iterator[str]:
    if row != shown:
        names = [name for name in row.__struct_fields__ if getattr(row, name) != getattr(shown, name)]
        yield f"{', '.join(names)} of the document is not that of the published event"
    runs = [_run(run.run_id, of, position) for run in row.runs]
    for published, run in zip(row.runs, runs, strict=True):
        if published.run_id in broken:
            yield f"run {published.run_id}: {broken[published.run_id]}"
            return
        if run is None:
            yield f"the events of run {published.run_id} are missing"
            return
        yield from _faults_of_run(row, published, run, of)
    yield from _figures(row, [run for run in runs if run is not None])
    tried = [_run(run_id, of, position) for run_id in row.attempt_ids]
    known = [run for run in tried if run is not None]
    if bad := next((run_id for run_id in row.attempt_ids if run_id in broken), None):
        yield f"run {bad}: {broken[bad]}"
    elif len(known) != len(tried):
        yield "the events of an attempt are missing"
    else:
        found = attempts(known)
        for name in ("attempts", "successes", "own_failures", "infrastructure_failures", "completion"):
            if getattr(found, name) != getattr(row, name):
                yield f"{name} is {getattr(row, name)}, and the events give {getattr(found, name)}"


def _run(run_id: str, of: Mapping[str, list[Record]], position: int) -> Run | None:
    """A run as its events say, up to a position of the ledger."""
    run: Run | None = None
    for record in of.get(run_id, ()):
        if record.seq > position:
            break
        try:
            run = evolve(run, record)
        except ImpossibleTransition:
            continue  # The ledger's own readers skip it, too.
    return run


def _faults_of_run(
    row: PublishedRow, published: PublishedRun, run: Run, of: Mapping[str, list[Record]]
) -> Iterator[str]:
    said = (run.benchmark_id, run.agent, run.provider, run.model, task_config(run), run.revision)
    if said != (row.benchmark_id, row.agent, row.provider, row.model, row.config, row.revision):
        yield f"run {run.run_id} is of another benchmark, contender, configuration or revision"
    if (run.score, run.samples) != (published.score, published.samples):
        yield f"run {run.run_id} has the score {run.score} of {run.samples} samples by its events"
    if run.retracted is not None and "retracted" not in row.doubts:
        yield f"run {run.run_id} was retracted before the table was published"
    ended = run.ended_seq or run.first_seq
    if not any(one.seq == published.seq == ended and one.hash == published.hash for one in of.get(run.run_id, ())):
        yield f"event {published.seq} is not the one that ended run {run.run_id}"


def _figures(row: PublishedRow, runs: list[Run]) -> Iterator[str]:
    if not runs or any(run.score is None for run in runs):
        yield "a run behind it has no score"
        return
    found = score_of(runs)
    pairs = [
        ("score", row.score, found.mean),
        ("stderr", row.stderr, found.stderr),
        ("low", row.low, found.low),
        ("high", row.high, found.high),
        ("samples", row.samples, found.samples),
        ("repeats", row.repeats, found.repeats),
        ("registered", row.registered, found.registered),
    ]
    for name, shown, computed in pairs:
        if not _is_close(shown, computed):
            yield f"{name} is {shown}, and its runs give {computed}"


def _is_close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)
