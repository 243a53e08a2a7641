"""The metadata of an index: its position in the ledger, and all that is small enough to be read at once."""

from __future__ import annotations

import functools
from hashlib import sha256
from typing import Any

import msgspec

from ..events import EVENT_TYPES
from ..fold import Group, Run
from ..storage.chain import Head
from .table import IndexDamaged, Table

_VERSION = 1
"""Increase it if the content of the index changes, or the meaning of an event in the fold."""

Range = tuple[int, int]


class Count(msgspec.Struct, frozen=True, array_like=True):
    """The number of events of a type, and their size in the ledger, with newlines."""

    events: int = 0
    bytes: int = 0


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a ledger after event `head`. The layer holds what changed since event `after`.

    `aside` and `brought` are ranges of positions: of events that are set aside, and that came from other ledgers.
    Runs and groups are named in the order of their first events.
    """

    meaning: str = ""
    after: Head = Head()
    head: Head = Head()
    first_at: str = ""
    at: str = ""
    open_runs: list[str] = []
    open_groups: list[str] = []
    aside: list[Range] = []
    brought: list[Range] = []
    events: dict[str, Count] = {}
    runs: dict[str, int] = {}
    groups: int = 0


@functools.cache
def meaning() -> str:
    """A digest of what an index depends on besides the ledger: the types of this version, and their meaning.

    An event that an older version did not know has a meaning now, so an index with another digest is not used.
    """

    def shape(kind: Any) -> list[tuple[str, str]]:
        return [(field.name, str(field.type)) for field in msgspec.structs.fields(kind)]

    shapes = {name: shape(event) for name, event in sorted(EVENT_TYPES.items())}
    text = repr((_VERSION, shapes, shape(Run), shape(Group), shape(Meta)))
    return sha256(text.encode()).hexdigest()


_decoder = msgspec.msgpack.Decoder(Meta)


def read_meta(table: Table) -> Meta:
    """The metadata of a table. Raises IndexDamaged, also if a version with another meaning wrote it."""
    try:
        meta = _decoder.decode(table.about)
    except (msgspec.MsgspecError, ValueError) as problem:
        raise IndexDamaged(table.path, f"it cannot be read: {problem}") from problem
    if meta.meaning != meaning():
        raise IndexDamaged(table.path, "a version with other rules wrote it")
    return meta


def write_meta(meta: Meta) -> bytes:
    """The metadata as bytes."""
    return msgspec.msgpack.encode(msgspec.structs.replace(meta, meaning=meaning()))
