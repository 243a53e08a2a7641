"""Copies the files of runs to the store of `--artifacts`: logs in parts while a run goes on, all files at its end.

A store that cannot be reached costs a run nothing but a note: the files stay here, and `push-artifacts` copies them.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from msgspec.structs import replace

from ...ledger.errors import LedgerError
from ...ledger.events import Artifact, Json, Outcome
from ...ledger.files.copying import Uncopied, Wanted, copy_files, wanted_of
from ...ledger.files.elsewhere import PARTS, part_name
from ...ledger.files.store import PIECE_BYTES, FileStore
from ...ledger.fold import Run
from ...ledger.proof.files import STORED_AT
from ...ledger.run_files import LOGS, Missing, open_inside
from ...projections.workspace import Workspace
from ..redaction import Redactor

AnOutcome = TypeVar("AnOutcome", bound=Outcome)

COPY_SECONDS = 300.0
"""Maximum time at the end of a run to copy its files."""
_FIRST_SECONDS = 1.0
_MAX_SECONDS = 15.0
_PARTS_OF_LIFE = 50
"""New output is copied when a run has lived a fiftieth longer than at the last part, between both limits."""
_MAX_PAUSE_SECONDS = 60.0
"""The maximum pause after a part could not be copied."""
_JOIN_SECONDS = 2.0


class Copies:
    """The copies of one run's files. Without a store, nothing is copied."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self._store = first_store(workspace)
        self._key = workspace.elsewhere.key_of(folder) if self._store else None
        self._folder = folder
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> Self:
        """Follow the run's logs, until `complete` or the end of the context."""
        if self._store is not None and self._key is not None:
            follower = _LogFollower(self._store, self._key, self._folder, self._over)
            self._thread = threading.Thread(target=follower.run, name="log parts", daemon=True)
            self._thread.start()
        return self

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def complete(
        self,
        outcome: AnOutcome,
        redactor: Redactor,
        *,
        is_over: Callable[[], bool],
        tick: Callable[[], object],
    ) -> AnOutcome:
        """Copy the files that the outcome records. Returns it, with a note about what was not copied.

        `tick` is called a few times a second meanwhile. After `is_over` returns true, the rest is left.
        """
        if self._store is None or self._key is None:
            return outcome
        self._over.set()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)
        # The event leaves out files whose names hold a secret, so the store must not have them either.
        recorded = redactor.event(outcome)
        wanted = wanted_of([*recorded.artifacts, *recorded.logs], self._folder)
        try:
            left = copy_files(self._store, self._key, self._folder, wanted, is_over=is_over, tick=tick)
        except LedgerError:
            raise  # A heartbeat could not be recorded, so the end could not be recorded either.
        except Exception as problem:  # noqa: BLE001 - the last guard: the run's result must be recorded
            left = [Uncopied("its files", f"{type(problem).__name__}: {problem}")]
        return replace(outcome, notes=[*outcome.notes, note_on(left, len(wanted), self._store)]) if left else outcome


def first_store(workspace: Workspace) -> FileStore | None:
    """The store that runs copy their files to; None if no store is configured."""
    return next(iter(workspace.elsewhere.stores), None)


def stored_at(workspace: Workspace) -> Json:
    """The part of a run's provenance that names its store. It is for people: readers never follow it."""
    return {STORED_AT: url} if (url := next(iter(workspace.artifacts), None)) else {}


def copy_run(workspace: Workspace, run: Run, *, is_over: Callable[[], bool] = lambda: False) -> str | None:
    """Copy the files of a run that has ended and that are here. Returns a note about what was not copied."""
    folder = workspace.folder_of(run)
    return _copy(workspace, folder, wanted_of(run.files, folder), is_over)


def copy_added(
    workspace: Workspace, folder: Path, added: Sequence[Artifact], *, is_over: Callable[[], bool]
) -> str | None:
    """Copy files that were added to a run after its end. Returns a note about what was not copied."""
    return _copy(workspace, folder, [Wanted(file.path, file.sha256) for file in added], is_over)


def _copy(workspace: Workspace, folder: Path, wanted: list[Wanted], is_over: Callable[[], bool]) -> str | None:
    store, key = first_store(workspace), workspace.elsewhere.key_of(folder)
    if store is None or key is None or not folder.is_dir():
        return None
    left = copy_files(store, key, folder, wanted, is_over=is_over)
    return note_on(left, len(wanted), store) if left else None


def note_on(left: list[Uncopied], count: int, store: FileStore) -> str:
    """A note about files of a run that were not copied."""
    first = left[0]
    return (
        f"{len(left)} of {count} files were not copied to {store}: {first.path}: {first.reason}; "
        "`benchmarks push-artifacts` copies them"
    )


class _LogFollower:
    """Copies what a run's logs grow by, each time as a file of its own: object stores cannot append."""

    def __init__(self, store: FileStore, key: str, folder: Path, over: threading.Event) -> None:
        self._store = store
        self._key = key
        self._folder = folder
        self._over = over
        self._copied = dict.fromkeys(LOGS, 0)

    def run(self) -> None:
        """Follow the logs until the run is over. What could not be copied is tried again, after longer pauses."""
        began, pause = time.monotonic(), _FIRST_SECONDS
        while not self._over.wait(pause):
            try:
                for name in LOGS:
                    self._copy(name)
            except Exception:  # noqa: BLE001 - libraries of stores raise anything; the end of the run reports it
                pause = min(2 * pause, _MAX_PAUSE_SECONDS)
            else:
                pause = min(max(_FIRST_SECONDS, (time.monotonic() - began) / _PARTS_OF_LIFE), _MAX_SECONDS)

    def _copy(self, name: str) -> None:
        try:
            file = open_inside(self._folder, name)
        except Missing:
            return
        with file:
            file.seek(self._copied[name])
            while not self._over.is_set() and (piece := file.read(PIECE_BYTES)):
                key = f"{self._key}/{name}{PARTS}/{part_name(self._copied[name])}"
                self._store.put(key, io.BytesIO(piece), len(piece))
                self._copied[name] += len(piece)
