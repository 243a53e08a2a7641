"""The proof of the ledger's chain, in the background: from the first event on, and then of whatever is new."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import Literal

from ...ledger.errors import LedgerError
from ...ledger.storage.chain import BrokenChain, Head, follow
from ...ledger.store import EventStore

_LINES_AT_ONCE = 2_000
_REST = 3.0
"""A batch is followed by a rest of this many times its duration, so that the server answers meanwhile."""

_LOOK_EVERY = 1.0
_AGAIN_EVERY = 600.0
"""Seconds after which what was proven is proven again: bytes can change while the file keeps its size and time."""

ProofState = Literal["proven", "checking", "damaged"]


class ChainProof:
    """How far the chain is proven, and the first fault in it; empty if there is none so far."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._head = Head()
        self._known = Head()
        self._files: list[tuple[str, int, int]] = []
        self._active: tuple[str, int, int] | None = None
        self._began = time.monotonic()
        self._target = 0
        self.damage = ""

    @property
    def position(self) -> int:
        """The last event that is proven."""
        return self._head.seq

    def state(self, position: int, problems: int = 0) -> ProofState:
        """What is known of the events up to a position, of which `problems` make no sense at their position."""
        if self.damage or problems:
            return "damaged"
        return "proven" if self.position >= position or self._target >= position else "checking"

    def run(self, closing: threading.Event) -> None:
        """Prove, and go on proving, until `closing` is set."""
        while not closing.is_set():
            began = time.monotonic()
            is_done = not self.step()
            rest = _LOOK_EVERY if is_done else _REST * (time.monotonic() - began)
            closing.wait(rest)

    def step(self) -> bool:
        """Prove the next events. Returns False if there are none, or if the next one does not follow."""
        try:
            self._begin_again_if_changed()
            lines = list(itertools.islice(self._store.read_lines(after=self._head.seq), _LINES_AT_ONCE))
            self._head = follow(lines, self._head)
        except BrokenChain as problem:
            self._head = problem.head
            self.damage = f"event {problem.head.seq + 1}: {problem.reason}"
            return False
        except (LedgerError, OSError) as problem:
            self.damage = str(problem)
            return False
        if lines:
            return True
        self._target = self._head.seq
        self.damage = self._lost()
        return False

    def _lost(self) -> str:
        """What the ledger had before, and does not have now: events that were cut off, or a chain that was made anew.

        The chain alone cannot show either.
        """
        if self._known.seq and not self._store.holds(self._known):
            return f"event {self._known.seq} was there before with the hash {self._known.hash}, and is not there now"
        self._known = self._head
        return ""

    def _begin_again_if_changed(self) -> None:
        """Begin with the first event if a proven part of the history was written again, or after some time.

        Sealed files never change. The last one grows: if it has another time and not more bytes, it was changed.
        """
        *sealed, active = [(file.name, *_size_and_time(file)) for file in self._store.files()] or [("", 0, 0)]
        known = self._active
        is_rewritten = sealed[: len(self._files)] != self._files or (
            known is not None and known[0] == active[0] and known != active and active[1] <= known[1]
        )
        is_due = self._head.seq > 0 and time.monotonic() - self._began > _AGAIN_EVERY
        if is_rewritten or is_due:
            self._head = Head()
            self._began = time.monotonic()
        if is_rewritten:
            self._target = 0
        self._files, self._active = sealed, active


def _size_and_time(file: Path) -> tuple[int, int]:
    told = file.lstat()
    return told.st_size, told.st_mtime_ns
