"""The positions of a ledger's events, by id (to find an event that arrives twice) and by stream."""

from __future__ import annotations

from array import array
from hashlib import blake2b

from ..storage import codec
from ..store import EventReader

_BYTES = 8
"""Size of the digest of an event's content, by which two events with the same id are compared."""


class Places:
    """Follows a store. Call `catch_up` under the lock if no event may be missed."""

    def __init__(self, store: EventReader) -> None:
        self._store = store
        self._contents = array("Q")
        self._begun: dict[str, int] = {}
        self.seq = 0
        """The position of the last event that is known."""
        self.of_id: dict[str, int] = {}

    def catch_up(self) -> None:
        """Read the events that were appended since the last call."""
        for line in self._store.read_lines(after=self.seq):
            envelope = codec.read_envelope(line)
            self.of_id[envelope.id] = self.seq = envelope.seq
            self._begun.setdefault(envelope.stream, envelope.seq)
            self._contents.append(_content(line))

    def first_of(self, stream: str) -> int | None:
        """The position of the first event of a stream."""
        return self._begun.get(stream)

    def says(self, seq: int, line: bytes) -> bool:
        """Whether the event at a position has the stream, type and data of that line."""
        return self._contents[seq - 1] == _content(line)


def _content(line: bytes) -> int:
    envelope, data = codec.read_envelope(line), codec.raw_data(line)
    content = b"\0".join((envelope.stream.encode(errors="replace"), envelope.type.encode(errors="replace"), data.raw))
    return int.from_bytes(blake2b(content, digest_size=_BYTES).digest())
