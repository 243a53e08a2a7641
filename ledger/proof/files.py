"""Compares the files that runs recorded with their sizes and digests: those here, and those in the user's stores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..errors import ExpectedError
from ..events import Artifact
from ..files.address import parse_address
from ..files.elsewhere import Elsewhere
from ..files.store import Unreachable
from ..fold import Run
from ..history import History
from ..origins import Origins
from ..run_files import Missing, NotReadable, digest, open_inside
from ..store import Finding

FolderOf = Callable[[Run], Path]
"""The folder of a run's files."""

STORED_AT = "artifacts_url"
"""The key of a run's provenance that names the store to which its files were to be copied."""

_MISSING = "is missing"


class Files(msgspec.Struct, frozen=True):
    """Where the files of runs are: the folder of a run here, and the stores that this user configured."""

    folder_of: FolderOf
    elsewhere: Elsewhere | None = None


class FileCheck:
    """Compares the files of runs with what was recorded, and counts runs whose files cannot be checked here."""

    def __init__(self, where: Files | None, origins: Origins, since: int) -> None:
        """Only files of runs that ended after position `since` are compared; without `where`, no files."""
        self._since = since
        self._where = where
        self._origins = origins
        self._elsewhere = self._imported = 0
        self._unreachable: dict[str, int] = {}
        self._unknown: dict[str, int] = {}
        stores = where.elsewhere.stores if where and where.elsewhere else ()
        self._known = {str(store) for store in stores}

    def compare(self, history: History) -> Iterator[Finding]:
        """Files that are missing or changed. Files of runs from other ledgers may be missing here.

        So may files in a store that cannot be asked: a reader asks only those that its user configured.
        """
        if self._where is None:
            return
        for run in history.runs.values():
            if (run.ended_seq or 0) <= self._since:
                continue
            if not run.has_files_here:
                self._imported += bool(run.files)
                continue
            yield from self._compare(run, self._where)

    def _compare(self, run: Run, where: Files) -> Iterator[Finding]:
        is_merged = bool(run.files) and bool(self._origins.way_of(run.first_seq))
        unknown = "" if is_merged else _store_of(run)
        missing = away = 0
        unreachable = ""
        for artifact in run.files:
            try:
                _check(artifact, where.folder_of(run), where.elsewhere)
            except Unreachable as problem:
                unreachable = str(problem)
            except Missing:
                if is_merged:
                    missing += 1
                elif unknown and unknown not in self._known:
                    away += 1
                else:
                    yield Finding(run.last_seq, f"{run.run_id}: {artifact.path} {_MISSING}")
            except NotReadable as problem:
                yield Finding(run.last_seq, f"{run.run_id}: {artifact.path} {problem}")
            except OSError as problem:
                yield Finding(run.last_seq, f"{run.run_id}: {artifact.path} cannot be read: {problem.strerror}")
        self._elsewhere += bool(missing)
        if away:
            self._unknown[unknown] = self._unknown.get(unknown, 0) + 1
        if unreachable:
            self._unreachable[unreachable] = self._unreachable.get(unreachable, 0) + 1

    def notes(self) -> Iterator[str]:
        """Notes about files that were not checked."""
        if self._elsewhere:
            yield (
                f"files of {self._elsewhere} runs of other ledgers are not here; `ledger export --with-files` there, "
                "and `ledger import` here, bring them"
            )
        if self._imported:
            yield f"the files of {self._imported} imported runs were not checked: they are where those runs were made"
        for url, count in self._unknown.items():
            yield f"files of {count} runs are not here but in {url}; BENCHMARKS_ARTIFACTS={url} checks them, too"
        for reason, count in self._unreachable.items():
            yield f"files of {count} runs are not here, and were not checked: the store {reason}"


def _store_of(run: Run) -> str:
    """The store that the run's own event names; empty if it names none. It is only shown, and never asked."""
    try:
        return str(parse_address(str(run.provenance.get(STORED_AT) or "")))
    except ExpectedError:
        return ""


def _check(artifact: Artifact, folder: Path, elsewhere: Elsewhere | None) -> None:
    """Raises NotReadable or OSError if a file that a run recorded is not as it was recorded."""
    try:
        with open_inside(folder, artifact.path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != artifact.bytes:
                raise NotReadable(f"is not the file that was recorded: it has {size} bytes, not {artifact.bytes}")
            actual = digest(file)
    except Missing:
        if elsewhere is None:
            raise
        elsewhere.check(folder, artifact)
        return
    if actual != artifact.sha256:
        raise NotReadable(f"is not the file that was recorded: its SHA-256 is {actual}, not {artifact.sha256}")
