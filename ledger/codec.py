"""One event, one line: how a record becomes bytes, and how the hash chain binds it to the line before.

A line is `{"seq":…,"id":…,"at":…,"type":…,"stream":…,"version":…,"data":{…},"prev":"…","hash":"…"}`. Its hash is
the SHA-256 of the line's bytes up to, and not including, `,"hash":`, and `prev` is the hash of the line before.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from .errors import UnreadableEvent
from .events import EVENT_TYPES, Event, NewEvent, Record, Unknown

GENESIS = "0" * 64
"""The `prev` of the first event."""

_TAIL = len(',"hash":"') + 64 + len('"}')
_encode = msgspec.json.Encoder().encode


# A record class for each event type, told apart by the envelope's `type`: so that one pass over the bytes decodes
# envelope and data, which is what replaying a long history costs.
def _record_class(event: type[Event]) -> Any:
    return msgspec.defstruct(
        f"Record{event.__name__}",
        [("data", event)],
        bases=(Record,),
        tag_field="type",
        tag=event.type,
        frozen=True,
        kw_only=True,
    )


_RECORDS: dict[type[Event], type[Record]] = {event: _record_class(event) for event in EVENT_TYPES.values()}


def _union(kinds: list[type[Record]]) -> Any:
    union: Any = kinds[0]
    for kind in kinds[1:]:
        union = union | kind
    return union


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    seq: int
    id: str
    at: str
    type: str
    stream: str
    version: int
    data: msgspec.Raw
    prev: str
    hash: str


_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(_union(list(_RECORDS.values())))
_envelope_decoder = msgspec.json.Decoder(_Envelope)


class BadLine(ValueError):
    """A line that is no record of the ledger; the message says why."""


def encode(new: NewEvent, *, seq: int, id: str, at: str, version: int, prev: str) -> tuple[bytes, Record]:
    """The line (with its newline) of a new event at position `seq`, and the record that it holds.

    Raises UnreadableEvent where the line could not be read again: JSON has no NaN and UTF-8 no lone surrogate.
    """
    try:
        body = b'{"seq":%d,"id":%b,"at":%b,"type":%b,"stream":%b,"version":%d,"data":%b,"prev":"%b"' % (
            seq,
            _encode(id),
            _encode(at),
            _encode(new.data.type),
            _encode(new.stream),
            version,
            _encode(new.data),
            prev.encode(),
        )
        line = b'%b,"hash":"%b"}' % (body, sha256(body).hexdigest().encode())
        # Read back, for two reasons: one line that can't be read would stop the ledger for good, and whoever appends
        # sees what every reader will see.
        return line + b"\n", decode(line)
    except (TypeError, ValueError, OverflowError) as problem:
        raise UnreadableEvent(
            f"the {new.data.type} event for {new.stream!r} can't be written so that it can be read again: {problem}. "
            f"Nothing was recorded; look for a value that JSON does not have, such as NaN, infinity or bytes"
        ) from problem


def decode(line: bytes) -> Record:
    """The record on a line; an event of an unknown type becomes an `Unknown` that keeps its bytes.

    Raises BadLine where the line is no record, or its data lacks what its type must have.
    """
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError as problem:
        try:
            envelope = _envelope_decoder.decode(line)
        except msgspec.DecodeError:
            raise BadLine(f"no event: {problem}") from problem
        if envelope.type in EVENT_TYPES:
            raise BadLine(f"no {envelope.type} event: {problem}") from problem
        return Record(
            seq=envelope.seq,
            id=envelope.id,
            at=envelope.at,
            stream=envelope.stream,
            version=envelope.version,
            data=Unknown(named=envelope.type, raw=envelope.data),
            prev=envelope.prev,
            hash=envelope.hash,
        )


def decode_lines(lines: bytes) -> Iterator[Record]:
    """The records of whole lines; `lines` ends with a newline. Raises BadLine."""
    try:
        yield from _decode_all(lines)
    except msgspec.DecodeError:
        # Something in this piece needs a closer look: an unknown type, or a line that is not ours.
        yield from map(decode, split(lines))


def split(lines: bytes) -> list[bytes]:
    """The lines of whole lines, without their newlines. (`splitlines` would also part them at a carriage return.)"""
    return lines[:-1].split(b"\n")


def _decode_all(lines: bytes) -> list[Record]:
    return _decoder.decode_lines(lines)


def link(line: bytes) -> str:
    """The hash that the bytes of a line (without its newline) should carry. Raises BadLine where it carries none."""
    if line[-_TAIL : -_TAIL + 9] != b',"hash":"' or line[-2:] != b'"}':
        raise BadLine('the line does not end with ,"hash":"<64 hex digits>"}')
    return sha256(line[:-_TAIL]).hexdigest()


def check(line: bytes, *, seq: int, prev: str) -> str:
    """Prove that a line (without its newline) is event `seq` and follows the event whose hash is `prev`; its own hash.

    Raises BadLine with what does not fit.
    """
    digest = link(line)
    if line[-66:-2] != digest.encode():
        raise BadLine("its hash does not match its bytes")
    start = b'{"seq":%d,' % seq
    if not line.startswith(start):
        raise BadLine(f"it does not begin with {start.decode()}")
    if line[-_TAIL - 74 : -_TAIL] != b',"prev":"%b"' % prev.encode():
        raise BadLine("its prev is not the hash of the event before")
    return digest
