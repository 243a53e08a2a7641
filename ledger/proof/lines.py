"""Checks of a ledger's lines apart from their meaning: the chain, the versions of streams, and the ids of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ..events import Record
from ..storage import codec
from ..storage.chain import GENESIS, Head, last_of
from ..store import BEGINNING, EventStore, Finding
from .edge import Edge
from .tree import EMPTY_ROOT, hashes_in, leaves_of


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


class Marks:
    """Notes the hash of the event, and the root of the tree, at some positions of a ledger; both as hex."""

    def __init__(self, positions: Iterable[int]) -> None:
        self.hashes = {0: GENESIS}
        self.roots = {0: EMPTY_ROOT.hex()}
        self._waiting = sorted({position for position in positions if position > 0})
        self._edge = Edge()

    def see(self, hashes: list[str]) -> None:
        """Take the hashes of the next events. After the last position this costs nothing."""
        while self._waiting and hashes:
            position = self._waiting[0]
            some, hashes = hashes[: position - self._edge.size], hashes[position - self._edge.size :]
            for _ in self._edge.add(leaves_of(some)):
                pass  # The tiles are not needed.
            if self._edge.size == position:
                self._waiting.pop(0)
                self.hashes[position], self.roots[position] = some[-1], self._edge.root().hex()

    @property
    def is_done(self) -> bool:
        """Whether no later position is wanted."""
        return not self._waiting


class Lines(msgspec.Struct, frozen=True):
    """The result for the lines up to `head`; `hashes` and `roots` are those at the requested positions."""

    head: Head
    first_hash: str
    hashes: dict[int, str]
    roots: dict[int, str]
    findings: list[Finding]


def prove_lines(store: EventStore, positions: Iterable[int]) -> Lines:
    """Prove the chain of a whole ledger, and check the envelopes. Hashes and roots at `positions` are returned.

    Raises LedgerDamaged at the first break, and BadLine for a line that is not an event.
    """
    envelopes, marks = Envelopes(), Marks(positions)
    head, first_hash = BEGINNING, GENESIS
    for lines in store.prove():
        head = last_of(lines)
        if first_hash == GENESIS:
            first_hash = last_of(lines[: lines.index(b"\n") + 1]).hash
        if not marks.is_done:
            marks.see(hashes_in(codec.split(lines)))
        envelopes.see(codec.read_envelopes(lines))
    return Lines(head, first_hash, marks.hashes, marks.roots, envelopes.findings)


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
