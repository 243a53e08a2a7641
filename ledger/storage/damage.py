"""Lists all faults in the files of a JSONL ledger, and cuts off what cannot be proven."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import LedgerDamaged, SpecialFile
from ..identity import utc_now
from ..store import Finding
from . import codec, disk
from .chain import GENESIS, BadLine
from .inventory import NAME as MANIFEST
from .inventory import NOTHING_SEALED, BadManifest, read_manifest, seal, write_manifest
from .segments import (
    Cursor,
    decode_piece,
    first_seq,
    last_event,
    list_segments,
    read_whole_lines,
    seal_all,
    unfinished_bytes,
    walk_chain,
)

QUARANTINE = "quarantine"


def examine(folder: Path, broken: LedgerDamaged | None) -> Iterator[Finding | str]:
    """Findings beyond the chain: further breaks, segments that differ from the sealed ones, a torn tail."""
    breaks = [broken] if broken else []
    if broken:
        for further in _after(folder, broken):
            if isinstance(further, LedgerDamaged):
                breaks.append(further)
                yield Finding(further.trusted + 1, f"damaged too: {further.place}: {further.reason}")
            else:
                yield further
    elif segments := list_segments(folder):
        yield from _torn_tail(segments[-1])
    yield from _unlike_manifest(folder, {problem.file.name for problem in breaks})


def _unlike_manifest(folder: Path, named: set[str]) -> Iterator[Finding]:
    """Segments that are missing or differ from the sealed files, except the `named` ones, which were reported."""
    try:
        manifest = read_manifest(folder)
    except (BadManifest, SpecialFile) as problem:
        fault = problem.fault if isinstance(problem, SpecialFile) else problem
        yield Finding(0, f"{fault}. The segments are the ledger, and are checked by themselves")
        return
    segments = {segment.name: segment for segment in list_segments(folder)}
    for sealed in manifest.segments:
        segment = segments.get(sealed.name)
        if segment is None:
            yield Finding(sealed.first_seq, f"{sealed.name} is missing: {MANIFEST} lists it with {sealed.count} events")
        elif sealed.name not in named and (
            (last := last_event(segment)) is None or seal(segment, first_seq(segment), last) != sealed
        ):
            yield Finding(sealed.first_seq, f"{sealed.name} is not the file that was sealed, according to {MANIFEST}")


def _after(folder: Path, broken: LedgerDamaged) -> Iterator[LedgerDamaged | str]:
    """The faults after the first break: further breaks, and (as notes) the ranges that form a chain."""
    segments = _segments_after(folder, broken)
    while segments:
        begin = first_seq(segments[0])
        cursor = Cursor(seq=begin - 1, hash=_previous_hash(segments[0]), segment=segments[0])
        try:
            for _ in walk_chain(folder, cursor):
                pass
        except LedgerDamaged as problem:
            yield problem
            segments = _segments_after(folder, problem)
        else:
            yield from _torn_tail(segments[-1])
            segments = []
        if cursor.seq >= begin:
            yield f"events {begin} to {cursor.seq} fit together, and are proven once what is before them is restored"


def _segments_after(folder: Path, broken: LedgerDamaged) -> list[Path]:
    """The segments after a break. If the break is a missing segment, the one that it names is among them."""
    is_gap = broken.offset == 0 and first_seq(broken.file) > broken.trusted + 1
    return [
        segment for segment in list_segments(folder) if segment > broken.file or (is_gap and segment == broken.file)
    ]


def _previous_hash(segment: Path) -> str:
    """The hash that a segment's first line claims to follow."""
    try:
        lines = next(read_whole_lines(segment), b"\n")
        return codec.read(codec.split(lines)[0]).prev
    except (BadLine, LedgerDamaged):
        return GENESIS  # The walk along the chain from here reports what is wrong with the line.


def _torn_tail(segment: Path) -> Iterator[str]:
    if torn := unfinished_bytes(segment):
        yield f"{segment.name} ends with {torn} bytes of an unfinished line, which no writer acknowledged"


def move_tail(segment: Path, offset: int, quarantine: Path) -> Path:
    """Move the bytes after `offset` to a file in the quarantine. Returns its path. Raises OSError; nothing is lost."""
    disk.make_folder(quarantine)
    moved = quarantine / f"{segment.stem}-{offset}-{utc_now().replace(':', '')}.part"
    with segment.open("rb") as file:
        file.seek(offset)
        disk.replace_file(moved, file.read())
    fd = disk.open_file(segment, os.O_WRONLY)
    try:
        disk.truncate(fd, offset)
        disk.sync(fd)
    finally:
        os.close(fd)
    return moved


def cut_off(folder: Path) -> list[Path]:
    """Move all unprovable bytes to the quarantine. Returns the files. Call it under the lock. Raises OSError.

    If only the end of a segment is bad, and the next segment continues from the last good event, nothing else is
    moved.
    """
    quarantine = folder / QUARANTINE
    moved: list[Path] = []
    cursor = Cursor()
    while (broken := _first_break(folder, cursor)) is not None:
        moved += _cut_at(folder, broken, quarantine)
        cursor = Cursor()
    if cursor.segment is not None and unfinished_bytes(cursor.segment):
        moved.append(move_tail(cursor.segment, cursor.offset, quarantine))
    segments = list_segments(folder)
    if segments or (folder / MANIFEST).exists():
        write_manifest(folder, seal_all(segments[:-1], NOTHING_SEALED))
    return moved


def _first_break(folder: Path, cursor: Cursor) -> LedgerDamaged | None:
    """The first place at which the chain breaks or a line is not an event; the cursor is moved to the last good one."""
    try:
        for lines in walk_chain(folder, cursor):
            for _ in decode_piece(lines, cursor):
                pass
    except LedgerDamaged as problem:
        return problem
    return None


def _cut_at(folder: Path, broken: LedgerDamaged, quarantine: Path) -> list[Path]:
    """Move away what a break makes unprovable. Returns the files in the quarantine."""
    later = [segment for segment in list_segments(folder) if segment > broken.file]
    if not broken.offset:  # The whole segment is bad.
        return [_put_away(segment, quarantine) for segment in [broken.file, *later]]
    moved = [move_tail(broken.file, broken.offset, quarantine)]
    if later and first_seq(later[0]) == broken.trusted + 1:  # It continues from there, so only the bad bytes are moved.
        return moved
    return moved + [_put_away(segment, quarantine) for segment in later]


def _put_away(segment: Path, quarantine: Path) -> Path:
    disk.make_folder(quarantine)
    moved = quarantine / f"{segment.stem}-0-{utc_now().replace(':', '')}.part"
    disk.rename(segment, moved)
    disk.sync_folder(quarantine)
    disk.sync_folder(segment.parent)
    return moved
