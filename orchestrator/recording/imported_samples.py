"""Stores the samples of imported runs as `samples.jsonl` in their folders, as our own runs have them.

A file is complete on the disk before the event that names it: an import that is interrupted leaves no event without
its file. The same samples give the same file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

import msgspec

from ...adapters.imports.found import ForeignRun
from ...adapters.imports.instances import Remark, UnreadableSamples, bounded_rows
from ...adapters.imports.reading import Source
from ...ledger.events import Artifact
from ...projections.scores.samples import SAMPLES, Looked, bounded_lines, look_through
from ...projections.workspace import Workspace
from ..redaction import Redactor

_PATH = f"output/{SAMPLES}"
_STAGING = ".import-"
_LEFT_SECONDS = 24 * 3600
_NEAR = 1e-3


class StagedSamples(msgspec.Struct, frozen=True):
    """The samples of a run in a file that waits for its place; None without a file. `remarks` say what is left out."""

    file: Path | None = None
    artifact: Artifact | None = None
    count: int = 0
    errors: int = 0
    looked: Looked = Looked()
    remarks: list[str] = []

    def agrees_with(self, score: float | None) -> bool:
        """Whether their mean is the score, so that their standard error is that of the score."""
        return score is not None and self.looked.mean is not None and abs(self.looked.mean - score) <= _NEAR


@contextmanager
def staging(workspace: Workspace, *, is_dry: bool) -> Iterator[Path]:
    """A folder in which files wait, on the disk of the results; in a dry run, it is elsewhere. Raises OSError."""
    if is_dry:
        with tempfile.TemporaryDirectory(prefix="benchmarks-import-") as folder:
            yield Path(folder)
        return
    workspace.results.mkdir(parents=True, exist_ok=True)
    _remove_left(workspace.results)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=workspace.results) as folder:
        yield Path(folder)


def _remove_left(results: Path) -> None:
    """Remove the folders that killed imports left, a day later."""
    for folder in results.glob(f"{_STAGING}*"):
        if folder.lstat().st_mtime < time.time() - _LEFT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def stage(source: Source, run: ForeignRun, redactor: Redactor, file: Path) -> StagedSamples:
    """Write the samples of a run to `file`, without secrets. Raises OSError for a file that cannot be written."""
    remarks: list[str] = []
    count = errors = 0
    try:
        with file.open("wb") as lines:
            rows = bounded_rows(source.samples(run), is_ratio=run.unit == "ratio", clean=redactor.value)
            for row in rows:
                if isinstance(row, Remark):
                    remarks.append(row.text)
                    continue
                lines.write(msgspec.json.encode(row) + b"\n")
                count, errors = count + 1, errors + bool(row.get("error"))
            lines.flush()
            os.fsync(lines.fileno())
    except UnreadableSamples as problem:
        file.unlink()
        return StagedSamples(remarks=[f"without samples: {problem}"])
    except (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
        file.unlink()
        shape = f"not of the shape that they seem to be: {type(problem).__name__}: {problem}"
        return StagedSamples(remarks=[f"without samples: they are {shape}"])
    if not count:
        file.unlink()
        return StagedSamples(remarks=remarks)
    with file.open("rb") as content:
        looked = look_through(bounded_lines(content))
        content.seek(0)
        artifact = Artifact(_PATH, os.fstat(content.fileno()).st_size, file_digest(content, "sha256").hexdigest())
    return StagedSamples(file, artifact, count, errors, looked, remarks)


def put_in_place(file: Path, artifact: Artifact, folder: Path) -> None:
    """Move a staged file into the folder of its run, durably. A file that lies there is replaced. Raises OSError."""
    place = folder / artifact.path
    place.parent.mkdir(parents=True, exist_ok=True)
    file.replace(place)
    for parent in (place.parent, folder, folder.parent):
        handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
