"""The events after one of a ledger, in pieces, and proven: by this process, or by a second one meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from ..events import Head
from ..storage import codec
from ..store import EventStore
from .links import Links, LinksDigest
from .second import SecondProcess, has_second_core
from .tree import hashes_in

_AT_ONCE = 4096

MANY = 200_000
"""For fewer events, a second process takes too long to start: a fifth of a second."""


class Unproven(Exception):
    """The second process did not prove what this one has read: it must be read again, and proven here."""


class Piece(NamedTuple):
    """Some lines, and the hashes of their events as hex."""

    lines: list[bytes]
    hashes: list[str]


def proven_here(store: EventStore, after: Head) -> Iterator[Piece]:
    """Every event after `after`. Raises LedgerDamaged at the first line that does not continue the chain."""
    for lines in store.prove(after):
        some = codec.split(lines)
        yield Piece(some, hashes_in(some))


def is_for_two(store: EventStore, after: Head) -> bool:
    """Whether a second process helps with the events after `after`: there are enough, and it can open the ledger."""
    return has_second_core() and bool(store.files()) and store.head().seq - after.seq > MANY


def proven_by_second(store: EventStore, after: Head) -> Iterator[Piece]:
    """The events after `after` up to the present head. They are proven only when the last piece was taken.

    Raises Unproven if they are not, or if a second process cannot start; LedgerDamaged for lines that cannot be read.
    """
    end = store.head().seq
    try:
        second = SecondProcess(Links, store.url, after.seq, after.hash, end)
    except OSError as problem:
        raise Unproven from problem
    try:
        seen = LinksDigest(after.seq)
        rest = islice(store.read_lines(after.seq), end - after.seq)
        while lines := list(islice(rest, _AT_ONCE)):
            piece = Piece(lines, hashes_in(lines))
            seen.see(piece.hashes)
            yield piece
    except BaseException:
        second.end()
        raise
    if second.result() != seen.links:
        raise Unproven
