"""The trajectories that a run left in files of its own, read if each file is the one that the ledger recorded."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from ...ledger.events import Artifact
from ...ledger.files.elsewhere import Elsewhere, open_recorded
from ...ledger.run_files import NotReadable
from ...projections.transcripts.files import MAX_BYTES, Trajectory, is_trajectory, read_file
from .kept import Kept

_KEPT_RUNS = 4
_MAX_FILES = 500


class Found(msgspec.Struct, frozen=True):
    """The trajectories of a run; `notes` name the files that were not read, each with the reason."""

    trajectories: list[Trajectory]
    notes: list[str]

    def named(self, name: str) -> Trajectory | None:
        """The first one with that name."""
        return next((one for one in self.trajectories if one.name == name), None)


class TrajectoryFiles:
    """The trajectories of the runs that were asked for last. Safe for many threads."""

    def __init__(self) -> None:
        self._found: Kept[tuple[str, ...], Found] = Kept(lambda found: len(found) > _KEPT_RUNS)

    def of(self, folder: Path, artifacts: Sequence[Artifact], elsewhere: Elsewhere | None = None) -> Found:
        """The trajectories in a run's folder. At most MAX_BYTES of files are read."""
        files = [one for one in artifacts if is_trajectory(one.path)]
        if not files:
            return Found([], [])
        key = (str(folder), *(one.sha256 for one in files), *(str(_state(folder, one)) for one in files))
        return self._found.get(key, lambda: _read(folder, files, elsewhere))


def _state(folder: Path, artifact: Artifact) -> tuple[int, ...]:
    try:
        found = (folder / artifact.path).lstat()
    except (OSError, ValueError):
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(folder: Path, files: Sequence[Artifact], elsewhere: Elsewhere | None) -> Found:
    trajectories: list[Trajectory] = []
    notes = []
    left = MAX_BYTES
    seen: set[str] = set()
    for artifact in files[:_MAX_FILES]:
        # Some suites write the same trajectories as lines and as one document.
        stem = artifact.path.rpartition(".")[0]
        if stem in seen:
            continue
        if artifact.bytes > left:
            notes.append(f"{artifact.path} has {artifact.bytes} bytes, which is too much to read here")
            continue
        left -= artifact.bytes
        try:
            some = read_file(artifact.path, _content(folder, artifact, elsewhere))
        except NotReadable as problem:
            notes.append(f"{artifact.path} {problem}")
        except OSError as problem:
            notes.append(f"{artifact.path} cannot be read: {problem.strerror}")
        else:
            trajectories += some
            seen |= {stem} if some else set()
    if len(files) > _MAX_FILES:
        notes.append(f"only the first {_MAX_FILES} of {len(files)} files were read")
    return Found(trajectories, notes)


def _content(folder: Path, artifact: Artifact, elsewhere: Elsewhere | None) -> bytes:
    """The content of a file. Raises NotReadable, also if it is not the file that was recorded, and OSError."""
    with open_recorded(folder, artifact, elsewhere) as file:
        content = file.read(artifact.bytes + 1)
    if sha256(content).hexdigest() != artifact.sha256:
        raise NotReadable("is not the file that was recorded")
    return content
