"""Checks of a ledger's lines apart from their meaning: the chain, the versions of streams, and the ids of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ..events import Record
from ..storage import codec
from ..storage.chain import GENESIS, Head, last_of
from ..store import BEGINNING, EventStore, Finding


class Envelopes:
    """Checks that each stream counts its versions without a gap, and that no id occurs twice.

    `versions` are those of the streams before the first event that is checked. With `is_late`, other streams may have
    earlier events, too: the version of their first event here is accepted.
    """

    def __init__(self, versions: Mapping[str, int] | None = None, *, is_late: bool = False) -> None:
        self.findings: list[Finding] = []
        self._versions = dict(versions or {})
        self._is_late = is_late
        self._ids: set[str] = set()

    def see(self, envelopes: Iterable[codec.Envelope | Record]) -> None:
        """Check the next events."""
        versions, ids = self._versions, self._ids
        for one in envelopes:
            expected = versions.get(one.stream, one.version - 1 if self._is_late else 0) + 1
            if one.version != expected:
                text = f"{one.stream}: version {one.version} instead of {expected}"
                self.findings.append(Finding(one.seq, text))
            versions[one.stream] = one.version
            if one.id in ids:
                self.findings.append(Finding(one.seq, f"the id {one.id} occurs twice in the ledger"))
            ids.add(one.id)


class Lines(msgspec.Struct, frozen=True):
    """The result for the lines up to `head`; `known_hash` is the hash of the requested event."""

    head: Head
    first_hash: str
    known_hash: str
    findings: list[Finding]


def prove_lines(store: EventStore, known: int) -> Lines:
    """Prove the chain of a whole ledger, and check the envelopes. `known` is the position whose hash is returned.

    Raises LedgerDamaged at the first break, and BadLine for a line that is not an event.
    """
    envelopes = Envelopes()
    head, first_hash, known_hash = BEGINNING, GENESIS, GENESIS
    for lines in store.prove():
        before, head = head, last_of(lines)
        if first_hash == GENESIS:
            first_hash = last_of(lines[: lines.index(b"\n") + 1]).hash
        if before.seq < known <= head.seq:
            known_hash = codec.split(lines)[known - before.seq - 1][-66:-2].decode()
        envelopes.see(codec.read_envelopes(lines))
    return Lines(head, first_hash, known_hash, envelopes.findings)


def pieces_until(store: EventStore, end: int) -> Iterator[list[Record]]:
    """The records up to position `end`, in lists, without a proof. Raises LedgerDamaged for an unreadable line."""
    piece: list[Record] = []
    for record in store.read():
        if record.seq > end:
            break
        piece.append(record)
        if len(piece) == _AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece


_AT_ONCE = 256
"""This number of records stays in the processor's cache."""
