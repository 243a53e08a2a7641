"""Checkpoints: notes of three lines about a ledger's head, to keep in another place than the ledger.

A chain proves that no single event was changed; but a person who can write its files can rewrite all of it. A
checkpoint in another place (a commit, a paper, an e-mail) closes that gap: the history up to it must be unchanged.
The form is that of a C2SP tlog-checkpoint without signatures: origin, position in decimal, hash in base64.
"""

from __future__ import annotations

import base64

import msgspec

from ..storage.chain import GENESIS, ORIGIN_PREFIX, Head, last_of, origin_of
from ..store import EventStore


class CheckpointError(Exception):
    """A text that is not a checkpoint; the message says why."""


class Checkpoint(msgspec.Struct, frozen=True):
    """States that a ledger had the event with this hash (64 hex digits) at this position.

    `origin` identifies the ledger: it holds the beginning of the first event's hash.
    """

    origin: str
    position: int
    hash: str

    def note(self) -> str:
        """The checkpoint as three lines."""
        return f"{self.origin}\n{self.position}\n{base64.b64encode(bytes.fromhex(self.hash)).decode()}\n"


def take_checkpoint(store: EventStore) -> Checkpoint:
    """A checkpoint to keep in another place: it proves later that the history is still the same.

    Raises LedgerDamaged if the chain is broken.
    """
    first_hash, head = GENESIS, Head()
    for lines in store.prove():
        head = last_of(lines)
        if first_hash == GENESIS:
            first_hash = last_of(lines[: lines.index(b"\n") + 1]).hash
    return Checkpoint(origin_of(first_hash), head.seq, head.hash)


def parse_note(text: str) -> Checkpoint:
    """The checkpoint in a note. Lines after the first three, such as signatures, are ignored.

    Raises CheckpointError.
    """
    lines = text.splitlines()
    if len(lines) < 3:
        raise CheckpointError("a checkpoint has three lines: origin, position and hash")
    origin, position, digest = lines[:3]
    if not origin.startswith(ORIGIN_PREFIX):
        raise CheckpointError(f"its first line must begin with {ORIGIN_PREFIX}")
    if not (position.isascii() and position.isdecimal() and len(position) < 20):
        raise CheckpointError(f"its second line must be a position, got '{position}'")
    try:
        raw = base64.b64decode(digest, validate=True)
    except ValueError as problem:
        raise CheckpointError(f"its third line is not base64: {problem}") from problem
    if len(raw) != 32:
        raise CheckpointError(f"its third line must hold the 32 bytes of a SHA-256, got {len(raw)} bytes")
    return Checkpoint(origin, int(position), raw.hex())
