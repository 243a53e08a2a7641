"""The proof of the ledger's chain, in the background: from the first event on, and then of whatever is new."""

from __future__ import annotations

import itertools
import threading
import time

from ...ledger.errors import LedgerError
from ...ledger.storage.chain import BrokenChain, Head, follow
from ...ledger.store import EventStore

_LINES_AT_ONCE = 2_000
_REST = 3.0
"""A batch is followed by a rest of this many times its duration, so that the server answers meanwhile."""

_LOOK_EVERY = 1.0


class ChainProof:
    """How far the chain is proven, and the first fault in it; empty if there is none so far."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._head = Head()
        self._files: list[tuple[str, int, int]] = []
        self.damage = ""

    @property
    def position(self) -> int:
        """The last event that is proven."""
        return self._head.seq

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
            sealed = self._sealed()
            if sealed[: len(self._files)] != self._files:
                self._head = Head()  # A part of the history was written again.
            self._files = sealed
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
        self.damage = ""
        return False

    def _sealed(self) -> list[tuple[str, int, int]]:
        """The files that no append changes any more, as they are now."""
        stats = [(file.name, file.lstat()) for file in self._store.files()[:-1]]
        return [(name, told.st_size, told.st_mtime_ns) for name, told in stats]
