"""Checks a published document by itself, as its page does in a browser: lines, proofs, signatures, and every figure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ...ledger.errors import LedgerError
from ...ledger.events import PublishedRow, Record, Reproduced, TablePublished
from ...ledger.proof.checkpoint import Checkpoint, parse_checkpoint
from ...ledger.proof.encoding import BadText, decode64
from ...ledger.proof.policy import Accepted, NotTrusted, Policy, parse_policy, policy_text
from ...ledger.proof.signing import COSIGNATURE, BadSignature, SigningError, parse_verifier
from ...ledger.proof.tree import HASH_BYTES, BadProof, leaf_hash, root_by_inclusion
from ...ledger.storage import codec
from ...ledger.storage.chain import BadLine, Head, is_event
from ..scores.counting import DOUBTFUL
from ..sqlite.reproductions import Reproduction
from .document import ProvenLine, TableDocument, WithheldLine, label, runs_behind
from .errata import errata_of
from .figures import Evidence, Part, compared, weigh
from .ranking import places_of
from .rules import texts_of

_DATA = re.compile(rb'<script type="application/json" id="table">(.*?)</script>', re.DOTALL)


class DocumentDamaged(LedgerError):
    """A document that is not whole, or that was changed; the message says where, in one sentence."""

    exit_code = 3


class Problem(msgspec.Struct, frozen=True):
    """Something that does not fit, in one sentence. `row` is the number of the row that it is about, from 1."""

    text: str
    row: int | None = None


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check has found.

    `unchecked` are sentences about what the document cannot show, `stated` the numbers of rows that it shows in part.
    """

    origin: str
    size: int
    problems: list[Problem]
    unchecked: list[str]
    stated: list[int] = []
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
    found = _Findings(document, checkpoint)
    return Checked(
        origin=checkpoint.origin,
        size=checkpoint.position,
        problems=[*found.problems, *faults],
        unchecked=[*found.unchecked, *unchecked],
        stated=sorted(found.stated),
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


class _Findings:
    """The check of a document by its checkpoint, part by part."""

    def __init__(self, document: TableDocument, checkpoint: Checkpoint) -> None:
        self.problems: list[Problem] = []
        self.stated: dict[int, set[Part]] = {}
        self.unchecked: list[str] = []
        self._document, self._checkpoint = document, checkpoint
        published = self._published()
        if published is not None:
            self._examine(published)

    def _add(self, text: str, row: int | None = None) -> None:
        self.problems.append(Problem(text, row))

    def _published(self) -> TablePublished | None:
        """What the table's own event says; if it is not proven, rows that differ from it can be named all the same."""
        proven = self._document.published
        event = _proven_record(proven, self._checkpoint)
        if isinstance(event, str):
            self._add(f"the table's own event: {event}")
            unproven = _unproven_record(proven.line)
            if unproven is None:
                return None
            event = unproven
        if isinstance(event.data, TablePublished):
            return event.data
        self._add(f"the table's own event is of the type {event.type}")
        return None

    def _examine(self, published: TablePublished) -> None:
        document = self._document
        if (document.name, document.version) != (published.name, published.version):
            self._add(
                f"the document calls itself {document.name} version {document.version}, and its event says "
                f"{published.name} version {published.version}"
            )
        if len(document.rows) != len(published.rows):
            self._add(f"the document has {len(document.rows)} rows, and its event has {len(published.rows)}")
        evidence = self._evidence(published)
        for number, row in enumerate(published.rows, 1):
            shown = document.rows[number - 1] if number <= len(document.rows) else row
            faults, stated = weigh(row, shown, evidence)
            for text in faults:
                self._add(f"row {number} ({label(row)}): {text}", number)
            if stated:
                self.stated[number] = stated
        self._examine_ranks(published.rows)
        behind = set(runs_behind(published.rows))
        for stream, text in evidence.broken.items():
            if stream not in behind:
                self._add(f"the event of {stream or 'an unknown stream'}: {text}")
        self._examine_events(published, evidence, behind)
        self.unchecked = [*_unchecked(self.stated, evidence, published.rows, behind)]

    def _evidence(self, published: TablePublished) -> Evidence:
        events: dict[str, list[Record]] = defaultdict(list)
        withheld: dict[str, list[WithheldLine]] = defaultdict(list)
        broken: dict[str, str] = {}
        for proven in self._document.events:
            record = _proven_record(proven, self._checkpoint)
            if isinstance(record, str):
                broken.setdefault(_stream_of(proven.line), record)
            else:
                events[record.stream].append(record)
        for records in events.values():
            records.sort(key=lambda record: record.seq)
        for one in self._document.withheld:
            if fault := _misplaced(one.seq, one.hash, one.proof, self._checkpoint):
                broken.setdefault(one.stream, fault)
            else:
                withheld[one.stream].append(one)
        rules = published.rules
        return Evidence(
            events,
            withheld,
            broken,
            published.position,
            [kind for kind in DOUBTFUL if kind in texts_of(rules, "include")],
            one_campaign="runs" in rules,
        )

    def _examine_ranks(self, rows: Sequence[PublishedRow]) -> None:
        if any(row.rank_low is None for row in rows):
            return
        for number, (row, place) in enumerate(zip(rows, places_of(rows), strict=True), 1):
            for name, found in place._asdict().items():
                for text in compared(name, getattr(row, name), found, "the scores of the table give"):
                    self._add(f"row {number} ({label(row)}): {text}", number)

    def _examine_events(self, published: TablePublished, evidence: Evidence, behind: set[str]) -> None:
        records = sorted((one for some in evidence.events.values() for one in some), key=lambda one: one.seq)
        hidden = {one.seq for some in evidence.withheld.values() for one in some}
        errata = [one for one in self._document.errata if one.seq not in hidden]
        if errata != errata_of(published.rows, published.position, records):
            self._add("the errata are not those that the events say")
        reproductions = [one for one in self._document.reproductions if one.seq not in hidden]
        if reproductions != reproductions_in(records, behind):
            self._add("the reproductions are not those that the events say")


_PARTS: tuple[tuple[Part, str], ...] = (
    ("contender", "the contender, options, revision and registration of"),
    ("score", "score, interval, samples, cost and seconds of"),
    ("attempts", "attempts and completion of"),
)


def _unchecked(
    stated: Mapping[int, set[Part]], evidence: Evidence, rows: Sequence[PublishedRow], behind: set[str]
) -> Iterator[str]:
    """What a document cannot show of its figures; the page says the same."""
    for part, what in _PARTS:
        numbers = [str(number) for number, parts in stated.items() if part in parts]
        if numbers:
            where = f"{'row' if len(numbers) == 1 else 'rows'} {', '.join(numbers)}"
            yield f"{what} {where}: they are stated, and the lines that would show them are withheld"
    if any(row.rank_low is None for row in rows):
        yield "ranks: an older version of the program published them"
    if missing := sum(_missing(evidence, stream) for stream in behind):
        yield (
            f"whether {missing} other events of these runs change a figure: they are left out as heartbeats, remarks "
            "and requests to cancel"
        )
    yield (
        "the standard error and the number of samples of a single run: they are those that its last event states, and "
        "the samples are not here"
    )
    yield "whether a run was corrected after its last event here"


def _missing(evidence: Evidence, stream: str) -> int:
    """How many events of a run the document does not have, up to the last one that it has."""
    shown = evidence.events.get(stream)
    if not shown:
        return 0
    before = sum(one.seq < shown[-1].seq for one in evidence.withheld.get(stream, ()))
    return max(0, shown[-1].version - len(shown) - before)


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
        return _misplaced(seq, digest, proven.proof, checkpoint) or codec.decode(line)
    except (BadLine, UnicodeEncodeError, ValueError) as problem:
        return f"a line or its proof cannot be read: {problem}"


def _misplaced(seq: int, digest: str, proof: Sequence[str], checkpoint: Checkpoint) -> str:
    """Why the event with a hash is not proven to be at its place in the tree; empty if it is."""
    try:
        hashes = [decode64(one, "a hash of the proof", size=HASH_BYTES) for one in proof]
        root = root_by_inclusion(leaf_hash(bytes.fromhex(digest)), seq - 1, checkpoint.position, hashes)
    except (BadText, BadProof, ValueError) as problem:
        return f"a line or its proof cannot be read: {problem}"
    return "" if root == checkpoint.root else f"event {seq} is not in the tree of the checkpoint"


def _unproven_record(line: str) -> Record | None:
    """The event that a line claims to be: the rows in which it differs from the document can be named."""
    try:
        return codec.decode(line.encode())
    except (BadLine, UnicodeEncodeError):
        return None
