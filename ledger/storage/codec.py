"""One event, one line: conversion between records and bytes.

A line is `{"seq":…,"id":…,"at":…,"type":…,"stream":…,"version":…,"data":{…},"prev":"…","hash":"…"}`; the last
two fields belong to the chain.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Union, cast

import msgspec

from ..errors import UnreadableEvent
from ..events import EVENT_TYPES, Artifact, Event, Json, NewEvent, Progress, Record, Unknown, Unreadable
from ..upcasting import UPCASTERS
from .chain import BadLine, seal

_encode = msgspec.json.Encoder().encode

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The errors that a decoder raises for bytes that this program did not write."""


# A record class for each event type, distinguished by the envelope's `type`: so one pass over the bytes decodes
# envelope and data. Decoding takes most of the time of replaying a long history.
@functools.cache
def _record_class(event: type[Event]) -> Any:
    return msgspec.defstruct(
        f"Record{event.__name__}",
        [("data", event)],
        bases=(Record,),
        tag_field="type",
        tag=event.type,
        frozen=True,
        kw_only=True,
        gc=False,
    )


def _without_details(event: type[Event]) -> type[Event]:
    """The same event type without its details: the decoder looks for them under names that no line has."""
    if not event.details:
        return event
    fields = msgspec.structs.fields(event)
    passed_over = [(field.name, field.type, _NOTHING[field.type]) for field in fields if field.name in event.details]
    lean: Any = msgspec.defstruct(
        event.__name__,
        passed_over,
        bases=(event,),
        rename={name: f" {name}" for name in event.details},
        frozen=True,
        kw_only=True,
        gc=False,
    )
    return cast("type[Event]", lean)


# One empty list and dict for all: the content of an event is never changed.
_NO_ITEMS: list[Any] = []
_NO_FIELDS: Json = {}
_NOTHING: dict[Any, Any] = {
    Json: msgspec.field(default_factory=lambda: _NO_FIELDS),
    list[str]: msgspec.field(default_factory=lambda: _NO_ITEMS),
    list[Artifact]: msgspec.field(default_factory=lambda: _NO_ITEMS),
    str: "",
    str | None: None,
    Progress | None: None,
}


def _decoder_of(events: Iterable[type[Event]]) -> msgspec.json.Decoder[Record]:
    union: Any = Union[tuple(map(_record_class, events))]  # noqa: UP007 - of types that are made here
    return msgspec.json.Decoder(union)


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A record without its data."""

    seq: int
    id: str
    at: str
    type: str
    stream: str
    version: int


class _Envelope(Envelope, frozen=True, kw_only=True):
    data: msgspec.Raw
    prev: str
    hash: str


_decoder = _decoder_of(EVENT_TYPES.values())
_lean_decoder = _decoder_of(map(_without_details, EVENT_TYPES.values()))
_envelope_decoder = msgspec.json.Decoder(_Envelope)
_short_decoder = msgspec.json.Decoder(Envelope)


def encode(new: NewEvent, *, seq: int, id: str, at: str, version: int, prev: str) -> tuple[bytes, Record]:
    """The line (with its newline) of a new event at position `seq`, and the record that it holds.

    The data of an `Unknown` is written byte for byte. Raises UnreadableEvent if the line could not be read again:
    JSON does not have NaN, and UTF-8 does not have lone surrogates.
    """
    data = new.data
    kind = data.named if isinstance(data, Unknown) else data.type
    try:
        raw = data.raw if isinstance(data, Unknown) else _encode(data)
        line = seal(_body(seq, id, at, kind, new.stream, version, raw, prev))
        # Read it back: one unreadable line would stop the ledger for good, and the writer must get the same record
        # as every reader.
        return line + b"\n", decode(line)
    except (TypeError, ValueError, OverflowError, RecursionError) as problem:
        raise UnreadableEvent(
            f"the {kind} event for {new.stream!r} can't be written so that it can be read again: {problem}. "
            f"Nothing was recorded.\nhint: look for a value that JSON does not have, such as NaN, infinity or bytes"
        ) from problem


def _body(
    seq: int, id: str, at: str, kind: str, stream: str, version: int, data: bytes | msgspec.Raw, prev: str
) -> bytes:
    return b'{"seq":%d,"id":%b,"at":%b,"type":%b,"stream":%b,"version":%d,"data":%b,"prev":"%b"' % (
        seq,
        _encode(id),
        _encode(at),
        _encode(kind),
        _encode(stream),
        version,
        data,
        prev.encode(),
    )


def line_of(record: Record) -> bytes:
    """The line (without its newline) of a record that this version wrote."""
    data = record.data
    raw = data.raw if isinstance(data, Unknown) else _encode(data)
    return seal(_body(record.seq, record.id, record.at, record.type, record.stream, record.version, raw, record.prev))


def renumber(line: bytes, *, seq: int, version: int, prev: str) -> str:
    """The hash that the event of a line has at another position. Raises BadLine."""
    try:
        envelope = _envelope_decoder.decode(line)
    except _UNREADABLE as problem:
        raise BadLine(f"not an event: {problem}") from problem
    return sha256(
        _body(seq, envelope.id, envelope.at, envelope.type, envelope.stream, version, envelope.data, prev)
    ).hexdigest()


def decode(line: bytes) -> Record:
    """The record on a line. An old shape of an event is converted to the current one (`upcasting`); an event of an
    unknown type becomes an `Unknown` that keeps its bytes.

    Raises BadLine if the line is not a record, or its data lacks a field of its type.
    """
    record = read(line)
    if isinstance(record.data, Unreadable):
        raise BadLine(record.data.problem)
    return record


def read(line: bytes) -> Record:
    """The record on a line of the chain: like `decode`, but data that does not fit its type becomes `Unreadable`.

    One such event must not hide the others. Raises BadLine if the line is not a record.
    """
    try:
        return _decoder.decode(line)
    except _UNREADABLE as problem:
        try:
            envelope = _envelope_decoder.decode(line)
        except _UNREADABLE:
            raise BadLine(f"not an event: {problem}") from problem
        return Record(
            seq=envelope.seq,
            id=envelope.id,
            at=envelope.at,
            stream=envelope.stream,
            version=envelope.version,
            data=_other_data(envelope, problem),
            prev=envelope.prev,
            hash=envelope.hash,
        )


def _other_data(envelope: _Envelope, problem: Exception) -> Event:
    """The data of an event that does not have the current shape."""
    known = EVENT_TYPES.get(envelope.type)
    if known is None:
        return Unknown(named=envelope.type, raw=envelope.data)
    upcast = UPCASTERS.get(envelope.type)
    try:
        if upcast is None:
            raise problem
        return msgspec.convert(upcast(msgspec.json.decode(envelope.data)), known)
    except (*_UNREADABLE, msgspec.ValidationError, LookupError, TypeError, ValueError) as reason:
        return Unreadable(named=envelope.type, raw=envelope.data, problem=f"no {envelope.type} event: {reason}")


def read_envelope(line: bytes) -> Envelope:
    """The envelope of a line, without the data: three times as fast as the whole record. Raises BadLine."""
    try:
        return _short_decoder.decode(line)
    except _UNREADABLE as problem:
        raise BadLine(f"not an event: {problem}") from problem


def read_envelopes(lines: bytes) -> list[Envelope]:
    """The envelopes of whole lines; `lines` ends with a newline. Raises BadLine."""
    try:
        return _short_decoder.decode_lines(lines)
    except _UNREADABLE as problem:
        raise BadLine(f"not an event: {problem}") from problem


def is_plain(line: bytes) -> bool:
    """Whether a line has the form that this program writes: its keys in order, each once, with nothing between.

    Two programs could read any other line as two different events. Raises BadLine.
    """
    try:
        envelope = _envelope_decoder.decode(line)
        body = _body(
            envelope.seq,
            envelope.id,
            envelope.at,
            envelope.type,
            envelope.stream,
            envelope.version,
            envelope.data,
            envelope.prev,
        )
    except _UNREADABLE as problem:
        raise BadLine(f"not an event: {problem}") from problem
    return line == seal(body) and has_plain_data(envelope.data)


def has_plain_data(data: msgspec.Raw) -> bool:
    """Whether data is one JSON object in which each key occurs once and each text is valid. Raises BadLine."""
    try:
        value = msgspec.json.decode(data)
        if not isinstance(value, dict):
            return False
        if _encode(value) == bytes(data):
            return True  # A key that occurs twice would be lost, so the bytes would differ.
    except OverflowError:
        pass  # An integer of more than 64 bits can be read, but not written.
    except _UNREADABLE as problem:
        raise BadLine(f"not an event: {problem}") from problem
    return _has_each_key_once(bytes(data))


def _has_each_key_once(data: bytes) -> bool:
    def pairs(items: list[tuple[str, Any]]) -> Json:
        unique = dict(items)
        if len(unique) < len(items):
            raise _TwiceError
        return unique

    try:
        json.loads(data, object_pairs_hook=pairs)
    except _TwiceError:
        return False
    except (ValueError, RecursionError) as problem:
        raise BadLine(f"not an event: {problem}") from problem
    return True


class _TwiceError(Exception):
    """A key of a JSON object occurs twice."""


def raw_data(line: bytes) -> Unknown:
    """The data of a line as bytes, to be copied unchanged. Raises BadLine."""
    try:
        envelope = _envelope_decoder.decode(line)
    except _UNREADABLE as problem:
        raise BadLine(f"not an event: {problem}") from problem
    return Unknown(named=envelope.type, raw=envelope.data)


def decode_lines(lines: bytes, *, details: bool = True) -> list[Record]:
    """The records of whole lines; `lines` ends with a newline. Raises BadLine.

    An empty line may be skipped: the chain reports it. Without the details of events (`Event.details`) this is twice
    as fast.
    """
    try:
        return (_decoder if details else _lean_decoder).decode_lines(lines)
    except _UNREADABLE:
        # Decode each line by itself: one has an unknown type, an old shape, or another program wrote it.
        return [read(line) for line in split(lines)]


def decode_until_bad(
    lines: bytes, damaged: Callable[[Sequence[bytes], BadLine], Exception], *, details: bool = True
) -> Iterator[list[Record]]:
    """The records of whole lines, as `decode_lines`; if a line is not a record, those before it.

    What is then raised is made by `damaged` from the lines before it, and from what is wrong with it.
    """
    try:
        yield decode_lines(lines, details=details)
        return
    except BadLine:
        single = split(lines)
    good: list[Record] = []
    for number, line in enumerate(single):
        try:
            good.append(read(line))
        except BadLine as problem:
            if good:
                yield good
            raise damaged(single[:number], problem) from problem


def split(lines: bytes) -> list[bytes]:
    """Split whole lines into single ones, without newlines. (`splitlines` would also split at a carriage return.)"""
    return lines[:-1].split(b"\n")
