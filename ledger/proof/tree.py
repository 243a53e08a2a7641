"""The Merkle tree over a ledger, after RFC 6962: roots, proofs of inclusion and of consistency, and their checks.

Leaf i is the 32 raw bytes of the hash of event i + 1. So the tree is derived from the chain, and a proof says nothing
about an event to a reader who does not have its line. All functions here are pure; `tiles` keeps the hashes of a tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without leaves."""

HASH_BYTES = 32

HashOf = Callable[[int, int], bytes]
"""Gives the hash of the complete subtree at a level and an index: the leaves from index * 2**level on, 2**level."""


class BadProof(ValueError):
    """A proof that does not prove; the message says why."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two subtrees."""
    return sha256(b"\1" + left + right).digest()


def leaves_of(event_hashes: Iterable[str]) -> list[bytes]:
    """The hashes of the leaves of events, from the events' hashes as hex."""
    # One conversion for all of them, each with the 00 of a leaf in front: a call for each one took twice as long.
    raw = bytes.fromhex("00".join(["", *event_hashes]))
    return [sha256(raw[begin : begin + 33]).digest() for begin in range(0, len(raw), 33)]


def hashes_in(lines: Iterable[bytes]) -> list[str]:
    """The hashes of events, as hex, in their proven lines."""
    return [line[-66:-2].decode() for line in lines]


def parents_of(hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes one level higher, of an even number of hashes."""
    return [sha256(b"\1" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=True)]


def complete_subtrees(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The largest complete subtrees that cover the leaves from `begin` to before `end`: their levels and indexes.

    `begin` must be a multiple of the size of the first of them, as it is for every range that a proof asks for.
    """
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        yield level, begin >> level
        begin += 1 << level


def root_of(begin: int, end: int, hash_of: HashOf) -> bytes:
    """The hash of the subtree over the leaves from `begin` to before `end` (RFC 6962, section 2.1)."""
    if begin == end:
        return EMPTY_ROOT
    *hashes, result = [hash_of(level, index) for level, index in complete_subtrees(begin, end)]
    for left in reversed(hashes):
        result = node_hash(left, result)
    return result


def inclusion_proof(index: int, size: int, hash_of: HashOf) -> list[bytes]:
    """The hashes from the sibling of a leaf up to below the root (RFC 6962, section 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    proof: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(root_of(middle, end, hash_of))
            end = middle
        else:
            proof.append(root_of(begin, middle, hash_of))
            begin = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, hash_of: HashOf) -> list[bytes]:
    """The hashes that show that the tree of `new` leaves begins with that of `old` (RFC 6962, section 2.1.2)."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not continue one of {old}")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    begin, end, is_whole = 0, new, True
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            proof.append(root_of(middle, end, hash_of))
            end = middle
        else:
            proof.append(root_of(begin, middle, hash_of))
            begin, is_whole = middle, False
    if not is_whole:
        proof.append(root_of(begin, end, hash_of))
    return proof[::-1]


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a proof gives for a leaf's hash at `index` in a tree of `size` (RFC 9162, section 2.1.3.2).

    Raises BadProof if the proof has the wrong length for this place.
    """
    if not 0 <= index < size:
        raise BadProof(f"the tree has {size} leaves, so it does not have a leaf {index}")
    number, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BadProof("the proof has too many hashes for its place in the tree")
        if number & 1 or number == last:
            result = node_hash(sibling, result)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        number, last = number >> 1, last >> 1
    if last:
        raise BadProof("the proof has too few hashes for its place in the tree")
    return result


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a tree continues an earlier one (RFC 9162, section 2.1.4.2). Raises BadProof."""
    if old > new:
        raise BadProof(f"a tree of {new} leaves cannot continue one of {old}")
    if old in (0, new):
        if proof:
            raise BadProof("the proof has hashes, and this place needs none")
        if old == 0 and (old_root != EMPTY_ROOT or (new == 0 and new_root != EMPTY_ROOT)):
            raise BadProof("a tree without leaves has another root")
        if old == new and old_root != new_root:
            raise BadProof(f"two trees of {new} leaves have different roots")
        return
    rest = list(proof)
    if old & (old - 1) == 0:
        rest.insert(0, old_root)
    if not rest:
        raise BadProof("the proof has too few hashes for these sizes")
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    first = second = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            raise BadProof("the proof has too many hashes for these sizes")
        if number & 1 or number == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        number, last = number >> 1, last >> 1
    if last:
        raise BadProof("the proof has too few hashes for these sizes")
    if first != old_root or second != new_root:
        raise BadProof(f"the tree of {new} leaves does not continue the tree of {old}")


def _split(count: int) -> int:
    """The largest power of two below a number of leaves."""
    return 1 << (count - 1).bit_length() - 1
