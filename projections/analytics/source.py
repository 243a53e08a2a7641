"""Where the events come from: sealed segments as Parquet, made once, and the events after them as proven lines.

A sealed segment never changes, so its Parquet file is named by its digest and stays. What follows the last one, and
all of a ledger that has no segments, is spooled: copied line by line, with the hash chain proven on the way.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...ledger.errors import LedgerDamaged
from ...ledger.judgement import void
from ...ledger.storage import codec
from ...ledger.storage.chain import BadLine, BrokenChain, Head, follow
from ...ledger.storage.inventory import BadManifest, Sealed, read_manifest
from ...ledger.storage.jsonl import JsonlStore
from ...ledger.storage.segments import list_segments, read_whole_lines, unlike
from ...ledger.store import EventReader
from .plain_path import is_plain

if TYPE_CHECKING:
    import duckdb

_FORMAT = 3
"""Raise it when the content of the Parquet files changes."""

_LINES_AT_ONCE = 500
_MAX_OBJECT = 16 * 1024 * 1024
"""DuckDB's own limit of a line; a longer one is read with as much as it takes."""


class Spool(msgspec.Struct, frozen=True):
    """Lines that were copied to a file: the head after them, the maximum length in bytes, and the void events."""

    path: Path
    head: Head
    longest: int
    void: list[int]


def events_of(path: str, *, longest: int = 0) -> str:
    """SQL for the events of a JSONL file."""
    # One object may be of half the buffer's size.
    largest = max(_MAX_OBJECT, 2 * longest)
    return f"""
        SELECT seq, TRY_CAST("at" AS TIMESTAMP) AS recorded_at, type, stream,
          TRY_CAST(version AS BIGINT) AS version, data
        FROM read_json({quoted(path)}, format = 'newline_delimited', maximum_object_size = {largest}, columns = {{
          seq: 'BIGINT', "at": 'VARCHAR', type: 'VARCHAR', stream: 'VARCHAR', version: 'VARCHAR', data: 'JSON'
        }})"""  # noqa: S608 - a quoted path and a number


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def spool(store: EventReader, after: Head, path: Path) -> Spool | None:
    """Copy the lines after `after` to a file; None if the ledger does not continue from there.

    Raises LedgerDamaged if its chain breaks later.
    """
    head, longest, voids = after, 0, list[int]()
    with path.open("wb") as file:
        for lines in _pieces(store.read_lines(after.seq)):
            try:
                fresh = follow(lines, head)
            except BrokenChain as problem:
                if head == after and problem.index == 0 and after.seq:
                    return None
                raise _damaged(store, problem) from problem
            head = fresh
            longest = max(longest, *map(len, lines))
            voids += _void_among(b"\n".join(lines) + b"\n")
            file.write(b"\n".join(lines) + b"\n")
    return Spool(path, head, longest, voids)


def _void_among(lines: bytes) -> list[int]:
    """The positions of void events: the fold in SQL could not tell them from others."""
    try:
        return [record.seq for record in codec.decode_lines(lines) if void(record)]
    except BadLine:
        return []  # A line that is not an event is damage: the reader of the ledger reports it.


def _pieces(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    for line in lines:
        some.append(line)
        if len(some) == _LINES_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _damaged(store: EventReader, problem: BrokenChain) -> LedgerDamaged:
    if hasattr(store, "prove"):
        for _ in store.prove():  # It knows the place.
            pass
    return LedgerDamaged(Path(store.url), 0, 0, problem.head.seq, problem.reason)


def sealed_parquet(store: EventReader, cache: Path, connection: duckdb.DuckDBPyConnection) -> tuple[list[Path], Head]:
    """A Parquet file for each sealed segment of a JSONL ledger, and the head after them; none for another ledger.

    A file is made if it is missing or was changed. Only one process at a time may do this for a cache.
    Raises LedgerDamaged if a segment is not what was sealed, and OSError.
    """
    if not isinstance(store, JsonlStore) or not (is_plain(store.folder) and is_plain(cache)):
        return [], Head()
    try:
        manifest = read_manifest(store.folder)
    except BadManifest:
        return [], Head()  # Nothing is trusted then: all of it is proven line by line.
    sealed: list[tuple[Path, Sealed]] = []
    head = Head()
    for segment in list_segments(store.folder):
        entry = manifest.of(segment)
        if entry is None or entry.first_seq != head.seq + 1:
            break
        if fault := unlike(segment, entry):
            raise LedgerDamaged(segment, entry.count, entry.bytes, head.seq, fault)
        head = Head(entry.last_seq, entry.last_hash)
        sealed.append((segment, entry))
    known = _known_files(cache)
    files = [known.get(_name(entry)) for _, entry in sealed]
    missing = [(segment, _name(entry)) for (segment, entry), file in zip(sealed, files, strict=True) if file is None]
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            tasks = [pool.submit(_convert, segment, cache / name, connection.cursor()) for segment, name in missing]
            made = {name: task.result() for (_, name), task in zip(missing, tasks, strict=True)}
    return [file or made[_name(entry)] for (_, entry), file in zip(sealed, files, strict=True)], head


def _name(entry: Sealed) -> str:
    """The beginning of a file's name: the segment that it was made from, and the format."""
    return f"{entry.first_seq:020d}-{entry.sha256[:32]}-{_FORMAT}"


def _known_files(cache: Path) -> dict[str, Path]:
    """The files in the cache, by the beginning of their names, which end with the digest of the content.

    A file whose content has changed is removed, and so is one that a killed process left.
    """
    known = {}
    for file in sorted(cache.iterdir()) if cache.is_dir() else ():
        name, _, digest = file.name.removesuffix(".parquet").rpartition("-")
        if not file.is_symlink() and file.is_file() and file.suffix == ".parquet" and digest == _digest(file):
            known[name] = file
        else:
            with contextlib.suppress(OSError):
                file.unlink()
    return known


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()[:32]


def _convert(segment: Path, file: Path, connection: duckdb.DuckDBPyConnection) -> Path:
    """Write a segment as Parquet; the path of the file, whose name ends with the digest of its content."""
    import duckdb

    build = file.with_name(f"{file.name}.build-{os.getpid()}")
    target = f"{quoted(str(build))} (FORMAT parquet, COMPRESSION zstd)"
    try:
        source = str(segment)
        voids = ", ".join(str(seq) for lines in read_whole_lines(segment) for seq in _void_among(lines))
        is_void = f"seq IN ({voids})" if voids else "false"
        try:
            connection.execute(f"COPY (SELECT *, {is_void} AS is_void FROM ({events_of(source)})) TO {target}")  # noqa: S608
        except duckdb.Error as problem:
            if "maximum_object_size" not in str(problem):
                raise
            events = events_of(source, longest=segment.stat().st_size)
            connection.execute(f"COPY (SELECT *, {is_void} AS is_void FROM ({events})) TO {target}")  # noqa: S608
        with build.open("rb") as written:
            os.fsync(written.fileno())
        named = file.with_name(f"{file.name}-{_digest(build)}.parquet")
        build.replace(named)
    finally:
        build.unlink(missing_ok=True)
    return named
