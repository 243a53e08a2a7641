"""Reads files of runs that are not here, from the stores that this user configured.

An event may name a store, but a reader never follows it: a ledger from elsewhere could name any address, such as one of
the internal network. Only configured stores are asked, and only for the path that the layout of a workspace gives a
run's file.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec

from ..events import Artifact
from ..run_files import LOGS, Missing, NotReadable, open_inside
from .store import FileStore, Unreachable

PARTS = ".parts"
"""The folder beside a log, by its name and this ending, that holds the log's parts while the run goes on."""

MAX_BYTES = 2 * 1024**3
"""Maximum size of a file that is brought here to be read."""
MAX_PROVEN_LOG_BYTES = 64 * 1024 * 1024
"""Maximum size of a log that is brought here as a whole, and proven, before a piece of it is read."""
_KEPT_BYTES = 512 * 1024 * 1024
"""Maximum size of all files that are kept for the next question."""
_BUFFER_BYTES = 256 * 1024
_NAME_DIGITS = 20


class Elsewhere:
    """The stores of this user, in the order in which they are asked.

    `root` is the folder here that has the same layout: a run's folder lies at the same path below both.
    """

    def __init__(self, root: Path, stores: Sequence[FileStore] = ()) -> None:
        self._root = root
        self.stores = tuple(stores)
        self._kept = _Kept()

    def key_of(self, folder: Path) -> str | None:
        """The path of a run's folder below each store; None if the folder does not lie below the root."""
        try:
            key = folder.relative_to(self._root).as_posix()
        except ValueError:
            return None
        return None if key in ("", ".") else key

    def open(self, folder: Path, artifact: Artifact) -> BinaryIO:
        """A recorded file from the first store that has it, proven by its size and digest.

        Raises Missing if no store has it or can be asked, and NotReadable if it differs from the record.
        """
        if self.stores and artifact.bytes > MAX_BYTES:
            raise NotReadable(f"has {artifact.bytes} bytes, and at most {MAX_BYTES} are brought here to be read")
        if file := self._kept.open(artifact.sha256):
            return file
        with self._kept.new() as target:
            seen = sha256()
            for piece in self._pieces(folder, artifact):
                seen.update(piece)
                target.write(piece)
            _compare(seen.hexdigest(), artifact)
            return self._kept.keep(artifact, target)

    def check(self, folder: Path, artifact: Artifact) -> None:
        """Compare a recorded file in the first store that has it. Raises as `open`."""
        seen = sha256()
        for piece in self._pieces(folder, artifact):
            seen.update(piece)
        _compare(seen.hexdigest(), artifact)

    def _pieces(self, folder: Path, artifact: Artifact) -> Iterator[bytes]:
        home = self.key_of(folder)
        unreachable: Unreachable | None = None
        for store in self.stores if home else ():
            try:
                parts = _file(store, f"{home}/{artifact.path}", may_be_in_parts=artifact.path in LOGS)
            except Unreachable as problem:
                unreachable = problem
                continue
            if not parts:
                continue
            _compare_size(_end(parts), artifact)
            for part in parts:
                yield from store.pieces(part.key, part.skipped, part.skipped + part.size)
            return
        raise unreachable or Missing("is missing")

    def sizes(self, folder: Path) -> dict[str, int]:
        """The files of a run in the stores that can be asked, by their paths, with their sizes."""
        found: dict[str, int] = {}
        home = self.key_of(folder)
        for store in self.stores if home else ():
            try:
                found = {**store.sizes(home or ""), **found}
            except NotReadable:
                continue
        return found

    def open_log(self, folder: Path, name: str, recorded: Artifact | None = None) -> tuple[BinaryIO, int]:
        """A log as far as a store has it, and its size: the whole, or the parts of a run that goes on or was lost.

        If the run recorded the log, its size is compared, and up to MAX_PROVEN_LOG_BYTES its digest. Raises Missing if
        no store has it or can be asked, and NotReadable if it differs from the record.
        """
        home = self.key_of(folder)
        unreachable: Unreachable | None = None
        for store in self.stores if home else ():
            try:
                parts = _file(store, f"{home}/{name}", may_be_in_parts=True)
            except Unreachable as problem:
                unreachable = problem
                continue
            except NotReadable:
                continue
            if not parts:
                continue
            size = _end(parts)
            # Parts may lack the end of a log that could not be copied: that is shown as far as it is there.
            if recorded is not None and not (size < recorded.bytes and PARTS in parts[0].key):
                _compare_size(size, recorded)
                if size <= MAX_PROVEN_LOG_BYTES:
                    return self.open(folder, recorded), size
            return io.BufferedReader(_Log(store, parts), _BUFFER_BYTES), size
        raise unreachable or Missing("is missing")


def open_recorded(folder: Path, artifact: Artifact, elsewhere: Elsewhere | None) -> BinaryIO:
    """A file that a run recorded: the one here, else the proven one of a store.

    Raises Missing if it is nowhere, and NotReadable.
    """
    try:
        return open_inside(folder, artifact.path)
    except Missing:
        if elsewhere is None or not elsewhere.stores:
            raise
    return elsewhere.open(folder, artifact)


def part_name(offset: int) -> str:
    """The name of the part of a log that begins at that byte; the names sort as the parts follow each other."""
    return f"{offset:0{_NAME_DIGITS}d}"


class _Part(msgspec.Struct, frozen=True):
    """Bytes of a log: they begin at `start` of the log and at `skipped` of the file `key`."""

    start: int
    size: int
    key: str
    skipped: int = 0


def _file(store: FileStore, key: str, *, may_be_in_parts: bool) -> list[_Part]:
    """A file as one part, or else a log in the parts that are there; empty if there is none.

    Raises Unreachable and NotReadable.
    """
    try:
        return [_Part(0, store.size(key), key)]
    except Missing:
        return _parts(store, f"{key}{PARTS}") if may_be_in_parts else []


def _end(parts: Sequence[_Part]) -> int:
    return parts[-1].start + parts[-1].size


def _parts(store: FileStore, key: str) -> list[_Part]:
    """The parts of a log up to the first gap. A part that was sent again may overlap with the one before."""
    parts: list[_Part] = []
    end = 0
    for name, size in sorted(store.sizes(key).items()):
        if not (name.isascii() and name.isdecimal() and len(name) == _NAME_DIGITS):
            continue
        start = int(name)
        if start > end:
            break
        if start + size > end:
            parts.append(_Part(end, start + size - end, f"{key}/{name}", end - start))
            end = start + size
    return parts


class _Log(io.RawIOBase):
    """A log in a store. Only the pieces that are read are asked for."""

    def __init__(self, store: FileStore, parts: Sequence[_Part]) -> None:
        self._store = store
        self._parts_of_log = parts
        self._place = 0
        self.size = _end(parts)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte of the log."""
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = max(0, begin + offset)
        return self._place

    def readinto(self, buffer: object) -> int:
        """Read from one part. Raises OSError if the store does not answer meanwhile."""
        view = memoryview(buffer)  # type: ignore[arg-type]  # what BufferedReader gives
        part = next((one for one in self._parts_of_log if one.start <= self._place < one.start + one.size), None)
        if part is None:
            return 0
        first = self._place - part.start + part.skipped
        count = min(len(view), part.size - (self._place - part.start))
        try:
            content = b"".join(self._store.pieces(part.key, first, first + count))
        except NotReadable as problem:
            raise OSError(0, str(problem)) from problem
        view[: len(content)] = content
        self._place += len(content)
        return len(content)


def _compare_size(actual: int, artifact: Artifact) -> None:
    if actual != artifact.bytes:
        raise NotReadable(f"is not the file that was recorded: it has {actual} bytes, not {artifact.bytes}")


def _compare(actual: str, artifact: Artifact) -> None:
    if actual != artifact.sha256:
        raise NotReadable(f"is not the file that was recorded: its SHA-256 is {actual}, not {artifact.sha256}")


class _Kept:
    """Proven files that were brought here, by their digests, in a private folder that ends with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0

    def open(self, digest: str) -> BinaryIO | None:
        """A kept file; None if it is not kept."""
        with self._lock:
            if digest not in self._files:
                return None
            self._files.move_to_end(digest)
            return self._path(digest).open("rb")

    @contextlib.contextmanager
    def new(self) -> Iterator[BinaryIO]:
        """A new file to write to. It is removed unless it is kept."""
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="benchmarks-files-")
        path = Path(self._folder.name) / secrets.token_hex(8)
        try:
            with path.open("xb") as file:
                yield file
        finally:
            path.unlink(missing_ok=True)

    def keep(self, artifact: Artifact, file: BinaryIO) -> BinaryIO:
        """The new file, proven, opened for reading. The oldest files make room for it."""
        file.flush()
        opened = Path(file.name).open("rb")  # noqa: SIM115 - the caller closes it
        with self._lock:
            if artifact.sha256 in self._files or artifact.bytes > _KEPT_BYTES // 4:
                return opened
            Path(file.name).rename(self._path(artifact.sha256))
            self._files[artifact.sha256] = artifact.bytes
            self._bytes += artifact.bytes
            while self._bytes > _KEPT_BYTES:
                oldest, size = self._files.popitem(last=False)
                self._bytes -= size
                self._path(oldest).unlink(missing_ok=True)  # A reader that has it open goes on.
        return opened

    def _path(self, digest: str) -> Path:
        assert self._folder is not None  # noqa: S101 - for the type checker: a file was kept in it
        # The digest comes from an event, which may hold any text.
        return Path(self._folder.name) / sha256(digest.encode()).hexdigest()
