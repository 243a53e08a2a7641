"""The Merkle tree of RFC 6962, section 2.1, as it is written there: slow, and without an idea of ours."""

from __future__ import annotations

from hashlib import sha256


def split(count: int) -> int:
    """The largest power of two smaller than a number."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def root_at(leaves: list[bytes]) -> bytes:
    """MTH(D[n])."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\x01" + root_at(leaves[:k]) + root_at(leaves[k:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*path(index, leaves[:k]), root_at(leaves[k:])]
    return [*path(index - k, leaves[k:]), root_at(leaves[:k])]


def proof(old: int, leaves: list[bytes]) -> list[bytes]:
    """PROOF(m, D[n])."""
    return [] if old == 0 else subproof(old, leaves, True)


def subproof(old: int, leaves: list[bytes], is_whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b)."""
    if old == len(leaves):
        return [] if is_whole else [root_at(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*subproof(old, leaves[:k], is_whole), root_at(leaves[k:])]
    return [*subproof(old - k, leaves[k:], False), root_at(leaves[:k])]
