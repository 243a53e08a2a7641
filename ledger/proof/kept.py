"""The tree of a ledger, kept as tiles beside it. It follows the chain, is proven against it, and can be deleted.

`tree.json` in the folder names the size, the last event and the root. A tree is used only if its ledger still holds
that event, if the root follows from the tiles, and if each proof from the tiles leads to that root. So a changed,
missing or foreign tile is noticed, and the tree is built anew from the chain. Hashes from the tiles are never signed
without that: see `issuing`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from ..errors import LedgerDamaged, SpecialFile
from ..storage import disk
from ..storage.chain import Head
from ..store import BEGINNING, EventStore
from .edge import TILE_WIDTH, Edge, edge_at
from .pieces import Piece, Unproven, is_for_two, proven_by_second, proven_here
from .tiles import (
    ENTRIES,
    TileReader,
    TilesDamaged,
    entry_bundle,
    read_tile,
    remove_partial,
    remove_tiles,
    tile_path,
    write_tile,
)
from .tree import (
    BadProof,
    check_consistency,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    leaves_of,
    root_by_inclusion,
    root_of,
)

T = TypeVar("T")

_STATE = "tree.json"


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the tiles of a folder are: the number of leaves, the hash of the last event, and the root, as hex."""

    format: int
    size: int
    head_hash: str
    root: str

    @property
    def head(self) -> Head:
        """The last event of the tree."""
        return Head(self.size, self.head_hash)


class Tree:
    """A tree of `head.seq` leaves, whose root follows from its tiles. Every method raises TilesDamaged."""

    def __init__(self, head: Head, reader: TileReader) -> None:
        self.head = head
        self.size = head.seq
        self._hash_of = reader.hash_of
        self.root = self.root_at(self.size)

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` leaves; `consistency` proves that it is right."""
        return root_of(0, size, self._hash_of)

    def inclusion(self, index: int, event_hash: str, size: int) -> list[bytes]:
        """The proof that the event with that hash is leaf `index` of the first `size` leaves."""
        proof = inclusion_proof(index, size, self._hash_of)
        self._lead_to(self.root_at(size), leaf_hash(bytes.fromhex(event_hash)), index, size, proof)
        self.consistency(size)
        return proof

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """The proof that the first `new` leaves (default: all) begin with the first `old`."""
        new = self.size if new is None else new
        proof = consistency_proof(old, new, self._hash_of)
        try:
            check_consistency(old, new, self.root_at(old), self.root_at(new), proof)
            if new != self.size:
                self.consistency(new)
        except BadProof as problem:
            raise TilesDamaged(str(problem)) from problem
        return proof

    def edge(self, size: int) -> Edge:
        """The right edge of the first `size` leaves."""
        edge = edge_at(size, self._hash_of)
        if edge.root() != self.root_at(size):
            raise TilesDamaged("the edge of the tree does not have its root")
        return edge

    def _lead_to(self, root: bytes, leaf: bytes, index: int, size: int, proof: list[bytes]) -> None:
        try:
            is_right = root_by_inclusion(leaf, index, size, proof) == root
        except BadProof:
            is_right = False
        if not is_right:
            raise TilesDamaged(f"leaf {index} of the tree is not event {index + 1}")


def tiles_folder(store: EventStore) -> Path | None:
    """The folder of a ledger's tiles, beside its index; None if the store does not have a place for them."""
    index = store.index_folder
    if index is None:
        return None
    name = index.name.removesuffix("index")
    return index.with_name(f"{name}tiles" if name != index.name else f"{name}.tiles")


def ask_tree(store: EventStore, question: Callable[[Tree], T], *, folder: Path | None = None) -> T:
    """The answer of `question` by the tree of a ledger, brought up to date.

    Damaged tiles are built anew from the chain, and the question is asked again. Raises LedgerDamaged if the chain of
    the events that are new to the tree is broken, and what `question` raises.
    """
    folder = folder or tiles_folder(store)
    with contextlib.suppress(TilesDamaged):
        return question(_follow(store, folder, _open(store, folder)))
    return question(_follow(store, folder, None))


def ask_chain(store: EventStore, question: Callable[[Tree], T | None]) -> T | None:
    """As `ask_tree`; but before None is believed, the tree is built anew from the chain, and asked again.

    Tiles that another program wrote may fit each other, and not the chain. Use this if None means that a ledger is not
    what a checkpoint says.
    """
    answer = ask_tree(store, question)
    return answer if answer is not None else question(_follow(store, tiles_folder(store), None))


def write_site(store: EventStore, folder: Path) -> Tree:
    """Bring the tiles of a static site up to date, with the entries, and return their tree. Raises OSError too."""
    folder.mkdir(parents=True, exist_ok=True)
    before = _open(store, folder)
    if before is not None:
        with contextlib.suppress(TilesDamaged):
            return _Writing(store, folder, before, has_entries=True).tree()
    return _Writing(store, folder, None, has_entries=True).tree()


def _open(store: EventStore, folder: Path | None) -> Tree | None:
    """The tree that a folder has, if it is one of this ledger."""
    state = None if folder is None else read_state(folder)
    if state is None or not store.holds(state.head):
        return None
    try:
        tree = Tree(state.head, TileReader(folder, state.size))
    except TilesDamaged:
        return None
    return tree if tree.root.hex() == state.root else None


def read_state(folder: Path) -> State | None:
    """What a folder's tiles are; None without a readable statement."""
    try:
        state = msgspec.json.decode(read_tile(folder / _STATE), type=State)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    is_plain = state.format == 1 and state.size > 0 and len(state.head_hash) == 64
    return state if is_plain else None


def kept_state(store: EventStore) -> State | None:
    """What the tiles beside a ledger are; None without tiles."""
    folder = tiles_folder(store)
    return None if folder is None else read_state(folder)


def forget_wrong(store: EventStore, hashes: Mapping[int, str], roots: Mapping[int, str]) -> bool:
    """Remove the tiles beside a ledger if its hash or root at their size is not theirs. Returns whether it did so."""
    folder, state = tiles_folder(store), kept_state(store)
    if folder is None or state is None or state.size not in roots:
        return False
    if (hashes[state.size], roots[state.size]) == (state.head_hash, state.root):
        return False
    with contextlib.suppress(OSError):
        (folder / _STATE).unlink(missing_ok=True)
    return True


def _follow(store: EventStore, folder: Path | None, before: Tree | None) -> Tree:
    head = store.head()
    if head == BEGINNING:
        return Tree(head, TileReader(None, 0))
    if before is not None and head == before.head:
        return before
    return _Writing(store, folder, before).tree()


class _Writing:
    """Adds the events after a tree to it, each proven. If the folder cannot be written, new tiles stay in memory."""

    def __init__(
        self, store: EventStore, folder: Path | None, before: Tree | None, *, has_entries: bool = False
    ) -> None:
        self._store = store
        self._folder = folder
        self._before = before
        self._has_entries = has_entries
        self._fresh: dict[tuple[int, int], bytes] = {}

    def tree(self) -> Tree:
        """The tree of all events. Raises LedgerDamaged, and OSError if it has entries."""
        with _only_writer(self._folder) as is_ours:
            if is_ours and self._folder is not None:
                try:
                    return self._grown(self._folder)
                except OSError:
                    if self._has_entries:
                        raise
            if self._has_entries:
                raise OSError(f"another process writes to {self._folder}")
            self._fresh = {}
            return self._grown(None)

    def _grown(self, folder: Path | None) -> Tree:
        """The tree, whose chain a second process proves if it is long. Whatever that finds, this one finds again."""
        head = self._before.head if self._before else BEGINNING
        if is_for_two(self._store, head):
            with contextlib.suppress(Unproven, LedgerDamaged, ValueError):
                return self._grow(folder, proven_by_second(self._store, head))
        return self._grow(folder, proven_here(self._store, head))

    def _grow(self, folder: Path | None, pieces: Iterable[Piece]) -> Tree:
        if folder is not None and self._before is None:
            (folder / _STATE).unlink(missing_ok=True)
            remove_tiles(folder)
        old = self._before.size if self._before else 0
        edge = self._before.edge(old) if self._before else Edge()
        head = self._before.head if self._before else BEGINNING
        waiting = self._waiting(old)
        for piece in pieces:
            head = Head(head.seq + len(piece.hashes), piece.hashes[-1])
            for level, index, hashes in edge.add(leaves_of(piece.hashes)):
                self._put(folder, (level, index), b"".join(hashes))
            if self._has_entries and folder is not None:
                waiting = _put_entries(folder, waiting, piece.lines, head.seq)
        for level, hashes in enumerate(edge.levels):
            if hashes:
                place = (level, (edge.size >> 8 * level) // TILE_WIDTH)
                self._put(folder, place, b"".join(hashes), width=len(hashes))
        if folder is not None and edge.size:
            if self._has_entries and waiting:
                bundle = entry_bundle(waiting)
                write_tile(folder, tile_path(ENTRIES, edge.size // TILE_WIDTH, len(waiting)), bundle)
            state = State(1, head.seq, head.hash, edge.root().hex())
            write_tile(folder, _STATE, msgspec.json.encode(state) + b"\n")
            self._tidy(folder, old, edge)
        tree = Tree(head, TileReader(self._folder, head.seq, self._fresh))
        if tree.root != edge.root():
            raise TilesDamaged("a tile is not what was written")
        return tree

    def _waiting(self, old: int) -> list[bytes]:
        """The leaves of the unfinished tile of entries."""
        first = old - old % TILE_WIDTH
        if not self._has_entries or first == old:
            return []
        return [_entry(line) for line, _ in zip(self._store.read_lines(first), range(first, old), strict=False)]

    def _put(self, folder: Path | None, place: tuple[int, int], content: bytes, width: int = TILE_WIDTH) -> None:
        if folder is None:
            self._fresh[place] = content
        else:
            write_tile(folder, tile_path(*place, width), content)

    def _tidy(self, folder: Path, old: int, edge: Edge) -> None:
        """Remove the unfinished tiles that are not needed; a site keeps those of its earlier checkpoints."""
        level = 0
        while (count := old >> 8 * level) or level < len(edge.levels):
            index = count // TILE_WIDTH
            width = len(edge.levels[level]) if level < len(edge.levels) else 0
            is_full = (edge.size >> 8 * level) // TILE_WIDTH > index
            if count and count != edge.size >> 8 * level and (is_full or not self._has_entries):
                remove_partial(folder, level, index, keep=0 if is_full else width)
                if level == 0 and self._has_entries:
                    remove_partial(folder, ENTRIES, index)
            level += 1


def _put_entries(folder: Path, waiting: list[bytes], lines: list[bytes], end: int) -> list[bytes]:
    """Write the tiles of entries that these lines complete. Returns the entries that are left."""
    waiting = waiting + [_entry(line) for line in lines]
    index = (end - len(waiting)) // TILE_WIDTH
    while len(waiting) >= TILE_WIDTH:
        write_tile(folder, tile_path(ENTRIES, index), entry_bundle(waiting[:TILE_WIDTH]))
        waiting, index = waiting[TILE_WIDTH:], index + 1
    return waiting


def _entry(line: bytes) -> bytes:
    return bytes.fromhex(line[-66:-2].decode())


@contextlib.contextmanager
def _only_writer(folder: Path | None) -> Iterator[bool]:
    """Keeps other processes from writing these tiles. Gives false if another one writes, or nothing can be written."""
    if folder is None or folder.is_symlink():
        yield False
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)  # There is an event: the ledger has its place.
        fd = disk.open_file(folder / ".lock", os.O_RDWR | os.O_CREAT)
    except (OSError, SpecialFile):
        yield False
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = True
        except OSError:
            is_ours = False
        yield is_ours
    finally:
        os.close(fd)
