"""Where each event of a ledger stands: by its id, so that one that comes a second time is found, and by its stream."""

from __future__ import annotations

from array import array
from hashlib import blake2b

from ..storage import codec
from ..store import EventReader

_BYTES = 8
"""Of the digest of what an event says: kept for each event, to tell another one with its id from itself."""


class Places:
    """Follows a store. Catch up while nobody can append, where nothing may be missed."""

    def __init__(self, store: EventReader) -> None:
        self._store = store
        self._contents = array("Q")
        self._begun: dict[str, int] = {}
        self.seq = 0
        """The position of the last event that is known."""
        self.of_id: dict[str, int] = {}

    def catch_up(self) -> None:
        """Read what was appended since."""
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


def extend(stretches: list[tuple[int, int]], place: int) -> None:
    """Add one more position."""
    if stretches and sum(stretches[-1]) == place:
        stretches[-1] = (stretches[-1][0], stretches[-1][1] + 1)
    else:
        stretches.append((place, 1))


def _content(line: bytes) -> int:
    envelope, data = codec.read_envelope(line), codec.raw_data(line)
    told = b"\0".join((envelope.stream.encode(errors="replace"), envelope.type.encode(errors="replace"), data.raw))
    return int.from_bytes(blake2b(told, digest_size=_BYTES).digest())
