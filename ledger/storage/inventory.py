"""`manifest.json`: the sealed segments of a JSONL ledger, with size, count, last hash and SHA-256.

An entry here seals a segment before the next one begins; after that it never changes. So a writer that opens a long
ledger does not have to prove all of it again (`ledger verify` does), and a copy can be compared file by file.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from . import disk
from .chain import Head
from .regular import open_for_reading

NAME = "manifest.json"


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment that is complete: positions of its first and last event, their count, its size and digests."""

    name: str
    first_seq: int
    last_seq: int
    count: int
    bytes: int
    last_hash: str
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sealed segments, in order."""

    format: Literal[1]
    segments: list[Sealed]

    def of(self, segment: Path) -> Sealed | None:
        """The entry of a segment; None if it is not sealed."""
        return next((sealed for sealed in self.segments if sealed.name == segment.name), None)


NOTHING_SEALED = Manifest(1, [])


class BadManifest(ValueError):
    """A manifest that cannot be read; the message says why."""


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the ledger in that folder; an empty one if it has none. Raises BadManifest and SpecialFile."""
    try:
        with open_for_reading(folder / NAME) as file:
            content = file.read()
    except FileNotFoundError:
        return NOTHING_SEALED
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise BadManifest(f"{folder / NAME} cannot be read: {problem}") from problem


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest in place of the one before. Raises OSError."""
    disk.replace_file(folder / NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def seal(segment: Path, first_seq: int, last: Head) -> Sealed:
    """The entry of a segment that ends with event `last`. Raises OSError."""
    digest = sha256()
    size = 0
    with open_for_reading(segment) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
    count = last.seq - first_seq + 1
    return Sealed(segment.name, first_seq, last.seq, count, size, last.hash, digest.hexdigest())
