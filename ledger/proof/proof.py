"""Proofs that an event is in a ledger, in the form of C2SP tlog-proof v1: they need neither the ledger nor a network.

The `extra` line has the 32 bytes of the event's hash, which are the leaf. Who has the event's line can compute them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..errors import LedgerError
from ..storage import codec
from ..storage.chain import BadLine, Head, is_event
from ..store import EventStore
from .checkpoint import Checkpoint, parse_text
from .encoding import BadText, decimal, decode64, encode64
from .kept import Tree, ask_chain
from .policy import Accepted, Policy, judge
from .signing import parse_signed
from .tree import HASH_BYTES, BadProof, leaf_hash, root_by_inclusion

_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_MAX_HASHES = 63


class NotProven(LedgerError):
    """A proof that does not prove what it should; the message says why, in one sentence."""

    exit_code = 1


class EventProof(msgspec.Struct, frozen=True):
    """The proof that an event is in the tree of a checkpoint.

    `index` is its position less one, `hashes` are those from its sibling up to below the root, `note` is the text of
    the checkpoint with its signatures, and `event_hash` is the event's hash as hex, if the proof has it.
    """

    index: int
    hashes: list[bytes]
    note: str
    event_hash: str | None = None

    def __str__(self) -> str:
        extra = [] if self.event_hash is None else [f"extra {encode64(bytes.fromhex(self.event_hash))}"]
        lines = [_FIRST_LINE, *extra, f"index {self.index}", *map(encode64, self.hashes), "", self.note]
        return "\n".join(lines)

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint of the proof. Raises BadText."""
        return parse_text(parse_signed(self.note).text)

    def prove(self, event_hash: str) -> Checkpoint:
        """Check that the event with that hash is in the tree of the checkpoint. Raises NotProven and BadText.

        The signatures are not looked at: see `Policy.judge`.
        """
        checkpoint = self.checkpoint
        leaf = leaf_hash(bytes.fromhex(event_hash))
        try:
            root = root_by_inclusion(leaf, self.index, checkpoint.position, self.hashes)
        except BadProof as problem:
            raise NotProven(str(problem)) from problem
        if root != checkpoint.root:
            raise NotProven(
                f"the event with the hash {event_hash} is not event {self.index + 1} of the tree in the checkpoint"
            )
        return checkpoint


class Proven(msgspec.Struct, frozen=True):
    """What a proof has proven: an event with this hash at this position, in the tree of an accepted checkpoint."""

    position: int
    event_hash: str
    accepted: Accepted


def parse_proof(text: str) -> EventProof:
    """The proof in a text. Raises BadText."""
    head, blank, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    if first != _FIRST_LINE:
        raise BadText(f"a proof begins with the line {_FIRST_LINE}")
    if not blank:
        raise BadText("a proof has an empty line and a checkpoint after its hashes")
    event_hash = None
    if lines and lines[0].startswith("extra "):
        raw = decode64(lines.pop(0).removeprefix("extra "), "its extra line")
        event_hash = raw.hex() if len(raw) == HASH_BYTES else None
    if not lines or not lines[0].startswith("index "):
        raise BadText("a proof has a line `index`")
    index = decimal(lines.pop(0).removeprefix("index "), "its index")
    if len(lines) > _MAX_HASHES:
        raise BadText(f"a proof has at most {_MAX_HASHES} hashes, got {len(lines)}")
    hashes = [decode64(line, "a hash of the proof", size=HASH_BYTES) for line in lines]
    proof = EventProof(index, hashes, note, event_hash)
    parse_text(parse_signed(note).text)
    return proof


def prove_event(store: EventStore, position: int, note: str) -> EventProof:
    """The proof of the event at a position; see `prove_events`."""
    return prove_events(store, [position], note)[0]


def prove_events(store: EventStore, positions: Sequence[int], note: str) -> list[EventProof]:
    """The proofs of the events at some positions, for the checkpoint in a note.

    Raises NotProven if the checkpoint does not cover an event or is not one of this ledger's trees, BadText, and
    LedgerDamaged.
    """
    checkpoint = parse_text(parse_signed(note).text)
    hashes = {position: _written_hash(store, position, checkpoint.position) for position in positions}

    def prove(tree: Tree) -> list[EventProof] | None:
        size = checkpoint.position
        if size > tree.size or tree.root_at(size) != checkpoint.root:
            return None
        return [
            EventProof(position - 1, tree.inclusion(position - 1, event_hash, size), note, event_hash)
            for position, event_hash in hashes.items()
        ]

    proofs = ask_chain(store, prove)
    if proofs is None:
        raise NotProven(f"the checkpoint of {checkpoint.origin} is not one of this ledger: its root is another")
    return proofs


def _written_hash(store: EventStore, position: int, size: int) -> str:
    """The hash of an event of the first `size` ones, from its own line. Raises NotProven."""
    if not 0 < position <= size:
        raise NotProven(f"the checkpoint has {size} events, so it does not prove event {position}")
    line = next(store.read_lines(after=position - 1), b"")
    event_hash = line[-66:-2].decode(errors="replace")
    if not is_event(line, Head(position, event_hash)):
        raise NotProven(f"the ledger does not have event {position} as it was written")
    return event_hash


def verify_proof(text: str, policy: Policy | None, event: bytes | None = None) -> Proven:
    """Check a proof by a policy; without one, its signatures are not looked at.

    `event` is the line of the event that it should prove, without a newline. Raises NotProven and NotTrusted, and
    BadText if the text is not a proof, or the line not an event.
    """
    proof = parse_proof(text)
    event_hash = proof.event_hash
    if event is not None:
        event_hash = _hash_of(event, proof)
    if event_hash is None:
        raise NotProven("the proof does not have the hash of its event: the event's line is needed")
    accepted = judge(policy, proof.note)
    proof.prove(event_hash)
    return Proven(proof.index + 1, event_hash, accepted)


def _hash_of(line: bytes, proof: EventProof) -> str:
    """The hash of an event's line, which must be the one that the proof is about. Raises NotProven and BadText."""
    try:
        position = codec.read_envelope(line).seq
    except BadLine as problem:
        raise BadText(f"the line is not an event: {problem}") from problem
    event_hash = line[-66:-2].decode(errors="replace")
    if not is_event(line, Head(position, event_hash)):
        raise NotProven(f"the line of event {position} was changed: its hash does not match its bytes")
    if position != proof.index + 1:
        raise NotProven(f"the proof is about event {proof.index + 1}, and the line is event {position}")
    if proof.event_hash not in (None, event_hash):
        raise NotProven(f"the proof is about another event {position}: its hash is {proof.event_hash}")
    return event_hash
