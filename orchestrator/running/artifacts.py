"""Lists the logs of a run, and the files that it left below its `output/`, with their digests.

It names files that cannot be recorded.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ...ledger.events import Artifact
from ...ledger.run_files import LOGS, Missing, NotReadable, digest, kind_of, open_inside

MAX_FILES = 10_000
"""Maximum number of recorded files. Files nearest to the top come first."""
MAX_NAMES = 200_000
"""Maximum number of names that are examined."""
_MAX_PROBLEMS = 5
_LARGE = 1024**3
_HOLES = 100
"""A large file is sparse if it takes less disk space than its size divided by this number."""
_BLOCK = 512  # The unit of st_blocks on every file system.


class Listing(msgspec.Struct, frozen=True):
    """The artifacts of a run, sorted by path, and notes about the files that are left out."""

    artifacts: list[Artifact]
    notes: list[str]


def list_artifacts(folder: Path, *, is_over: Callable[[], bool] = lambda: False) -> Listing:
    """Every regular file below the `output/` of the run's folder. Links are not followed.

    The smallest are read first. Files that are not read when `is_over` returns true are named in a note. A file whose
    name is not UTF-8 is left out, since no event can hold that name.
    """
    problems: list[str] = []
    files = sorted(_files(folder, problems, is_over), key=lambda found: found[1])
    artifacts: list[Artifact] = []
    unread: list[str] = []
    for path, size in files:
        try:
            size, sha256 = _read(folder, path, is_over)
        except NotReadable as problem:
            problems.append(f"{path} {problem}")
        except OSError as problem:
            problems.append(f"{path} cannot be read: {problem.strerror}")
        else:
            if sha256 is None:
                unread.append(f"{path} ({size} bytes)")
            else:
                artifacts.append(Artifact(path, size, sha256))
    if unread:
        problems.insert(0, f"the time was over before reading {_shortened(unread)}")
    notes = [f"not recorded: {problem}" for problem in problems[:_MAX_PROBLEMS]]
    if len(problems) > _MAX_PROBLEMS:
        notes.append(f"not recorded: {len(problems) - _MAX_PROBLEMS} more files")
    return Listing(sorted(artifacts, key=lambda artifact: artifact.path), notes)


def list_logs(folder: Path, *, is_over: Callable[[], bool] = lambda: False) -> Listing:
    """The logs of a run that has ended. Those that are not read when `is_over` returns true are named in a note."""
    found: list[Artifact] = []
    notes: list[str] = []
    for name in LOGS:
        try:
            size, sha256 = _read(folder, name, is_over)
        except Missing:
            continue
        except NotReadable as problem:
            notes.append(f"not recorded: {name} {problem}")
        except OSError as problem:
            notes.append(f"not recorded: {name} cannot be read: {problem.strerror}")
        else:
            if sha256 is None:
                notes.append(f"not recorded: the time was over before reading {name}")
            else:
                found.append(Artifact(name, size, sha256))
    return Listing(found, notes)


def _read(folder: Path, path: str, is_over: Callable[[], bool]) -> tuple[int, str | None]:
    """The size and the digest of a file; no digest if `is_over` returned true before. Raises NotReadable, OSError."""
    with open_inside(folder, path) as file:
        about = os.fstat(file.fileno())
        if about.st_size > _LARGE and about.st_blocks * _BLOCK * _HOLES < about.st_size:
            raise NotReadable(f"is a sparse file: it has {about.st_size} bytes, nearly all of them holes")
        sha256 = digest(file, is_over=is_over)
        return file.tell() if sha256 else about.st_size, sha256


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _files(folder: Path, problems: list[str], is_over: Callable[[], bool]) -> Iterator[tuple[str, int]]:
    """The path and size of each regular file below `output/`, level by level, so that the depth is not limited."""
    output = folder / "output"
    if not _is_real_folder(output, problems):
        return
    waiting = deque([output])
    looked = found = 0
    while waiting:
        here = waiting.popleft()
        for entry in _names(here, folder, problems):
            looked += 1
            if found == MAX_FILES or looked > MAX_NAMES or is_over():
                problems.insert(0, f"files beyond the first {found}")
                return
            path = Path(entry.path)
            name = path.relative_to(folder).as_posix()
            shown = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
            if shown != name:
                problems.append(f"{shown}: its name is not UTF-8")
                continue
            try:
                about = entry.stat(follow_symlinks=False)
            except OSError as problem:
                problems.append(f"{shown} cannot be read: {problem.strerror}")
                continue
            if stat.S_ISDIR(about.st_mode):
                waiting.append(path)
            elif (kind := kind_of(about.st_mode)) is None:
                found += 1
                yield name, about.st_size
            elif stat.S_ISLNK(about.st_mode):
                problems += _leads_out(folder, path, shown)
            else:
                problems.append(f"{shown} is {kind}")


def _names(here: Path, folder: Path, problems: list[str]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(here) as entries:
            yield from entries
    except OSError as problem:
        shown = os.fsencode(here.relative_to(folder)).decode(errors="backslashreplace")
        problems.append(f"{shown} cannot be read: {problem.strerror}")


def _leads_out(folder: Path, link: Path, shown: str) -> list[str]:
    """What is wrong with a link; empty if it leads to another place in the run's folder."""
    try:
        inside = Path(os.path.realpath(link, strict=True)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError):
        return [f"{shown} is a link that leads nowhere"]
    return [] if inside else [f"{shown} is a link that leads out of the run's folder"]


def _is_real_folder(output: Path, problems: list[str]) -> bool:
    try:
        mode = output.lstat().st_mode
    except FileNotFoundError:
        problems.append("output is missing")
        return False
    except OSError as problem:
        problems.append(f"output cannot be read: {problem.strerror}")
        return False
    if stat.S_ISDIR(mode):
        return True
    problems.append(f"output is {kind_of(mode) or 'a file'}")
    return False
