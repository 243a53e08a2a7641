"""Checkpoints: a note of three lines about a ledger's head, to keep where the ledger is not.

A chain alone proves that nothing inside it was changed; who can write all its files can write all of it anew. A
checkpoint that was kept elsewhere (a commit, a paper, a mail) closes that gap: the history up to it must still stand.
The form is that of a C2SP tlog-checkpoint without signatures: origin, position in decimal, hash in base64.
"""

from __future__ import annotations

import base64

import msgspec

from ..storage.chain import GENESIS, ORIGIN_PREFIX, Head, last_of, origin_of
from ..store import EventStore


class CheckpointError(Exception):
    """A text that is no checkpoint; the message says what is wrong with it."""


class Checkpoint(msgspec.Struct, frozen=True):
    """That a ledger had the event with this hash (64 hex digits) at this position.

    `origin` tells ledgers apart: it holds the beginning of the first event's hash.
    """

    origin: str
    position: int
    hash: str

    def note(self) -> str:
        """The three lines."""
        return f"{self.origin}\n{self.position}\n{base64.b64encode(bytes.fromhex(self.hash)).decode()}\n"


def take_checkpoint(store: EventStore) -> Checkpoint:
    """What to keep elsewhere, to be able to prove later that the history of a ledger is still the same.

    Raises LedgerDamaged: a chain that is broken is worth no note.
    """
    first_hash, head = GENESIS, Head()
    for lines in store.prove():
        head = last_of(lines)
        if first_hash == GENESIS:
            first_hash = last_of(lines[: lines.index(b"\n") + 1]).hash
    return Checkpoint(origin_of(first_hash), head.seq, head.hash)


def parse_note(text: str) -> Checkpoint:
    """The checkpoint in a note. Lines behind the first three, such as signatures, are passed over.

    Raises CheckpointError.
    """
    lines = text.splitlines()
    if len(lines) < 3:
        raise CheckpointError("a checkpoint has three lines: origin, position and hash")
    origin, position, digest = lines[:3]
    if not origin.startswith(ORIGIN_PREFIX):
        raise CheckpointError(f"its first line does not begin with {ORIGIN_PREFIX}: it is of something else")
    if not (position.isascii() and position.isdecimal() and len(position) < 20):
        raise CheckpointError(f"its second line, '{position}', is no position")
    try:
        raw = base64.b64decode(digest, validate=True)
    except ValueError as problem:
        raise CheckpointError(f"its third line is no base64: {problem}") from problem
    if len(raw) != 32:
        raise CheckpointError(f"its third line holds {len(raw)} bytes, and a SHA-256 has 32")
    return Checkpoint(origin, int(position), raw.hex())
