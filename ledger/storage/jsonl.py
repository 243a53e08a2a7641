"""The default store: a folder of JSONL segments, one lock, one hash chain.

An append takes the lock, catches up with what others wrote, decides, writes whole lines with one `write`, releases
the lock, and then syncs. Releasing before the sync lets processes share syncs: `fdatasync` covers every earlier byte
of the file, so an acknowledged event, and every event before it, is on disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Hashable, Iterator
from pathlib import Path

from ..errors import LedgerDamaged, LedgerUnwritable, OutcomeUnknown
from ..events import Record
from ..store import BEGINNING, Filter, Finding, Notice
from . import codec, disk
from .chain import BadLine, BrokenChain, Head, follow, is_event
from .damage import cut_off, examine, move_tail
from .inventory import NOTHING_SEALED, BadManifest, Manifest, read_manifest, write_manifest
from .locking import LedgerLock
from .numbering import Numbering
from .segments import (
    Cursor,
    begin_of,
    cursor_after,
    decode_piece,
    head_of,
    last_segment_name,
    list_segments,
    read_lines,
    read_records,
    seal_all,
    segment_name,
    unfinished_bytes,
    walk_chain,
)
from .writer import Writer

SEGMENT_BYTES = 64 * 1024 * 1024
"""The size at which a segment is sealed and the next event begins a new one."""

_TAIL_BYTES = 1024 * 1024
"""Maximum number of bytes by other writers that are read in one piece."""


class JsonlStore(Writer[LedgerLock]):
    """Keeps records in `folder`, which is made on the first append."""

    def __init__(self, folder: Path, *, notice: Notice, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.url = f"jsonl://{folder}"
        self._notice = notice
        self._segment_bytes = segment_bytes
        super().__init__(LedgerLock(folder / ".lock", notice=notice, progress=self.revision))
        self._sealed_fds: list[int] = []
        self._fd: int | None = None
        self._forget()

    def _forget(self) -> None:
        """Reset this handle to the state before it opened anything."""
        if self._fd is not None:
            # Another thread may still be waiting for its sync, so the file stays open until close().
            self._sealed_fds.append(self._fd)
        self._fd = None
        self._open_segment: Path | None = None
        self._open_name = ""
        self._identity = (0, 0)
        self._dead: OutcomeUnknown | None = None
        self._rewind()

    def _rewind(self) -> None:
        super()._rewind()
        self._cursor = Cursor()
        self._positions: dict[str, int] | None = None
        self._is_sealed = False
        self._seen_changes = -1

    def read(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        types: Collection[str] | None = None,
        details: bool = True,
    ) -> Iterator[Record]:
        """The records after position `after`; see `EventReader.read`. A torn last line is left out."""
        return read_records(self.folder, after, Filter(stream, types), details=details)

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The lines after position `after`, unchanged from the files."""
        return read_lines(self.folder, after)

    def revision(self) -> Hashable:
        """The name and size of the last segment."""
        name = last_segment_name(self.folder)
        # A link is not followed: it may lead nowhere, and the next read names it.
        return None if name is None else (name, os.lstat(f"{self.folder}/{name}").st_size)

    def head(self) -> Head:
        """The event of the last whole line."""
        return head_of(self.folder)

    def holds(self, head: Head) -> bool:
        """Whether the ledger holds that event."""
        if not head.seq:
            return True
        try:
            line = next(self.read_lines(after=head.seq - 1), b"")
        except LedgerDamaged:
            return False
        return is_event(line, head)

    def prove(self, after: Head = BEGINNING) -> Iterator[bytes]:
        """Every line after an event, with the chain proven up to it."""
        return walk_chain(self.folder, cursor_after(self.folder, after))

    @property
    def index_folder(self) -> Path:
        """A folder beside the segments."""
        return self.folder / "index"

    def prove_records(self, after: Head = BEGINNING, *, details: bool = True) -> Iterator[list[Record]]:
        """Every record after an event, with the chain proven up to it."""
        cursor = cursor_after(self.folder, after)
        for lines in walk_chain(self.folder, cursor):
            yield from decode_piece(lines, cursor, details=details)

    def examine(self, broken: LedgerDamaged | None) -> Iterator[Finding | str]:
        """Further breaks, segments that differ from their manifest entry, and the torn last line."""
        return examine(self.folder, broken)

    def torn_bytes(self) -> int:
        """The number of bytes after the last newline of the last segment."""
        segments = list_segments(self.folder)
        return unfinished_bytes(segments[-1]) if segments else 0

    def files(self) -> list[Path]:
        """The segments."""
        return list_segments(self.folder)

    def sync(self) -> None:
        """Return when every record that was appended before is on disk. Raises OutcomeUnknown."""
        if self._dead:
            raise self._dead
        # No lock here: appends of other threads and processes go on meanwhile, and share this sync.
        # If another thread has found another ledger here meanwhile, sync the file that was open last.
        for fd in [self._fd] if self._fd is not None else self._sealed_fds[-1:]:
            self._sync(fd)

    def cut(self) -> list[Path]:
        """Move everything that cannot be proven to the quarantine; see `EventStore.cut`."""
        with self._turn(), _named(self.folder):
            kept = cut_off(self.folder)
            self._lock.retire()
            return kept

    def close(self) -> None:
        """Close every file; the next append opens them again and reads the ledger from its start."""
        self._release()
        self._lock.close()

    def __del__(self) -> None:
        self._release()

    def _release(self) -> None:
        self._forget()
        fds, self._sealed_fds = self._sealed_fds, []
        for fd in fds:
            os.close(fd)

    def _take_up(self, is_new: bool, patience: float | None) -> None:
        if is_new:
            self._forget()

    def _cover(self) -> None:
        if self._cursor.segment is not None:
            self._open(self._cursor.segment)

    def _catch_up(self) -> Iterator[Record]:
        """The records that are new to this writer, proven to continue the chain; a torn tail goes to quarantine."""
        if self._fd is None or self._seen_changes != self._lock.changes:
            return self._walk()
        # The usual case, and the hot path if many processes write: the segment has grown a little.
        try:
            status = os.lstat(self._open_name)
        except (FileNotFoundError, NotADirectoryError):
            status = None
        if status is None or (status.st_ino, status.st_dev) != self._identity:
            self._forget()  # Another file has replaced it.
            return self._walk()
        unseen = status.st_size - self._cursor.offset
        if unseen == 0:
            return iter(())
        lines = os.pread(self._fd, unseen, self._cursor.offset) if 0 < unseen <= _TAIL_BYTES else b""
        if lines.endswith(b"\n"):
            # If the lines do not fit, the walk reports the error with its place.
            with contextlib.suppress(BadLine, BrokenChain):
                return iter(self._follow_tail(lines))
        return self._walk()

    def _follow_tail(self, lines: bytes) -> list[Record]:
        single = codec.split(lines)
        head = follow(single, self._numbering.head)
        records = codec.decode_lines(lines, details=False)
        self._follow(records)
        self._cursor.seq, self._cursor.hash = head.seq, head.hash
        self._cursor.offset += len(lines)
        self._cursor.line += len(single)
        return records

    def _check_place(self) -> None:
        """Raises LedgerMoved if the ledger no longer holds the last event that this handle has read or written."""
        known = self._seen()
        record = next(self.read(after=known.seq - 1), None) if known.seq else None
        if known.seq and (record is None or (record.seq, record.hash) != (known.seq, known.hash)):
            raise self._lock.moved(f"{self.folder} does not hold event {known.seq}, which this program knows")

    def _walk(self) -> Iterator[Record]:
        if self._is_shorter():
            self._rewind()
        manifest = self._read_manifest()
        # A writer that has read up to here has proven it; a new writer trusts the sealed segments.
        trusted = NOTHING_SEALED if self._cursor.seq else manifest
        if self._cursor.seq == 0:
            self._check_place()
            self._skip_what_is_indexed(manifest)
        self._seen_changes = self._lock.changes
        for lines in walk_chain(self.folder, self._cursor, trusted):
            for records in decode_piece(self._unread(lines), self._cursor, details=False):
                self._follow(records)
                yield from records
        if (segment := self._cursor.segment) is not None:
            self._quarantine_torn_tail(segment)
            # True if the writer that sealed it died before it began the next one.
            self._is_sealed = manifest.of(segment) is not None

    def _skip_what_is_indexed(self, manifest: Manifest) -> None:
        """Begin with the segment in which the index ends; its indexed lines are proven again, but not decoded."""
        if self._start is None or not self.holds(self._start[0]):
            return
        head, version_of = self._start
        cursor = begin_of(self.folder, head.seq, manifest) if head.seq else None
        if cursor is not None:
            self._cursor, self._numbering = cursor, Numbering(head, version_of)

    def _unread(self, lines: bytes) -> bytes:
        """The lines after the last known event; `lines` are proven and end at the cursor."""
        first = self._cursor.seq - lines.count(b"\n") + 1
        known = self._numbering.head.seq - first + 1
        if known <= 0:
            return lines
        begin = 0
        for _ in range(known):
            begin = lines.find(b"\n", begin) + 1
            if not begin:
                return b""
        return lines[begin:]

    def _is_shorter(self) -> bool:
        segment = self._cursor.segment
        return segment is not None and (not segment.exists() or segment.stat().st_size < self._cursor.offset)

    def _read_manifest(self) -> Manifest:
        try:
            return read_manifest(self.folder)
        except BadManifest:
            return NOTHING_SEALED  # Nothing is trusted, so every line is proven; `ledger verify` reports it.

    def _follow(self, records: list[Record]) -> None:
        self._numbering.follow(records)
        if self._positions is not None:
            self._positions.update((record.id, record.seq) for record in records)

    def _find(self, id: str) -> Record | None:
        # Most writers never give their own id, and a long ledger has many ids.
        if self._positions is None:
            self._positions = {record.id: record.seq for record in self.read()}
        position = self._positions.get(id)
        return None if position is None else next(self.read(after=position - 1))

    def _quarantine_torn_tail(self, segment: Path) -> None:
        offset = self._cursor.offset
        size = segment.stat().st_size
        if size == offset:
            return
        quarantine = self.folder / "quarantine"
        try:
            kept = move_tail(segment, offset, quarantine)
        except OSError as problem:
            raise LedgerUnwritable(
                f"cannot move the torn last line of {segment} to {quarantine}: {problem.strerror}. Nothing was "
                f"recorded.\nhint: make both writable, free some space, and try again"
            ) from problem
        self._notice(
            f"ledger: a crash tore the last line of {segment.name}; its {size - offset} bytes, never acknowledged, "
            f"were moved to {kept}"
        )

    def _write(self, lines: list[bytes], records: list[Record]) -> None:
        self._put(b"\n".join(lines) + b"\n")
        self._follow(records)
        self._cursor.seq, self._cursor.hash = self._numbering.head.seq, self._numbering.head.hash
        self._cursor.line += len(records)

    def _put(self, lines: bytes) -> None:
        fd = self._active()
        start = self._cursor.offset
        try:
            disk.write_all(fd, lines)
        except OSError as problem:
            try:
                disk.truncate(fd, start)
            except OSError:
                # The rest may look like a whole event to other processes, so the outcome is unknown.
                raise self._die(f"a write to {self._cursor.segment} failed halfway: {problem.strerror}") from problem
            advice = "free some space" if problem.errno in (errno.ENOSPC, errno.EDQUOT) else "check the disk"
            raise LedgerUnwritable(
                f"cannot append to {self._cursor.segment}: {problem.strerror}. Nothing was recorded.\nhint: {advice}"
            ) from problem
        self._cursor.offset = start + len(lines)

    def _active(self) -> int:
        """The open file of the segment for the next event; begins a new segment if the last one is full."""
        segment = self._cursor.segment
        if segment is not None and self._cursor.offset < self._segment_bytes and not self._is_sealed:
            return self._open(segment)
        if segment is not None:
            # Its writer may not have synced yet, and a power cut must not leave a gap before the next segment.
            self._sync(self._open(segment))
            with _named(self.folder):
                write_manifest(self.folder, seal_all(list_segments(self.folder), self._read_manifest()))
                self._lock.announce()
                self._seen_changes = self._lock.changes
        segment = self.folder / segment_name(self._numbering.head.seq + 1)
        fd = self._open(segment, os.O_CREAT | os.O_EXCL)
        self._cursor.segment, self._cursor.offset, self._cursor.line = segment, 0, 0
        self._is_sealed = False
        return fd

    def _open(self, segment: Path, flags: int = 0) -> int:
        if self._fd is not None and (self._open_segment is segment or self._open_segment == segment):
            return self._fd
        try:
            fd = disk.open_file(segment, os.O_RDWR | os.O_APPEND | flags)
        except OSError as problem:
            raise LedgerUnwritable(
                f"cannot append to {segment}: {problem.strerror}. Nothing was recorded.\nhint: make it writable"
            ) from problem
        if self._fd is not None:
            # Another thread may still be waiting for its sync, so the file stays open until close().
            self._sealed_fds.append(self._fd)
        self._fd, self._open_segment, self._open_name = fd, segment, str(segment)
        status = os.fstat(fd)
        self._identity = (status.st_ino, status.st_dev)
        try:
            # Sync even if the file existed: its writer may have died before its name was on disk.
            disk.sync_folder(self.folder)
        except OSError as problem:
            raise self._die(f"the sync of the folder {self.folder} failed: {problem.strerror}") from problem
        return fd

    def _sync(self, fd: int) -> None:
        try:
            disk.sync(fd)
        except OSError as problem:
            raise self._die(f"the sync of the ledger in {self.folder} failed: {problem.strerror}") from problem


@contextlib.contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Turn an error of the disk into LedgerUnwritable."""
    try:
        yield
    except OSError as problem:
        raise LedgerUnwritable(
            f"cannot write in {folder}: {problem.strerror}. Nothing was recorded.\nhint: make it writable; free space"
        ) from problem
