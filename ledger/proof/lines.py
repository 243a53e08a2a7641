"""What the lines of a ledger say besides their meaning: their chain, the versions of streams, and the ids of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ..events import Record
from ..storage import codec
from ..storage.chain import GENESIS, Head, last_of
from ..store import BEGINNING, EventStore, Finding


class Envelopes:
    """Checks that each stream counts its versions without a gap, and that no id occurs twice.

    `versions` are those of streams before the first event that is seen. With `is_late`, other streams may go on, too:
    what their first event says is taken as it is.
    """

    def __init__(self, versions: Mapping[str, int] | None = None, *, is_late: bool = False) -> None:
        self.findings: list[Finding] = []
        self._versions = dict(versions or {})
        self._is_late = is_late
        self._ids: set[str] = set()

    def see(self, envelopes: Iterable[codec.Envelope | Record]) -> None:
        """Take in the next events."""
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
    """What was found of the lines up to `head`; `known_hash` is the hash of the event that was asked for."""

    head: Head
    first_hash: str
    known_hash: str
    findings: list[Finding]


def prove_lines(store: EventStore, known: int) -> Lines:
    """Prove the chain of a whole ledger, and check the envelopes. `known` is a position whose hash is wanted.

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
    """The records up to position `end`, in lists, without a proof. Raises LedgerDamaged for a line that is not one."""
    some: list[Record] = []
    for record in store.read():
        if record.seq > end:
            break
        some.append(record)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


_AT_ONCE = 256
"""Few enough that their records stay in the processor's cache."""
