"""Printing for somebody who may be gone: a closed pipe or a terminal that hung up ends no run."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO


def discard(stream: TextIO) -> None:
    """Lead what is written there to nowhere, since nobody reads it any more: also what Python flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say(text: str) -> None:
    """Print on stderr, where somebody still reads it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


class Lasting:
    """A stream as it is, except that writing to it never fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, where somebody still reads it."""
        try:
            return self._stream.write(text)
        except OSError:
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush, where somebody still reads it."""
        try:
            self._stream.flush()
        except OSError:
            discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
