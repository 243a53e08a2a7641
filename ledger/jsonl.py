"""The default store: a folder of JSONL segments, one lock, one hash chain.

An append takes the lock, catches up with what others wrote, decides, writes whole lines with one `write`, releases
the lock, and then syncs. Releasing before the sync lets processes share syncs: `fdatasync` covers every earlier byte
of the file, so whoever is told "done" has his event, and all before it, on disk.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import codec
from .errors import EventConflict, LedgerUnwritable, OutcomeUnknown
from .events import NewEvent, Record
from .identity import utc_now, uuid7
from .segments import Cursor, read_lines, read_records, segment_name, walk_chain
from .store import Accept, Decide, Notice

SEGMENT_BYTES = 64 * 1024 * 1024
"""A segment of this size is sealed: the next event begins a new one."""

_sync_data = getattr(os, "fdatasync", os.fsync)


class JsonlStore:
    """Keeps records in `folder`, which is made on the first append."""

    def __init__(self, folder: Path, *, notice: Notice, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.url = f"jsonl://{folder}"
        self._notice = notice
        self._segment_bytes = segment_bytes
        self._thread_lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._lock_fd: int | None = None
        self._fd: int | None = None
        self._open_segment: Path | None = None
        self._sealed_fds: list[int] = []
        self._dead: OutcomeUnknown | None = None
        self._rewind()

    def _rewind(self) -> None:
        self._cursor = Cursor()
        self._versions: dict[str, int] = {}
        self._positions: dict[str, int] = {}

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records behind position `after`. A torn last line is not there yet. Raises LedgerDamaged."""
        return read_records(self.folder, after)

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The lines behind position `after`, as they stand in the files."""
        return read_lines(self.folder, after)

    def append(self, decide: Decide, accept: Accept) -> list[Record]:
        """Append what `decide` returns; see `EventStore.append`."""
        with self._thread_lock:
            if self._pid != os.getpid():
                # A forked child shares its parent's lock, so it must not use it: it starts anew.
                self._release()
            if self._dead:
                raise self._dead
            with self._exclusive():
                try:
                    return self._append_exclusive(decide, accept)
                except BaseException:
                    self._rewind()
                    raise

    def sync(self) -> None:
        """Return when every record that was appended before is on disk. Raises OutcomeUnknown."""
        if self._dead:
            raise self._dead
        # No lock here: appends of other threads and processes go on meanwhile, and share this sync.
        if (fd := self._fd) is not None:
            self._sync(fd)

    def close(self) -> None:
        """Close every file; the next append opens them again and reads the ledger from its start."""
        with self._thread_lock:
            self._release()

    def _release(self) -> None:
        for fd in (self._lock_fd, self._fd, *self._sealed_fds):
            if fd is not None:
                os.close(fd)
        self._forget()

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        if self._lock_fd is None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock_fd = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as problem:
                raise LedgerUnwritable(
                    f"cannot write the ledger in {self.folder}: {problem.strerror}. Make the folder writable, or "
                    f"choose another with --workspace or --ledger"
                ) from problem
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _append_exclusive(self, decide: Decide, accept: Accept) -> list[Record]:
        fresh = decide(self._catch_up())
        if not fresh:
            return []
        lines, records, known = self._number(fresh)
        if records:
            accept(records)
            self._write(b"".join(lines), first=records[0].seq)
            self._remember(records)
            self._cursor.seq, self._cursor.hash = records[-1].seq, records[-1].hash
            self._cursor.line += len(records)
        return self._in_order(fresh, records, known)

    def _catch_up(self) -> list[Record]:
        """The records that are new to this writer, proven to continue the chain; a torn tail goes to quarantine."""
        fresh: list[Record] = []
        for piece in walk_chain(self.folder, self._cursor):
            fresh += piece
            self._remember(piece)
        if self._cursor.segment is not None:
            self._quarantine_torn_tail(self._cursor.segment)
        return fresh

    def _quarantine_torn_tail(self, segment: Path) -> None:
        offset = self._cursor.offset
        size = segment.stat().st_size
        if size == offset:
            return
        quarantine = self.folder / "quarantine"
        kept = quarantine / f"{segment.stem}-{offset}-{utc_now().replace(':', '')}.part"
        try:
            quarantine.mkdir(exist_ok=True)
            with segment.open("r+b") as file, kept.open("xb") as copy:
                file.seek(offset)
                copy.write(file.read())
                copy.flush()
                os.fsync(copy.fileno())
                file.truncate(offset)
                os.fsync(file.fileno())
        except OSError as problem:
            raise LedgerUnwritable(
                f"cannot move the torn last line of {segment} to {quarantine}: {problem.strerror}. Nothing was "
                f"recorded; make both writable, with some space, and try again"
            ) from problem
        self._notice(
            f"ledger: a crash tore the last line of {segment.name}; its {size - offset} bytes, never acknowledged, "
            f"were moved to {kept}"
        )

    def _number(self, fresh: Sequence[NewEvent]) -> tuple[list[bytes], list[Record], dict[str, Record]]:
        """Lines and records of the events that are really new, and the first records of those that are not."""
        seq, digest, now = self._cursor.seq, self._cursor.hash, utc_now()
        versions: dict[str, int] = {}
        lines: list[bytes] = []
        records: list[Record] = []
        known: dict[str, Record] = {}
        for new in fresh:
            if new.id is not None and (first := self._find(new.id, records)) is not None:
                if first.stream != new.stream or first.data != new.data:
                    raise EventConflict(f"event id {new.id} is at position {first.seq} already, with other content")
                known[new.id] = first
                continue
            version = versions.get(new.stream, self._versions.get(new.stream, 0)) + 1
            seq += 1
            line, record = codec.encode(new, seq=seq, id=new.id or uuid7(), at=now, version=version, prev=digest)
            digest, versions[new.stream] = record.hash, version
            lines.append(line)
            records.append(record)
        return lines, records, known

    def _find(self, id: str, pending: list[Record]) -> Record | None:
        for record in pending:
            if record.id == id:
                return record
        position = self._positions.get(id)
        return None if position is None else next(self.read(after=position - 1))

    @staticmethod
    def _in_order(fresh: Sequence[NewEvent], records: list[Record], known: dict[str, Record]) -> list[Record]:
        added = iter(records)
        return [known[new.id] if new.id in known else next(added) for new in fresh]

    def _remember(self, records: list[Record]) -> None:
        for record in records:
            self._versions[record.stream] = record.version
            self._positions[record.id] = record.seq

    def _write(self, lines: bytes, *, first: int) -> None:
        fd = self._active(first)
        start = self._cursor.offset
        written = 0
        try:
            while written < len(lines):
                written += os.write(fd, lines[written:])
        except OSError as problem:
            try:
                os.ftruncate(fd, start)
            except OSError:
                # What is there now may look like a whole event to others, so nothing can be said of it.
                raise self._die(f"a write to {self._cursor.segment} failed half way: {problem.strerror}") from problem
            advice = "free some space" if problem.errno in (errno.ENOSPC, errno.EDQUOT) else "look after the disk"
            raise LedgerUnwritable(
                f"cannot append to {self._cursor.segment}: {problem.strerror}. Nothing was recorded; {advice}"
            ) from problem
        self._cursor.offset = start + len(lines)

    def _active(self, first: int) -> int:
        """The open file of the segment that takes event `first`; begins a new segment where the last one is full."""
        segment = self._cursor.segment
        if segment is None or self._cursor.offset >= self._segment_bytes:
            if segment is not None:
                # Whoever wrote there may not have synced yet, and no power cut may leave a gap before the next segment.
                self._sync(self._open(segment))
            segment = self.folder / segment_name(first)
            fd = self._open(segment, os.O_CREAT | os.O_EXCL)
            self._sync_folder()
            self._cursor.segment, self._cursor.offset, self._cursor.line = segment, 0, 0
            return fd
        return self._open(segment)

    def _open(self, segment: Path, flags: int = 0) -> int:
        if self._fd is not None and self._open_segment == segment:
            return self._fd
        try:
            fd = os.open(segment, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, 0o644)
        except OSError as problem:
            raise LedgerUnwritable(
                f"cannot append to {segment}: {problem.strerror}. Nothing was recorded; make it writable"
            ) from problem
        if self._fd is not None:
            # Another thread may still be waiting for its sync, so the file stays open until close().
            self._sealed_fds.append(self._fd)
        self._fd, self._open_segment = fd, segment
        return fd

    def _sync_folder(self) -> None:
        try:
            fd = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as problem:
            raise self._die(f"the sync of the folder {self.folder} failed: {problem.strerror}") from problem

    def _sync(self, fd: int) -> None:
        try:
            _sync_data(fd)
        except OSError as problem:
            raise self._die(f"the sync of the ledger in {self.folder} failed: {problem.strerror}") from problem

    def _die(self, what: str) -> OutcomeUnknown:
        self._dead = OutcomeUnknown(
            f"{what}. Whether the last events are on disk is unknown; run `ledger verify`, then try again"
        )
        return self._dead
