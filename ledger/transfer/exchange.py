"""Exports and copies to one file of lines or to another kind of store; the chain stays unchanged."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ..errors import LedgerDamaged, LedgerUnwritable, OtherHistory
from ..events import Record
from ..output_file import written_whole
from ..storage import codec
from ..storage.chain import BadLine, BrokenChain, Head, follow, last_of
from ..storage.numbering import pieces_of
from ..store import EventStore
from . import packed
from .admission import judge_continuation
from .packed import UnreadableFile

__all__ = ["FILE_ENDINGS", "LinesFile", "UnreadableFile", "copy", "export_lines", "head_of"]

_BYTES_AT_ONCE = 1024 * 1024

FILE_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
"""The endings of the names of such files."""


class LinesFile:
    """A file with the lines of a ledger, from the first line on; compressed if its name ends with `.gz` or `.zst`."""

    def __init__(self, path: Path, *, name: str | None = None) -> None:
        """`name` is its name in messages."""
        self.path = path
        self.url = name or str(path)

    def read(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        types: Collection[str] | None = None,
        details: bool = True,
    ) -> Iterator[Record]:
        """The records after position `after`; see `EventReader.read`."""
        typed = None if types is None else [b'"type":"%b"' % kind.encode() for kind in types]
        for number, line in enumerate(self.read_lines(after), after + 1):
            if typed is not None and not any(kind in line for kind in typed):
                continue
            try:
                record = codec.read(line)
            except BadLine as problem:
                raise LedgerDamaged(self.path, number, None, number - 1, str(problem)) from problem
            if stream in (None, record.stream) and (types is None or record.type in types):
                yield record

    def read_lines(self, after: int = 0) -> Iterator[bytes]:
        """The lines after position `after`."""
        return itertools.islice(packed.lines(self.path), after, None)

    def prove(self) -> Iterator[bytes]:
        """Every line, in pieces, each proven to continue the chain. Raises LedgerDamaged, UnreadableFile."""
        head = Head()
        for piece in pieces_of(self.read_lines(), _BYTES_AT_ONCE):
            try:
                head = follow(piece, head)
            except BrokenChain as problem:
                seq = problem.head.seq
                if not seq and not piece[0].startswith(b'{"seq":'):
                    raise UnreadableFile(
                        f"{self.url} is not a ledger: its first line is not an event",
                        "benchmarks ledger export writes a ledger to a file",
                    ) from problem
                raise LedgerDamaged(self.path, seq + 1, None, seq, problem.reason) from problem
            yield b"".join(line + b"\n" for line in piece)


def export_lines(store: EventStore, path: Path) -> Head:
    """Write every line of a ledger, each proven, to one file, completely or not at all. Returns the ledger's head.

    Raises LedgerDamaged and LedgerUnwritable.
    """
    head = Head()
    try:
        with written_whole(path) as target, target.open("wb") as raw, packed.packing(path, raw) as file:
            for lines in store.prove():
                file.write(lines)
                head = last_of(lines)
    except OSError as problem:
        raise LedgerUnwritable(f"cannot write {path}: {problem.strerror}") from problem
    return head


def copy(source: EventStore, target: EventStore, *, is_judged: bool = False) -> int:
    """Copy the ledger `source` to the store `target` line by line. Returns the number of new events.

    The target is empty, or an earlier copy. With `is_judged`, new events are checked first, as in `take_in`; for your
    own ledger that is not needed. Raises LedgerDamaged if either is damaged, OtherHistory if the target
    holds something else, RefusedLedger, and what `EventStore.append_lines` raises.
    """
    known = head_of(target.prove())
    record = next(source.read(after=known.seq - 1), None) if known.seq else None
    if known.seq and (record is None or record.hash != known.hash):
        raise OtherHistory(
            f"{target.url} is not an earlier copy of {source.url}: their events {known.seq} differ. "
            f"Nothing was written.\nhint: give an empty place, or merge with `ledger import`"
        )
    if is_judged:
        judge_continuation(target, source, shared=known.seq)
    return target.append_lines(itertools.islice(_lines(source.prove()), known.seq, None))


def head_of(pieces: Iterable[bytes]) -> Head:
    """The head after proven lines."""
    head = Head()
    for lines in pieces:
        head = last_of(lines)
    return head


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for lines in pieces:
        yield from codec.split(lines)
