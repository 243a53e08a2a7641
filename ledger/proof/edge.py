"""The right edge of a growing tree: the hashes of its unfinished tiles. It is all that a new leaf needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .tree import HashOf, parents_of, root_of

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

FullTile = tuple[int, int, list[bytes]]
"""A tile's level and index, and its 256 hashes."""


class Edge:
    """A tree of any size in at most 255 hashes for each level of tiles. Its tiles have the hashes of 256 subtrees."""

    def __init__(self, levels: Sequence[Sequence[bytes]] = (), size: int = 0) -> None:
        """`levels` are the hashes of the unfinished tile of each level, for a tree of `size` leaves."""
        self.size = size
        self.levels = [list(hashes) for hashes in levels]

    def add(self, leaves: Sequence[bytes]) -> Iterator[FullTile]:
        """Add hashes of leaves. Yields each tile that they complete; all of them must be taken."""
        self.size += len(leaves)
        yield from self._add(0, leaves)

    def _add(self, level: int, hashes: Sequence[bytes]) -> Iterator[FullTile]:
        if level == len(self.levels):
            self.levels.append([])
        above = self.size >> TILE_HEIGHT * level
        waiting = self.levels[level] + list(hashes)
        index = (above - len(waiting)) // TILE_WIDTH
        full = len(waiting) // TILE_WIDTH
        self.levels[level] = waiting[full * TILE_WIDTH :]
        done: list[bytes] = []
        for number in range(full):
            tile = waiting[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]
            yield level, index + number, tile
            done.append(top_of(tile))
        if done:
            yield from self._add(level + 1, done)

    def hash_of(self, level: int, index: int) -> bytes:
        """The hash of a subtree in an unfinished tile."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        begin = (index << height) % TILE_WIDTH
        return top_of(self.levels[tile_level][begin : begin + (1 << height)])

    def root(self) -> bytes:
        """The root of the tree."""
        return root_of(0, self.size, self.hash_of)


def edge_at(size: int, hash_of: HashOf) -> Edge:
    """The edge of the tree's first `size` leaves."""
    levels = []
    level = 0
    while count := size >> TILE_HEIGHT * level:
        begin = count - count % TILE_WIDTH
        levels.append([hash_of(TILE_HEIGHT * level, index) for index in range(begin, count)])
        level += 1
    return Edge(levels, size)


def top_of(hashes: Sequence[bytes]) -> bytes:
    """The hash above a number of subtrees of one size; the number is a power of two."""
    while len(hashes) > 1:
        hashes = parents_of(hashes)
    return hashes[0]
