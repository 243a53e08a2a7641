"""Copies files of one run to a store, with limits: a store that fails or hangs delays its caller and nothing else."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ..events import Artifact
from ..run_files import LOGS, Missing, NotReadable, open_inside
from .elsewhere import PARTS
from .store import FileStore, Unreachable

_THREADS = 8
_WAITS = (0.5, 2.0)
"""Seconds before the second and the third try to copy a file."""
_MAX_FAILURES = 3
"""After this number of files in a row that could not be copied, the others are not tried."""
_STEP_SECONDS = 0.25

_FINAL = (NotReadable, PermissionError, FileNotFoundError, ImportError)
"""Errors that another try would not change."""


class Uncopied(msgspec.Struct, frozen=True):
    """A file that was not copied, and the reason."""

    path: str
    reason: str


class Wanted(msgspec.Struct, frozen=True):
    """A file to copy, by its path in the run's folder, and its digest if that was recorded."""

    path: str
    sha256: str | None = None


def wanted_of(recorded: Sequence[Artifact], folder: Path) -> list[Wanted]:
    """The recorded files of a run, and its logs as far as they exist: those of a lost run are not recorded."""
    known = {file.path for file in recorded}
    logs = [Wanted(name) for name in LOGS if name not in known and os.path.lexists(folder / name)]
    return [*(Wanted(file.path, file.sha256) for file in recorded), *logs]


def copy_files(
    store: FileStore,
    key: str,
    folder: Path,
    wanted: Sequence[Wanted],
    *,
    is_over: Callable[[], bool] = lambda: False,
    tick: Callable[[], object] = lambda: None,
) -> list[Uncopied]:
    """Copy files of a run's folder to `key` of the store. Returns those that were not copied.

    A file that is there with its size is not sent again. `tick` is called a few times a second meanwhile. After
    `is_over` returns true, the rest is left. Threads that still wait for the store then end with the process.
    """
    work = _Work(store, key, folder, wanted)
    for number in range(min(_THREADS, len(wanted))):
        threading.Thread(target=work.run, name=f"copy {number}", daemon=True).start()
    while not work.done.wait(_STEP_SECONDS):
        tick()
        if is_over():
            work.stop("there was no more time")
            break
    return work.left()


class _Work:
    """The files that are left, shared by the threads that copy them."""

    def __init__(self, store: FileStore, key: str, folder: Path, wanted: Sequence[Wanted]) -> None:
        self._store = store
        self._key = key
        self._folder = folder
        self._lock = threading.Lock()
        self._waiting = deque(wanted)
        self._open = {one.path: "" for one in wanted}
        self._failures = 0
        self._stopped = threading.Event()
        self._reason = ""
        self._listing = threading.Lock()
        self._there: dict[str, int] | None = None
        self.done = threading.Event()
        if not wanted:
            self.done.set()

    def run(self) -> None:
        while (one := self._next()) is not None:
            reason = self._copy(one)
            with self._lock:
                if reason:
                    self._open[one.path] = reason
                    self._failures += 1
                    if self._failures >= _MAX_FAILURES:
                        self._stop(reason)
                else:
                    del self._open[one.path]
                    self._failures = 0
                if not self._waiting and all(self._open.values()):
                    self.done.set()

    def stop(self, reason: str) -> None:
        """Copy no more files, for that reason."""
        with self._lock:
            self._stop(reason)

    def left(self) -> list[Uncopied]:
        """The files that were not copied."""
        with self._lock:
            return [Uncopied(path, reason or self._reason) for path, reason in self._open.items()]

    def _stop(self, reason: str) -> None:
        self._stopped.set()
        self._reason = reason
        self._waiting.clear()
        self.done.set()

    def _next(self) -> Wanted | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _copy(self, wanted: Wanted) -> str:
        """Copy a file. Returns why it was not copied; empty if it was."""
        for wait in (*_WAITS, None):
            try:
                self._put(wanted)
            except Exception as problem:  # noqa: BLE001 - libraries of stores raise anything; it is reported
                if wait is None or isinstance(problem, _FINAL):
                    return self._store.why(problem)
                if self._stopped.wait(wait):
                    return self._store.why(problem)
            else:
                return ""
        return ""

    def _put(self, wanted: Wanted) -> None:
        with open_inside(self._folder, wanted.path) as file:
            size = os.fstat(file.fileno()).st_size
            if self._known().get(wanted.path) == size:
                return
            self._store.put(f"{self._key}/{wanted.path}", file, size, wanted.sha256)
        if wanted.path in LOGS:
            self._forget_parts(wanted.path)

    def _known(self) -> dict[str, int]:
        """The files that are there already. They are listed once, by the first thread that asks."""
        with self._listing:
            if self._there is None:
                try:
                    self._there = self._store.sizes(self._key)
                except (Missing, Unreachable):
                    self._there = {}
            return self._there

    def _forget_parts(self, log: str) -> None:
        """Remove the parts of a log that is there as a whole. Readers prefer the whole, so a part may stay."""
        for path in self._known():
            if path.startswith(f"{log}{PARTS}/") and not self._stopped.is_set():
                try:
                    self._store.remove(f"{self._key}/{path}")
                except Exception:  # noqa: BLE001 - as said: it does no harm if it stays
                    return
