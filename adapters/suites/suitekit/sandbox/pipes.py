"""Messages over pipes: a length and that many bytes, within a limit and until a deadline."""

from __future__ import annotations

import os
import select
import time

_HEAD_BYTES = 4
_CHUNK_BYTES = 65536


class Ended(Exception):
    """The other side closed its pipe."""


class TooLate(Exception):
    """The deadline passed."""


class TooLong(Exception):
    """A message is longer than the limit."""


def send(pipe: int, message: bytes, deadline: float | None = None) -> None:
    """Write a message. Raises Ended, and TooLate if the other side has not read it by `deadline` (monotonic, s).

    With a deadline the pipe must not block.
    """
    rest = memoryview(len(message).to_bytes(_HEAD_BYTES, "big") + message)
    while rest:
        try:
            rest = rest[os.write(pipe, rest) :]
        except BlockingIOError:
            _wait([], [pipe], deadline)
        except OSError as problem:
            raise Ended from problem


def receive(pipe: int, most_bytes: int, deadline: float | None = None) -> bytes:
    """Read a message. Raises Ended, TooLate and TooLong."""
    size = int.from_bytes(_read(pipe, _HEAD_BYTES, deadline), "big")
    if size > most_bytes:
        raise TooLong
    return _read(pipe, size, deadline)


def _read(pipe: int, size: int, deadline: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        if deadline is not None:
            _wait([pipe], [], deadline)
        part = os.read(pipe, min(size - len(parts), _CHUNK_BYTES))
        if not part:
            raise Ended
        parts += part
    return bytes(parts)


def _wait(readable: list[int], writable: list[int], deadline: float | None) -> None:
    seconds = None if deadline is None else deadline - time.monotonic()
    if (seconds is not None and seconds <= 0) or not any(select.select(readable, writable, [], seconds)):
        raise TooLate
