"""The links of a chain, proven apart from the work that is done with the hashes of its events."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from ..events import Head
from ..storage import codec
from ..store import EventStore
from .tree import hashes_in


class Links(msgspec.Struct, frozen=True):
    """The position of the last event that was proven, and the digest of the hashes of all events up to it."""

    seq: int
    digest: str


class LinksDigest:
    """The digest of the hashes of events in their order, given in pieces of any size."""

    def __init__(self, after: int) -> None:
        self._seq = after
        self._digest = sha256()

    def see(self, hashes: list[str]) -> None:
        """Take the hashes of the next events."""
        self._seq += len(hashes)
        self._digest.update("".join(hashes).encode())

    @property
    def links(self) -> Links:
        """The links so far."""
        return Links(self._seq, self._digest.hexdigest())


def prove_links(store: EventStore, after: Head, end: int) -> Links:
    """Prove the chain from the event after `after` to position `end`. Raises LedgerDamaged at the first break."""
    seen = LinksDigest(after.seq)
    for hashes in _hashes(store, after):
        seen.see(hashes[: end - seen.links.seq])
        if seen.links.seq >= end:
            break
    return seen.links


def _hashes(store: EventStore, after: Head) -> Iterable[list[str]]:
    return (hashes_in(codec.split(lines)) for lines in store.prove(after))
