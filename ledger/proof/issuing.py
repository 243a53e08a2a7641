"""Makes checkpoints of a ledger, and keeps the last signed one beside it, as `checkpoint` in the folder of the tiles.

A signature is for ever, so it must not rest on tiles, which any process of the same user could write. The tree is
computed from the whole chain, each line proven. If this key has signed an earlier checkpoint of the ledger, the proof
begins after it: its root is known to be right, and it must follow from what the ledger holds. A ledger that does not
continue it gets no signature: two signatures of one key for two histories cannot be taken back.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ..errors import LedgerError
from ..storage import codec, disk
from ..storage.chain import last_of
from ..store import EventStore
from .checkpoint import Checkpoint, grow, held_head, parse_checkpoint, put_on_disk, take_checkpoint
from .edge import Edge
from .encoding import BadText
from .kept import ask_tree, tiles_folder
from .signing import BadSignature, Note, Signer, Verifier
from .tree import hashes_in

_NAME = "checkpoint"
_MAX_NOTE_BYTES = 1024 * 1024


class Forked(LedgerError):
    """A ledger that does not continue a checkpoint that its key has signed."""

    exit_code = 3


def sign_checkpoint(store: EventStore, signer: Signer, origin: str | None = None) -> Note:
    """A signed checkpoint, which is also kept beside the ledger if its folder can be written.

    `origin` is the name of the signer's key by default: that is how verifiers find the key. Raises Forked,
    LedgerDamaged and OutcomeUnknown.
    """
    origin = origin or signer.verifier.name
    checkpoint = _after_the_last(store, signer.verifier, origin) or take_checkpoint(store, origin)
    note = Note(checkpoint.note(), [])
    kept = kept_note(store)
    if kept is not None and kept.text == note.text:
        note = kept  # It may have signatures of witnesses.
    signed = signer.sign(str(note))
    _, note = parse_checkpoint(signed)
    keep_note(store, note)
    return note


def kept_note(store: EventStore) -> Note | None:
    """The signed checkpoint that is kept beside a ledger; None if there is none that can be read."""
    folder = tiles_folder(store)
    if folder is None:
        return None
    try:
        text = _read(folder / _NAME)
        return parse_checkpoint(text)[1]
    except (OSError, UnicodeDecodeError, BadText):
        return None


def keep_note(store: EventStore, note: Note) -> bool:
    """Keep a signed checkpoint beside its ledger. Returns whether that was possible."""
    folder = tiles_folder(store)
    if folder is None or folder.is_symlink() or not store.head().seq:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder, str(note).encode())
    except (OSError, LedgerError):
        return False
    return True


def _replace(folder: Path, content: bytes) -> None:
    """Write the kept checkpoint, durably. Other processes may do so at the same time: one of the notes stays."""
    beside = folder / f".{_NAME}.{os.getpid()}-{threading.get_ident()}"
    fd = disk.open_file(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        disk.write_all(fd, content)
        disk.sync(fd)
    finally:
        os.close(fd)
    disk.rename(beside, folder / _NAME)
    disk.sync_folder(folder)


def _read(path: Path) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        return file.read(_MAX_NOTE_BYTES).decode()


def _after_the_last(store: EventStore, verifier: Verifier, origin: str) -> Checkpoint | None:
    """The checkpoint of all events, if the last one that this key has signed is kept; only later events are proven.

    Raises Forked if the ledger does not continue it, and LedgerDamaged.
    """
    note = kept_note(store)
    if note is None:
        return None
    last, _ = parse_checkpoint(str(note))
    try:
        is_ours = verifier.signature_of(note) is not None
    except BadSignature:
        return None
    if not is_ours or last.origin != origin:
        return None
    held = held_head(store, last)
    if held is None:
        raise Forked(
            f"{verifier.name} has signed a checkpoint of {last.position} events that this ledger does not continue: "
            "events were cut off or rewritten since. Nothing was signed",
            "`ledger verify --checkpoint` with that checkpoint shows the place; if the cut was meant, make a new key",
        )
    head = held
    edge = ask_tree(store, lambda tree: tree.edge(held.seq)) if held.seq else Edge()
    if edge.root() != last.root:
        return None  # A note of the earlier form: its third line is not a root.
    for piece in store.prove(head):
        grow(edge, hashes_in(codec.split(piece)))
        head = last_of(piece)
    put_on_disk(store)
    return Checkpoint(origin, head.seq, edge.root().hex())
