"""The files of a JSONL ledger: segments named by the position of their first event, read without a lock."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from ..errors import LedgerDamaged, SpecialFile
from ..events import Record
from ..store import EVERYTHING, Filter
from . import codec
from .chain import GENESIS, BadLine, BrokenChain, Head, follow, is_event
from .inventory import NAME as MANIFEST
from .inventory import NOTHING_SEALED, Manifest, Sealed, seal
from .regular import open_for_reading

CHUNK = 64 * 1024
"""Bytes read at once. Larger chunks decode slower: the records of a chunk no longer fit the processor's cache."""

_NAME = re.compile(r"\d{20}\.jsonl")
_POSITION = re.compile(rb'\{"seq":(\d{1,18}),')


def segment_name(first_seq: int) -> str:
    """The file name of the segment whose first event is at `first_seq`."""
    return f"{first_seq:020d}.jsonl"


def first_seq(segment: Path) -> int:
    """The position of a segment's first event, from its name."""
    return int(segment.stem)


def list_segments(folder: Path) -> list[Path]:
    """The segments of a ledger in order; none if the folder is missing."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def last_segment_name(folder: Path) -> str | None:
    """The name of the segment that grows; None without segments. It is fast enough for a thousand calls a second."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are all that is wanted
    except (FileNotFoundError, NotADirectoryError):
        return None
    return max(filter(_NAME.fullmatch, names), default=None)


def open_segment(segment: Path) -> BinaryIO:
    """A segment, opened for reading. Raises LedgerDamaged if something that is not a regular file has its name."""
    try:
        return open_for_reading(segment)
    except SpecialFile as problem:
        begin = first_seq(segment)
        raise LedgerDamaged(segment, 1, 0, begin - 1, f"{problem.kind} has the place of the file") from problem


def read_whole_lines(segment: Path, offset: int = 0) -> Iterator[bytes]:
    """The bytes of a segment from `offset` on, in pieces that end with a newline.

    Bytes after the last newline are left out: a writer has not finished them, or a crash tore the line.
    """
    with open_segment(segment) as file:
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
    """A place in a ledger: the last event that was read, its hash, and the place of the next byte."""

    seq: int = 0
    hash: str = GENESIS
    segment: Path | None = None
    offset: int = 0
    line: int = 0

    def damaged(self, reason: str) -> LedgerDamaged:
        """The error for bytes after this place that are not what was written."""
        return LedgerDamaged(self.segment or Path(segment_name(1)), self.line + 1, self.offset, self.seq, reason)


def cursor_after(folder: Path, head: Head) -> Cursor:
    """The place after an event. Raises LedgerDamaged if its line is missing."""
    if not head.seq:
        return Cursor()
    for segment in reversed(list_segments(folder)):
        if (begin := first_seq(segment)) <= head.seq:
            cursor = Cursor(head.seq - 1, "", segment, _seek(segment, head.seq - 1), head.seq - begin)
            for lines in read_whole_lines(segment, cursor.offset):
                for line in codec.split(lines):
                    cursor.offset += len(line) + 1
                    if is_event(line, head):
                        return Cursor(head.seq, head.hash, segment, cursor.offset, head.seq - begin + 1)
                if (position := _POSITION.match(line)) and int(position[1]) > head.seq:
                    break
            raise cursor.damaged(f"event {head.seq} with the hash {head.hash} is missing")
    raise Cursor().damaged(f"event {head.seq} with the hash {head.hash} is missing")


def begin_of(folder: Path, seq: int, manifest: Manifest) -> Cursor | None:
    """The beginning of the segment with event `seq`; None if a segment before it differs from its sealed state."""
    cursor = Cursor()
    for segment in list_segments(folder):
        if first_seq(segment) != cursor.seq + 1:
            return None
        sealed = manifest.of(segment)
        if sealed is None or sealed.last_seq >= seq:
            return Cursor(cursor.seq, cursor.hash, segment)
        if unlike(segment, sealed):
            return None
        cursor = Cursor(sealed.last_seq, sealed.last_hash)
    return None


def head_of(folder: Path) -> Head:
    """The last whole event of a ledger, from its line alone. Raises LedgerDamaged if that line was changed."""
    for segment in reversed(list_segments(folder)):
        if line := _last_line(segment):
            last = last_event(segment)
            if last is None or not is_event(line, last):
                raise Cursor(segment=segment).damaged("its last line is not what was written")
            return last
    return Head()


def walk_chain(folder: Path, cursor: Cursor, trusted: Manifest = NOTHING_SEALED) -> Iterator[bytes]:
    """Everything after `cursor`, in order, in pieces of whole lines; the cursor moves along.

    For segments in the `trusted` manifest, only size and last hash are compared; in all others, each line is proven
    to continue the chain. Raises LedgerDamaged at the first line that does not, and if a sealed segment
    ends without a newline or the next one does not begin at the next position.
    """
    for segment in list_segments(folder):
        if cursor.segment is not None and segment < cursor.segment:
            continue
        if segment != cursor.segment:
            if cursor.segment is not None and cursor.offset != cursor.segment.stat().st_size:
                raise cursor.damaged("a sealed segment ends in the middle of a line")
            cursor.segment, cursor.offset, cursor.line = segment, 0, 0
            if first_seq(segment) != cursor.seq + 1:
                raise cursor.damaged(f"the segment should begin at event {cursor.seq + 1}: one is missing before it")
        sealed = trusted.of(segment) if cursor.offset == 0 else None
        if sealed:
            yield from _walk_sealed(segment, cursor, sealed)
            continue
        for lines in read_whole_lines(segment, cursor.offset):
            yield from _prove(lines, cursor)


def _walk_sealed(segment: Path, cursor: Cursor, sealed: Sealed) -> Iterator[bytes]:
    if fault := unlike(segment, sealed):
        raise cursor.damaged(fault)
    for lines in read_whole_lines(segment):
        _advance(cursor, Head(cursor.seq + (count := lines.count(b"\n")), ""), len(lines), count)
        yield lines
    cursor.seq, cursor.hash = sealed.last_seq, sealed.last_hash


def unlike(segment: Path, sealed: Sealed) -> str | None:
    """A fault if the size or the last event of a segment differs from its sealed state, else None."""
    with open_segment(segment) as file:
        size = os.fstat(file.fileno()).st_size
    if size != sealed.bytes:
        return f"the sealed segment has {size} bytes, and {sealed.bytes} in {MANIFEST}"
    if last_event(segment) != Head(sealed.last_seq, sealed.last_hash):
        return f"the last event of the sealed segment is not the one in {MANIFEST}"
    return None


def last_event(segment: Path) -> Head | None:
    """The position and hash in the last whole line of a segment; None if that line is not an event."""
    line = _last_line(segment)
    try:
        return Head(codec.read_envelope(line).seq, line[-66:-2].decode())
    except (BadLine, UnicodeDecodeError):
        return None


def _last_line(segment: Path) -> bytes:
    """The last whole line; empty if there is none."""
    with open_segment(segment) as file:
        size = file.seek(0, os.SEEK_END)
        block = 4096
        while True:
            start = max(0, size - block)
            file.seek(start)
            lines = file.read(size - start).split(b"\n")
            if len(lines) > 2 or start == 0:
                break
            block *= 8
    return lines[-2] if len(lines) > 1 else b""


def _prove(lines: bytes, cursor: Cursor) -> Iterator[bytes]:
    """The same lines, after they are proven. If one is bad, only those before it, and the cursor moves there."""
    single = codec.split(lines)
    try:
        head = follow(single, Head(cursor.seq, cursor.hash))
    except BrokenChain as problem:
        good = b"".join(line + b"\n" for line in single[: problem.index])
        _advance(cursor, problem.head, len(good), problem.index)
        if good:
            yield good
        raise cursor.damaged(problem.reason) from problem
    _advance(cursor, head, len(lines), len(single))
    yield lines


def _advance(cursor: Cursor, head: Head, size: int, count: int) -> None:
    cursor.seq, cursor.hash = head.seq, head.hash
    cursor.offset += size
    cursor.line += count


def decode_piece(lines: bytes, cursor: Cursor, *, details: bool = True) -> Iterator[list[Record]]:
    """The records of proven lines that end at `cursor`.

    Raises LedgerDamaged for a line that is not an event, after the records before it.
    """

    def damaged(before: Sequence[bytes], problem: BadLine) -> LedgerDamaged:
        count = lines.count(b"\n")
        place = Cursor(cursor.seq - count, "", cursor.segment, cursor.offset - len(lines), cursor.line - count)
        _advance(place, Head(place.seq + len(before)), sum(len(line) + 1 for line in before), len(before))
        # The line is unchanged: its writer is a program that does not follow the event types.
        return place.damaged(f"the hash chain is whole, but an event can't be read: {problem}")

    yield from codec.decode_until_bad(lines, damaged, details=details)


def read_records(
    folder: Path, after: int = 0, wanted: Filter = EVERYTHING, *, details: bool = True
) -> Iterator[Record]:
    """The records after position `after` that are wanted, without a check of the chain.

    Raises LedgerDamaged for a line that is not an event.
    """
    if wanted != EVERYTHING:
        yield from _read_some(folder, after, wanted)
        return
    for segment, offset, lines in _read_pieces(folder, after):
        try:
            records = codec.decode_lines(lines, details=details)
        except BadLine as problem:
            line = _count_lines(segment, offset) + 1
            trusted = first_seq(segment) + line - 2
            raise LedgerDamaged(segment, line, offset, trusted, f"in or after this line: {problem}") from problem
        if records and records[0].seq > after:
            yield from records
        else:
            yield from (record for record in records if record.seq > after)


def _read_some(folder: Path, after: int, wanted: Filter) -> Iterator[Record]:
    # A search for bytes is many times faster than decoding, so only lines that may match are decoded.
    named = None if wanted.stream is None else b'"stream":%b,' % msgspec.json.encode(wanted.stream)
    typed = None if wanted.types is None else [b'"type":%b,' % msgspec.json.encode(kind) for kind in wanted.types]
    for segment, offset, lines in _read_pieces(folder, after):
        # Most pieces hold no match, and one search through a whole piece is faster than one through each line.
        if (named and named not in lines) or (typed is not None and not any(kind in lines for kind in typed)):
            continue
        for number, line in _that_may_match(lines, named, typed):
            record = _read_line(line, segment, offset, number)
            if record.seq > after and wanted.fits(record):
                yield record


def _that_may_match(lines: bytes, named: bytes | None, typed: list[bytes] | None) -> Iterable[tuple[int, bytes]]:
    """The lines of a piece that hold the bytes of a stream and of a type, each with its number in the piece."""
    numbered: Iterable[tuple[int, bytes]] = enumerate(codec.split(lines))
    if named is not None:
        numbered = [(number, line) for number, line in numbered if named in line]
    if typed is not None:
        numbered = [(number, line) for number, line in numbered if any(kind in line for kind in typed)]
    return numbered


def _read_line(line: bytes, segment: Path, offset: int, number: int) -> Record:
    """The record of line `number` of a piece that begins at `offset`. Raises LedgerDamaged."""
    try:
        return codec.read(line)
    except BadLine as problem:
        place = _count_lines(segment, offset) + number + 1
        raise LedgerDamaged(segment, place, offset, first_seq(segment) + place - 2, str(problem)) from problem


def _read_pieces(folder: Path, after: int) -> Iterator[tuple[Path, int, bytes]]:
    """Whole lines, from a little before event `after` + 1, in pieces with their segment and offset."""
    segments = list_segments(folder)
    for number, segment in enumerate(segments):
        if number + 1 < len(segments) and first_seq(segments[number + 1]) <= after + 1:
            continue
        offset = _seek(segment, after)
        for lines in read_whole_lines(segment, offset):
            yield segment, offset, lines
            offset += len(lines)


def read_lines(folder: Path, after: int = 0) -> Iterator[bytes]:
    """The lines (without newlines) of the events after position `after`, unchanged from the files."""
    for _, _, lines in _read_pieces(folder, after):
        if not after:  # The positions of a million lines would take as long as to read them.
            yield from codec.split(lines)
            continue
        for line in codec.split(lines):
            position = _POSITION.match(line)
            if position is None or int(position[1]) > after:
                yield line


def unfinished_bytes(segment: Path) -> int:
    """The number of bytes after the last newline of a segment."""
    with open_segment(segment) as file:
        end = file.seek(0, os.SEEK_END)
        start = end
        while start > 0:
            start = max(0, start - CHUNK)
            file.seek(start)
            newline = file.read(CHUNK).rfind(b"\n")
            if newline >= 0:
                return end - (start + newline + 1)
        return end


def seal_all(segments: list[Path], manifest: Manifest) -> Manifest:
    """The manifest with an entry for each of these segments, which will not change any more.

    Raises OSError, and LedgerDamaged if the last line of a segment is not an event.
    """
    entries = []
    for segment in segments:
        if (entry := manifest.of(segment)) is None:
            last = last_event(segment)
            if last is None:
                raise Cursor(segment=segment).damaged("its last line is not an event")
            entry = seal(segment, first_seq(segment), last)
        entries.append(entry)
    return Manifest(1, entries)


def _seek(segment: Path, after: int) -> int:
    """The offset of a line, at most a chunk before that of event `after` + 1, found by bisection."""
    if after < first_seq(segment):
        return 0
    with open_segment(segment) as file:
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
    with open_segment(segment) as file:
        return file.read(end).count(b"\n")
