"""Numbers new events before any store writes them: each gets its position."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from ..errors import EventConflict, OtherHistory, WrongExpectedVersion
from ..events import NewEvent, Record
from ..identity import uuid7
from ..store import BEGINNING, VersionOf
from . import codec
from .chain import BadLine, BrokenChain, Head, follow

_COPIED_AT_ONCE = 1024 * 1024

Find = Callable[[str], Record | None]
"""Looks up the record with that id in the ledger."""


class Batch(msgspec.Struct, frozen=True):
    """New events with their positions: the lines to write (without newlines), their records, and the caller's answer.

    `answer` has a record for each event of the caller: for a known one, its first record.
    """

    lines: list[bytes]
    added: list[Record]
    answer: list[Record]


class Numbering:
    """The head of the ledger, and the version of each stream, as one writer knows them."""

    def __init__(self, head: Head = BEGINNING, version_of: VersionOf = lambda _: 0) -> None:
        """A writer that begins after `head`; `version_of` gives the version that a stream has there."""
        self.head = head
        self.version_of = version_of
        self._versions: dict[str, int] = {}

    def follow(self, records: Iterable[Record]) -> None:
        """Follow records that are in the ledger."""
        record = None
        for record in records:
            self._versions[record.stream] = record.version
        if record is not None:
            self.head = Head(record.seq, record.hash)

    def number(self, fresh: Sequence[NewEvent], find: Find, now: str) -> Batch:
        """Give each new event its position, and the time `now` if it has none of its own.

        This object does not change: the caller calls `follow` after the write.

        Raises EventConflict, WrongExpectedVersion and UnreadableEvent.
        """
        seq, digest = self.head.seq, self.head.hash
        versions: dict[str, int] = {}
        pending: dict[str, Record] = {}
        batch = Batch([], [], [])
        for new in fresh:
            first = None if new.id is None else pending.get(new.id) or find(new.id)
            version = versions[new.stream] if new.stream in versions else self._version(new.stream)
            if first is None and new.expected_version not in (None, version):
                raise WrongExpectedVersion(new.stream, expected=new.expected_version or 0, actual=version)
            line, record = codec.encode(
                new, seq=seq + 1, id=new.id or uuid7(), at=new.at or now, version=version + 1, prev=digest
            )
            if first is not None:
                if (first.stream, first.type, first.data) != (record.stream, record.type, record.data):
                    raise EventConflict(f"event id {new.id} is at position {first.seq} already, with other content")
                batch.answer.append(first)
                continue
            seq, digest, versions[new.stream] = record.seq, record.hash, record.version
            if new.id is not None:
                pending[new.id] = record
            batch.lines.append(line[:-1])
            batch.added.append(record)
            batch.answer.append(record)
        return batch

    def _version(self, stream: str) -> int:
        version = self._versions.get(stream)
        return self.version_of(stream) if version is None else version

    def continued_by(self, lines: Iterable[bytes]) -> Iterator[tuple[list[bytes], list[Record]]]:
        """The lines in pieces, with their records, as long as each line continues the chain.

        Call `follow` after each write. Raises OtherHistory for the first line that does not continue the chain or is
        not an event, after it has yielded the lines before.
        """
        for piece in pieces_of(lines, _COPIED_AT_ONCE):
            try:
                follow(piece, self.head)
            except BrokenChain as problem:
                if problem.index:
                    yield piece[: problem.index], _records(piece[: problem.index], self.head.seq)
                raise OtherHistory(
                    f"the line after event {problem.head.seq} belongs to another history: {problem.reason}"
                ) from problem
            yield piece, _records(piece, self.head.seq)


def _records(lines: list[bytes], seq: int) -> list[Record]:
    """The records of lines that follow event `seq`. They are read before anything is written: an unreadable one
    would stop every later append."""
    records = []
    for number, line in enumerate(lines, seq + 1):
        try:
            record = codec.read(line)
        except BadLine as problem:
            raise OtherHistory(
                f"the line for event {number} is not an event: {problem}. It was not written"
            ) from problem
        if record.seq != number:
            raise OtherHistory(
                f"the line for event {number} also says that it is event {record.seq}. It was not written"
            )
        records.append(record)
    return records


def pieces_of(lines: Iterable[bytes], max_bytes: int) -> Iterator[list[bytes]]:
    """The lines, in lists of about `max_bytes` bytes."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= max_bytes:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece
