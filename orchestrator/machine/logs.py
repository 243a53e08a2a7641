"""A run's logs: complete up to a maximum size, otherwise their beginning and their end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from ...ledger.run_files import Missing, NotReadable, open_inside
from ...ledger.terminal import plain

TAIL_BYTES = 1024 * 1024
"""Bytes of the end that are kept of a log that is too long, since errors usually stand there."""


class BoundedLog:
    """A log file of at most about `limit` bytes; a line in its middle says how many bytes were left out there."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.left_out = 0
        self._file: BinaryIO = path.open("wb")
        self._room = max(0, limit - TAIL_BYTES)
        self._tail = bytearray()

    def write(self, piece: bytes) -> None:
        """Add to the log. Raises OSError."""
        head, rest = piece[: self._room], piece[self._room :]
        if head:
            self._file.write(head)
            self._file.flush()
            self._room -= len(head)
        if rest:
            self._keep(rest)

    def _keep(self, piece: bytes) -> None:
        self._tail += piece
        if len(self._tail) >= 2 * TAIL_BYTES:
            self._forget()

    def _forget(self) -> None:
        """Drop everything before the last TAIL_BYTES."""
        gone = max(0, len(self._tail) - TAIL_BYTES)
        del self._tail[:gone]
        self.left_out += gone

    def close(self) -> None:
        """Write the end that was kept, and close the file. Raises OSError."""
        try:
            self._forget()
            if self.left_out:
                self._file.write(f"\n[{self.left_out} bytes were left out here]\n".encode())
            self._file.write(self._tail)
        finally:
            self._tail.clear()
            self._file.close()


def last_lines(log: Path, *, lines: int = 5, limit: int = 2000) -> str:
    """The end of a log for an error text, without colours and other terminal controls.

    If the log is not a regular file, the text says what it is.
    """
    try:
        with open_inside(log.parent, log.name) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
            text = plain(file.read(limit).decode(errors="replace"))
    except Missing:
        return ""
    except NotReadable as problem:
        return f"[{log.name} {problem}]"
    except OSError as problem:
        return f"[{log.name} cannot be read: {problem.strerror}]"
    return "\n".join(text.strip().splitlines()[-lines:])
