"""`/api/runs/{run_id}/proof`: the events of a run, and the proofs that they are in the ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence

import falcon
import msgspec

from ...ledger.proof.checkpoint import Checkpoint, parse_text
from ...ledger.proof.encoding import BadText, encode64
from ...ledger.proof.issuing import kept_note
from ...ledger.proof.kept import ask_tree
from ...ledger.proof.proof import EventProof, NotProven, prove_events
from ...ledger.proof.signing import parse_signed
from ...ledger.storage.chain import origin_of
from ...ledger.store import EventStore
from ..api.answers import answer
from ..api.parameters import AS_OF, Form
from ..api.site import Site
from ..index.archive import Head
from .run import lines_as_of

_MAX_EVENTS = 200
_NO_FIGURES = (b"heartbeat", b"annotated")
_ENDS = (b"finished", b"failed", b"recovered", b"imported")


class ProvenEvent(msgspec.Struct, frozen=True):
    """An event of the run: its line as the ledger has it, and the hashes from its place up to the root, as base64."""

    seq: int
    line: str
    proof: list[str]


class RunProof(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a run in the tree of a checkpoint; nothing of it was checked for the reader.

    `checkpoint` is the last signed one that is kept beside the ledger, if it has all these events, and otherwise an
    unsigned one of the moment. `signed_by` are the names in its signatures. `tlog_proof` is a C2SP tlog-proof of the
    event at `proven_seq`, which ended the run (its last event, if the run has not ended).
    """

    run_id: str
    events: list[ProvenEvent]
    checkpoint: str
    signed_by: list[str]
    proven_seq: int
    tlog_proof: str
    head: Head


class ProofOfRun:
    """The proof of a run."""

    about = "The events of a run as lines, with the proofs that they are in the tree of a checkpoint"
    parameters = Form(AS_OF)
    answer = RunProof

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """At most 200 events: of a longer run without heartbeats and remarks, which say nothing about its score."""
        # No ETag: a kept answer does not prove anything.
        as_of = self.parameters.read(req)["as_of"]
        placed, head = lines_as_of(self._site, run_id, as_of)
        store = self._site.archive.store
        found = [(seq, line) for seq, line, _ in placed]
        lines = dict(found if len(found) <= _MAX_EVENTS else _telling(found))
        with self._site.slow.holding(req.relative_uri):
            try:
                proofs = _proofs(store, lines, head)
            except (NotProven, BadText) as problem:
                raise falcon.HTTPServiceUnavailable(title="no proof", description=str(problem)) from problem
        answer(req, resp, _answer(run_id, lines, proofs, head))

    on_head = on_get


def _telling(found: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The events of a run without heartbeats and remarks: the first one, and the newest, which may take it back."""
    told = [
        (seq, line) for seq, line in found if not any(b',"type":"%b",' % kind in line[:300] for kind in _NO_FIGURES)
    ]
    return told[:1] + told[1:][-(_MAX_EVENTS - 1) :]


def _proofs(store: EventStore, seqs: Collection[int], head: Head) -> list[EventProof]:
    kept = kept_note(store)
    if kept is not None and max(seqs) <= parse_text(kept.text).position <= head.position:
        with contextlib.suppress(NotProven):  # A note of the earlier form has no root.
            return prove_events(store, list(seqs), str(kept))
    first = next(store.read(details=False))
    root = ask_tree(store, lambda tree: tree.root_at(head.position))
    return prove_events(store, list(seqs), Checkpoint(origin_of(first.hash), head.position, root.hex()).note())


def _answer(run_id: str, lines: dict[int, bytes], proofs: Sequence[EventProof], head: Head) -> RunProof:
    ends = [seq for seq, line in lines.items() if any(b',"type":"%b",' % kind in line[:300] for kind in _ENDS)]
    proven = ends[0] if ends else max(lines)
    by_seq = {proof.index + 1: proof for proof in proofs}
    note = proofs[0].note
    return RunProof(
        run_id=run_id,
        events=[
            ProvenEvent(seq, line.decode(), [encode64(one) for one in by_seq[seq].hashes])
            for seq, line in lines.items()
        ],
        checkpoint=note,
        signed_by=[line.name for line in parse_signed(note).signatures],
        proven_seq=proven,
        tlog_proof=str(by_seq[proven]),
        head=head,
    )
