"""The tree and its proofs are those of RFC 6962, of an independent implementation, and of the RFC's own words."""

from __future__ import annotations

import random

import aics_tlog
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.proof.edge import Edge
from benchmarks.ledger.proof.tree import (
    EMPTY_ROOT,
    BadProof,
    check_consistency,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    leaves_of,
    root_by_inclusion,
    root_of,
)

from . import plain_tree

# The leaves and roots that the test of Certificate Transparency's reference implementation has.
KNOWN_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
KNOWN_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(count)]


def hash_of(hashes: list[bytes]):
    """Hashes of subtrees, from the hashes of the leaves."""

    def subtree(level: int, index: int) -> bytes:
        edge = Edge()
        list(edge.add(hashes[index << level : (index + 1) << level]))
        assert edge.size == 1 << level
        return edge.root()

    return subtree


def test_the_roots_are_those_of_the_reference_implementation():
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in KNOWN_LEAVES]
    assert [root_of(0, size, hash_of(hashes)).hex() for size in range(9)] == KNOWN_ROOTS
    assert EMPTY_ROOT.hex() == KNOWN_ROOTS[0]


def test_the_leaf_of_an_event_is_the_bytes_of_its_hash():
    digests = [sha.hex() for sha in leaves(5)]
    assert leaves_of(digests) == [leaf_hash(bytes.fromhex(digest)) for digest in digests]


@pytest.mark.parametrize("size", range(1, 70))
def test_each_proof_of_a_small_tree_is_that_of_two_others(size):
    data = leaves(size)
    hashes = [leaf_hash(leaf) for leaf in data]
    theirs = aics_tlog.MerkleTree(data)
    root = root_of(0, size, hash_of(hashes))
    assert root == theirs.root() == plain_tree.root_at(data)
    for index in range(size):
        proof = inclusion_proof(index, size, hash_of(hashes))
        assert proof == theirs.inclusion_proof(index) == plain_tree.path(index, data)
        assert root_by_inclusion(hashes[index], index, size, proof) == root
        assert aics_tlog.verify_inclusion(hashes[index], index, size, proof, root)
    for old in range(size + 1):
        proof = consistency_proof(old, size, hash_of(hashes))
        assert proof == theirs.consistency_proof(old, size) == plain_tree.proof(old, data)
        check_consistency(old, size, theirs.root(old), root, proof)
        assert aics_tlog.verify_consistency(old, size, theirs.root(old), root, proof)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 1300, 66_000])
def test_a_tree_that_grows_in_any_pieces_has_one_root(size):
    rng = random.Random(size)
    hashes = [leaf_hash(leaf) for leaf in leaves(size)]
    edge, tiles, begin = Edge(), {}, 0
    while begin < size:
        count = rng.randint(0, max(300, size // 5))
        for level, index, tile in edge.add(hashes[begin : begin + count]):
            assert (level, index) not in tiles and len(tile) == 256
            tiles[level, index] = b"".join(tile)
        begin = min(size, begin + count)
        assert edge.size == begin
        assert edge.root() == (aics_tlog.MerkleTree(leaves(begin)).root() if begin else EMPTY_ROOT)
    assert sorted(tiles) == [(level, index) for level in (0, 1) for index in range(size >> 8 * (level + 1))]


@given(st.integers(1, 40), st.data())
def test_no_bit_of_a_proof_or_of_its_place_can_change(size, data):
    hashes = [leaf_hash(leaf) for leaf in leaves(size)]
    index = data.draw(st.integers(0, size - 1))
    root, proof = root_of(0, size, hash_of(hashes)), inclusion_proof(index, size, hash_of(hashes))
    for wrong in range(size + 3):
        if wrong != index:
            assert _root(hashes[index], wrong, size, proof) != root
    for changed in (proof[:-1], proof[1:], [*proof, root], [leaf_hash(b"x"), *proof[1:]]):
        if changed != proof:
            assert _root(hashes[index], index, size, changed) != root
    assert _root(leaf_hash(b"x"), index, size, proof) != root


def _root(leaf, index, size, proof):
    try:
        return root_by_inclusion(leaf, index, size, proof)
    except BadProof:
        return None


@given(st.integers(1, 40), st.data())
def test_no_other_tree_is_consistent(size, data):
    old = data.draw(st.integers(1, size))
    hashes = [leaf_hash(leaf) for leaf in leaves(size)]
    proof = consistency_proof(old, size, hash_of(hashes))
    roots = root_of(0, old, hash_of(hashes)), root_of(0, size, hash_of(hashes))
    other = leaf_hash(b"x")
    wrong = [(other, roots[1], proof), (roots[0], other, proof), (*roots, [*proof, other]), (*roots, proof[1:])]
    wrong += [(*roots, [*proof[:at], other, *proof[at + 1 :]]) for at in range(len(proof))]
    for old_root, new_root, changed in wrong:
        if (old_root, new_root, changed) != (*roots, proof):
            with pytest.raises(BadProof):
                check_consistency(old, size, old_root, new_root, changed)
    with pytest.raises(BadProof, match="cannot continue"):
        check_consistency(size + 1, size, *roots, proof)
    with pytest.raises(BadProof):
        check_consistency(0, size, roots[0], roots[1], [])
