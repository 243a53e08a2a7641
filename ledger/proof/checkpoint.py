"""Checkpoints: notes about a ledger's tree, to keep in another place than the ledger.

A chain proves that no single event was changed; but a person who can write its files can rewrite all of it. A
checkpoint in another place (a commit, a paper, an e-mail) closes that gap: the history up to it must be unchanged.

The form is that of a C2SP tlog-checkpoint: origin, number of events in decimal, root of their Merkle tree in base64.
Notes of an earlier form have the hash of the last event in their third line. Both go on being verified: no event's hash
is also a root.
"""

from __future__ import annotations

import contextlib
import os

import msgspec

from ..errors import OutcomeUnknown
from ..storage import codec, disk
from ..storage.chain import GENESIS, ORIGIN_PREFIX, Head, is_event, last_of, origin_of
from ..store import BEGINNING, EventStore
from .edge import Edge
from .encoding import BadText, decimal, decode64, encode64
from .kept import Tree, ask_chain
from .signing import Note, parse_signed
from .tree import EMPTY_ROOT, hashes_in, leaves_of


class CheckpointError(BadText):
    """A text that is not a checkpoint; the message says why."""


class Checkpoint(msgspec.Struct, frozen=True):
    """States what a ledger was after its first `position` events.

    `hash` is the root of their tree, as 64 hex digits; in a note of the earlier form, the hash of the last of them.
    `origin` identifies the ledger: it holds the beginning of the first event's hash, or is a public name.
    `extensions` are further lines, which this program does not write.
    """

    origin: str
    position: int
    hash: str
    extensions: tuple[str, ...] = ()

    def note(self) -> str:
        """The text of the checkpoint, without signatures."""
        lines = (self.origin, str(self.position), encode64(bytes.fromhex(self.hash)), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @property
    def root(self) -> bytes:
        """The hash as bytes."""
        return bytes.fromhex(self.hash)

    @property
    def has_public_name(self) -> bool:
        """Whether the origin is a name that a person gave, and not the beginning of the first event's hash."""
        return not self.origin.startswith(ORIGIN_PREFIX)


def parse_note(text: str) -> Checkpoint:
    """The checkpoint in a note; its signatures are not looked at. Raises CheckpointError."""
    return parse_text(text.partition("\n\n")[0].removesuffix("\n") + "\n")


def parse_text(text: str) -> Checkpoint:
    """The checkpoint in the text of a note, which does not have the signatures. Raises CheckpointError."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3:
        raise CheckpointError("a checkpoint has three lines: origin, position and hash")
    origin, position, digest, *extensions = lines
    try:
        check_origin(origin)
        size = decimal(position, "its second line")
        root = decode64(digest, "its third line", size=32)
    except BadText as problem:
        raise CheckpointError(str(problem)) from problem
    if not all(extensions):
        raise CheckpointError("a checkpoint must not have empty lines before its signatures")
    return Checkpoint(origin, size, root.hex(), tuple(extensions))


def parse_checkpoint(text: str) -> tuple[Checkpoint, Note]:
    """A checkpoint and its signatures, each in the right form; they are not verified. Raises BadText."""
    note = parse_signed(text)
    return parse_text(note.text), note


def check_origin(origin: str) -> None:
    """Check that a text can be the first line of a checkpoint. Raises BadText."""
    if not origin or not origin.isprintable() or origin != origin.strip():
        raise BadText(f"its first line must be a name without control characters, got '{origin[:80]}'")


def take_checkpoint(store: EventStore, origin: str | None = None) -> Checkpoint:
    """A checkpoint to keep in another place: it proves later that the history is still the same.

    `origin` is a public name for the ledger; by default it is made of the first event's hash. The whole chain is
    proven, and its last events are on disk before this returns. Raises LedgerDamaged if the chain is broken,
    and OutcomeUnknown.
    """
    first_hash = GENESIS
    head, edge = BEGINNING, Edge()
    for piece in store.prove():
        hashes = hashes_in(codec.split(piece))
        if head == BEGINNING:
            first_hash = hashes[0]
        head = last_of(piece)
        grow(edge, hashes)
    put_on_disk(store)
    return Checkpoint(origin or origin_of(first_hash), head.seq, edge.root().hex())


def held_head(store: EventStore, checkpoint: Checkpoint) -> Head | None:
    """The last event of the history of a checkpoint, if the ledger has that history; None otherwise.

    Of a checkpoint with a root, the event's place in that tree is proven, so the chain up to the event is bound to the
    root. The earlier events themselves are not read. Raises LedgerDamaged.
    """
    position = checkpoint.position
    if position == 0:
        return Head() if checkpoint.root in (EMPTY_ROOT, bytes.fromhex(GENESIS)) else None
    if store.holds(Head(position, checkpoint.hash)):
        return Head(position, checkpoint.hash)  # A note of the earlier form.
    line = next(store.read_lines(after=position - 1), b"")
    head = Head(position, line[-66:-2].decode(errors="replace"))
    if not line or not is_event(line, head):
        return None
    return ask_chain(store, lambda tree: _bound(tree, head, checkpoint.root))


def _bound(tree: Tree, head: Head, root: bytes) -> Head | None:
    """That event, if the first events of a tree have that root and end with it."""
    if tree.root_at(head.seq) != root:
        return None
    tree.inclusion(head.seq - 1, head.hash, head.seq)
    return head


def grow(edge: Edge, hashes: list[str]) -> None:
    """Add the events with these hashes, as hex, to the edge of a tree."""
    for _ in edge.add(leaves_of(hashes)):
        pass  # The tiles are not needed.


def put_on_disk(store: EventStore) -> None:
    """Sync the last events: their writer may not have done so yet, and a checkpoint must not outlive its events."""
    for file in store.files()[-1:]:
        with contextlib.suppress(FileNotFoundError):
            fd = disk.open_file(file, os.O_RDONLY)
            try:
                disk.sync(fd)
            except OSError as problem:
                raise OutcomeUnknown(
                    f"the sync of {file} failed: {problem.strerror}. No checkpoint was made"
                ) from problem
            finally:
                os.close(fd)
            disk.sync_folder(file.parent)
