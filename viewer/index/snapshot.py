"""The index in a file, so that a server of a long history answers at once and reads only what is new.

The file names the event of the ledger at which it ends, and the program that wrote it. It is believed only if it
is as its last writer left it (`keeping`), if its digest fits, and if the ledger has that event; otherwise the index is
made from the tables. Everything in it can be made again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ...projections.scores import leaderboard
from ...projections.scores.attempts import Attempts
from ...projections.scores.attempts import Work as AttemptedWork
from ...projections.scores.check import CheckedScore
from ...projections.scores.leaderboard import ContenderScore
from ...projections.sqlite.database import VERSION, State
from ...projections.sqlite.keeping import exclusive, replacing, seal_left, seal_of
from .names import Names
from .orders import COLUMNS, Sort
from .row import FIELDS, TYPES, RunRow, Task
from .run_table import FACETS, Parts, RunTable
from .scoreboard import Work

_DIGEST_BYTES = 32
_SIMPLE = frozenset({"str", "int", "bool", "float"})
_MAX_BYTES = 2**31
T = TypeVar("T")


class _Column(msgspec.Struct, array_like=True, frozen=True):
    """The values of a field as msgpack: of all rows, or the different ones, and for each row the number of its own."""

    values: bytes
    code_type: str = ""
    codes: bytes = b""


class _Content(msgspec.Struct, array_like=True, frozen=True):
    made_by: str
    fields: tuple[str, ...]
    position: int
    head_hash: str
    at: str
    rows: int
    columns: list[_Column]
    records: list[tuple[Task, bytes]]
    works: list[tuple[Work, bytes]]
    reported: list[tuple[Task, bytes]]
    guesses: list[tuple[Task, bytes]]
    tried: list[tuple[AttemptedWork, bytes]]
    scores: list[tuple[Work, ContenderScore]]
    checks: list[tuple[Work, CheckedScore]]
    attempts: list[tuple[AttemptedWork, Attempts]]
    orders: list[tuple[Sort, bytes]]


class Unusable(Exception):
    """The file is not an index that this version wrote."""


def write_snapshot(path: Path, rows: Sequence[RunRow], parts: Parts, state: State) -> None:
    """Write the file whole, or leave the old one. Raises ProjectionError if it cannot be written."""
    content = pack(rows, parts, state)
    with exclusive(path) as file, replacing(file) as build:
        build.write_bytes(content)


def read_snapshot(path: Path) -> tuple[RunTable, State] | None:
    """The table and its place in the ledger; None without a file that fits."""
    left = seal_left(path)
    if left is None or left != seal_of(path) or left.size > _MAX_BYTES:
        return None
    try:
        content = path.read_bytes()
        return unpack(content) if seal_of(path) == left else None
    except (OSError, Unusable):
        return None


def pack(rows: Sequence[RunRow], parts: Parts, state: State) -> bytes:
    """The content of the file."""
    content = _Content(
        made_by=_program(),
        fields=FIELDS,
        position=state.position,
        head_hash=state.head_hash,
        at=state.at,
        rows=len(rows),
        columns=[_packed(name, _values(name, rows)) for name in FIELDS],
        records=_bytes_of(parts.records),
        works=_bytes_of(parts.works),
        reported=_bytes_of(parts.reported),
        guesses=_bytes_of(parts.guesses),
        tried=_bytes_of(parts.tried),
        scores=parts.scores,
        checks=parts.checks,
        attempts=parts.attempts,
        orders=_bytes_of(parts.orders),
    )
    packed = msgspec.msgpack.encode(content)
    return sha256(packed).digest() + packed


def unpack(content: bytes) -> tuple[RunTable, State]:
    """What `pack` made. Raises Unusable."""
    packed = memoryview(content)[_DIGEST_BYTES:]
    if sha256(packed).digest() != content[:_DIGEST_BYTES]:
        raise Unusable("the digest does not fit")
    try:
        return _unpacked_content(msgspec.msgpack.decode(packed, type=_Content))
    except (msgspec.DecodeError, IndexError, ValueError, TypeError) as problem:
        raise Unusable(str(problem)) from problem


def _unpacked_content(found: _Content) -> tuple[RunTable, State]:
    if found.made_by != _program() or found.fields != FIELDS:
        raise Unusable("another version wrote it")
    packed = dict(zip(FIELDS, found.columns, strict=True))
    columns = {name: _unpacked(name, column, found.rows) for name, column in packed.items()}
    last_seen, ended = columns["last_seen_at"], columns["ended_at"]
    columns["last_seen_at"] = [end if seen is None else seen for seen, end in zip(last_seen, ended, strict=True)]
    parts = Parts(
        records=_arrays_of(found.records),
        works=_arrays_of(found.works),
        reported=_arrays_of(found.reported),
        guesses=_arrays_of(found.guesses),
        tried=_arrays_of(found.tried),
        scores=found.scores,
        checks=found.checks,
        attempts=found.attempts,
        orders=_arrays_of(found.orders),
        names=_names_of(packed),
    )
    return RunTable(map(RunRow, *columns.values()), parts), State(found.position, found.head_hash, found.at)


def _program() -> str:
    """Which program wrote the file: the version of the tables, and the modules that decide what is in it.

    A rule for scores may change without a new version number.
    """
    folders = [Path(__file__).parent, Path(leaderboard.__file__).parent]
    files = sorted(file for folder in folders for file in folder.glob("*.py"))
    stats = [(file.name, told.st_size, told.st_mtime_ns) for file in files for told in [file.stat()]]
    return sha256(repr((VERSION, stats)).encode()).hexdigest()


def _values(name: str, rows: Sequence[RunRow]) -> list[Any]:
    if name == "last_seen_at":  # Most runs were seen last when they ended.
        return [None if row.last_seen_at == row.ended_at else row.last_seen_at for row in rows]
    return [getattr(row, name) for row in rows]


def _names_of(packed: dict[str, _Column]) -> dict[str, Names]:
    """The columns of names, by the name of their filter, if they are stored that way."""
    found = {}
    for name in FACETS:
        if name not in COLUMNS:
            continue  # It is worked out from other columns.
        column = packed[COLUMNS[name]]
        if column.code_type:
            names = Names.restored(msgspec.msgpack.decode(column.values, type=list[str | None]), _codes(column))
            if names is not None:
                found[name] = names
    return found


def _codes(column: _Column) -> array[int]:
    codes = array(column.code_type)
    codes.frombytes(column.codes)
    return codes


def _packed(name: str, values: list[Any]) -> _Column:
    encode = msgspec.msgpack.encode
    is_simple = set(_kinds(name)) <= _SIMPLE
    keys = values if is_simple else [None if value is None else encode(value) for value in values]
    code_of = {key: code for code, key in enumerate(dict.fromkeys(keys))}
    # A zero may have a sign, which a dictionary does not see.
    if 2 * len(code_of) > len(values) or ("float" in _kinds(name) and 0.0 in code_of):
        return _Column(encode(values))
    code_type = "B" if len(code_of) <= 2**8 else "H" if len(code_of) <= 2**16 else "I"
    different = dict(zip(keys, values, strict=True))
    codes = array(code_type, map(code_of.__getitem__, keys))
    return _Column(encode([different[key] for key in code_of]), code_type, codes.tobytes())


def _unpacked(name: str, column: _Column, rows: int) -> list[Any]:
    kind: Any = list.__class_getitem__(TYPES[name] if name != "last_seen_at" else str | None)
    values: list[Any] = msgspec.msgpack.decode(column.values, type=kind)
    if column.code_type:
        values = list(map(values.__getitem__, _codes(column)))
    if len(values) != rows:
        raise Unusable(f"{name} has {len(values)} values for {rows} rows")
    return values


def _kinds(name: str) -> list[str]:
    return [kind.strip() for kind in RunRow.__annotations__[name].split("|") if kind.strip() != "None"]


def _bytes_of(some: dict[T, array[int]]) -> list[tuple[T, bytes]]:
    return [(key, numbers.tobytes()) for key, numbers in some.items()]


def _arrays_of(some: Iterable[tuple[T, bytes]]) -> dict[T, array[int]]:
    found = {}
    for key, content in some:
        numbers = array("I")
        numbers.frombytes(content)
        found[key] = numbers
    return found
