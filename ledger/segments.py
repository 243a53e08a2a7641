"""The files of a JSONL ledger: segments named by the position of their first event, read without a lock."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from . import codec
from .errors import LedgerDamaged
from .events import Record

CHUNK = 128 * 1024
"""Bytes read at once. Larger chunks decode slower: the records of a chunk no longer fit the processor's cache."""

_NAME = re.compile(r"\d{20}\.jsonl")
_POSITION = re.compile(rb'\{"seq":(\d+),')


def segment_name(first_seq: int) -> str:
    """The file name of the segment whose first event is at `first_seq`."""
    return f"{first_seq:020d}.jsonl"


def first_seq(segment: Path) -> int:
    """The position of a segment's first event, from its name."""
    return int(segment.stem)


def list_segments(folder: Path) -> list[Path]:
    """The segments of a ledger in order; none where the folder is missing."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def read_whole_lines(segment: Path, offset: int = 0) -> Iterator[bytes]:
    """The bytes of a segment from `offset` on, in pieces that end with a newline.

    What follows the last newline is left out: a writer is still at it, or a crash tore it.
    """
    with segment.open("rb") as file:
        file.seek(offset)
        rest = b""
        while chunk := file.read(CHUNK):
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield rest + chunk[:cut]
                rest = chunk[cut:]
            else:
                rest += chunk


class Cursor(msgspec.Struct):
    """A place in a ledger: the last event that was read, its hash, and where the next byte lies."""

    seq: int = 0
    hash: str = codec.GENESIS
    segment: Path | None = None
    offset: int = 0
    line: int = 0

    def damaged(self, reason: str) -> LedgerDamaged:
        """The error that says that what follows this place is not what was written."""
        return LedgerDamaged(self.segment or Path(segment_name(1)), self.line + 1, self.offset, self.seq, reason)


def follow_chain(cursor: Cursor, lines: bytes) -> Iterator[list[Record]]:
    """The records of whole lines that must continue the chain at `cursor`, which moves behind them.

    Raises LedgerDamaged at the first line that does not, with the cursor there, after the records before it.
    """
    seq, digest = cursor.seq, cursor.hash
    try:
        for line in codec.split(lines):
            seq += 1
            digest = codec.check(line, seq=seq, prev=digest)
        records = list(codec.decode_lines(lines))
    except codec.BadLine:
        yield from _follow_line_by_line(cursor, lines)
        return
    cursor.line += seq - cursor.seq
    cursor.offset += len(lines)
    cursor.seq, cursor.hash = seq, digest
    yield records


def _follow_line_by_line(cursor: Cursor, lines: bytes) -> Iterator[list[Record]]:
    """The same, slower, for lines of which one is known to be bad: up to that one."""
    for line in codec.split(lines):
        try:
            digest = codec.check(line, seq=cursor.seq + 1, prev=cursor.hash)
        except codec.BadLine as problem:
            raise cursor.damaged(str(problem)) from problem
        try:
            record = codec.decode(line)
        except codec.BadLine as problem:
            # This is what its writer wrote: a program that does not keep to the event types.
            raise cursor.damaged(f"the hash chain is whole, but an event can't be read: {problem}") from problem
        cursor.seq, cursor.hash = cursor.seq + 1, digest
        cursor.line += 1
        cursor.offset += len(line) + 1
        yield [record]


def walk_chain(folder: Path, cursor: Cursor) -> Iterator[list[Record]]:
    """Everything behind `cursor`, checked and in order, in pieces; the cursor moves along.

    Raises LedgerDamaged at the first line that does not continue the chain, and where a sealed segment ends without
    a newline or the next one does not begin where it should.
    """
    segments = list_segments(folder)
    for segment in segments:
        if cursor.segment is not None and segment < cursor.segment:
            continue
        if segment != cursor.segment:
            if cursor.segment is not None and cursor.offset != cursor.segment.stat().st_size:
                raise cursor.damaged("a sealed segment ends in the middle of a line")
            cursor.segment, cursor.offset, cursor.line = segment, 0, 0
            if first_seq(segment) != cursor.seq + 1:
                raise cursor.damaged(f"the segment should begin at event {cursor.seq + 1}: one is missing before it")
        for lines in read_whole_lines(segment, cursor.offset):
            yield from follow_chain(cursor, lines)


def read_records(folder: Path, after: int = 0) -> Iterator[Record]:
    """The records behind position `after`, without a check of the chain.

    Raises LedgerDamaged for a line that is no event.
    """
    segments = list_segments(folder)
    for number, segment in enumerate(segments):
        if number + 1 < len(segments) and first_seq(segments[number + 1]) <= after + 1:
            continue
        offset = _seek(segment, after)
        seq = first_seq(segment) - 1 if offset == 0 else after
        for lines in read_whole_lines(segment, offset):
            try:
                for record in codec.decode_lines(lines):
                    seq = record.seq
                    if seq > after:
                        yield record
            except codec.BadLine as problem:
                line = _count_lines(segment, offset) + 1
                raise LedgerDamaged(segment, line, offset, seq, f"in or after this line: {problem}") from problem
            offset += len(lines)


def read_lines(folder: Path, after: int = 0) -> Iterator[bytes]:
    """The lines (without newlines) of the events behind position `after`, as they stand in the files."""
    segments = list_segments(folder)
    for number, segment in enumerate(segments):
        if number + 1 < len(segments) and first_seq(segments[number + 1]) <= after + 1:
            continue
        for lines in read_whole_lines(segment, _seek(segment, after)):
            for line in codec.split(lines):
                position = _POSITION.match(line)
                if position is None or int(position[1]) > after:
                    yield line


def _seek(segment: Path, after: int) -> int:
    """A place at the start of a line, at most a chunk before the line of event `after` + 1: found by bisection."""
    if after < first_seq(segment):
        return 0
    with segment.open("rb") as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        while high - low > CHUNK:
            middle = (low + high) // 2
            file.seek(middle)
            file.readline()
            start = file.tell()
            position = _POSITION.match(file.readline())
            if position and start < high and int(position[1]) <= after:
                low = start
            else:
                high = middle
        return low


def _count_lines(segment: Path, end: int) -> int:
    with segment.open("rb") as file:
        return file.read(end).count(b"\n")
