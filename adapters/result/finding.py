"""Where a result may lie: the files below a folder that a pattern names, whatever else was left there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from fnmatch import translate
from pathlib import Path

import msgspec

MAX_NAMES = 200_000
"""How many names are looked at, at most, to find what matches one pattern."""

_WILD = re.compile(r"[*?\[]")
_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class Found(msgspec.Struct, frozen=True):
    """The files that match, sorted, and what is wrong with the rest: "result.json is a named pipe"."""

    files: list[Path]
    problems: list[str]


def find_files(folder: Path, pattern: str) -> Found:
    """The regular files below `folder` that match a glob pattern, each once.

    A link counts if it leads to a file inside the folder. `**` does not go through links to folders.
    """
    search = _Search(folder)
    found: dict[str, Path] = {}
    for path in sorted(search.paths(pattern)):
        real = search.real_file(path)
        # `latest/result.json` and `run-3/result.json` may be one file: its own name is the better one.
        if real is not None and (real not in found or real == search.real_name(path)):
            found[real] = path
    return Found(sorted(found.values()), search.problems)


class _Search:
    """One search below a folder: without recursion, and with an end, however deep or full the folder is."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._inside = os.path.realpath(folder)
        self._left = MAX_NAMES
        self.problems: list[str] = []

    def paths(self, pattern: str) -> set[Path]:
        """Whatever matches the pattern and is not a folder."""
        matches: set[Path] = set()
        waiting = [(self._folder, tuple(part for part in pattern.split("/") if part))]
        while waiting:
            here, (part, *more) = waiting.pop()
            rest = tuple(more)
            if part == "**":
                waiting.append((here, rest or ("*",)))
                waiting += [
                    (entry.path, (part, *rest)) for entry in self._names(here) if entry.is_dir(follow_symlinks=False)
                ]
                continue
            if _WILD.search(part):
                fits = re.compile(translate(part)).match
                named = [entry.path for entry in self._names(here) if fits(entry.name)]
            else:
                named = [os.path.join(here, part)]  # noqa: PTH118 - a path of any length and bytes
            for path in named:
                if rest:
                    waiting += [(path, rest)] if self._is_folder(path) else []
                elif self._is_there(path) and not os.path.isdir(path):  # noqa: PTH112
                    matches.add(Path(path))
        return matches

    def _names(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if self._left == 0:
                        self._tell(f"only the first {MAX_NAMES} names were looked at")
                        return
                    self._left -= 1
                    yield entry
        except FileNotFoundError:
            return
        except OSError as problem:
            self._tell(f"{self._shown(folder)}: {problem.strerror}")

    def _is_there(self, path: str) -> bool:
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return False
        except OSError as problem:
            self._tell(f"{self._shown(path)}: {problem.strerror}")
            return False
        return True

    def _is_folder(self, path: str) -> bool:
        if not self._is_there(path) or not os.path.isdir(path):  # noqa: PTH112
            return False
        if not os.path.islink(path) or self._leads_inside(os.path.realpath(path)):  # noqa: PTH114
            return True
        self._tell(f"{self._shown(path)} is a link that leads out of the folder")
        return False

    def real_file(self, path: Path) -> str | None:
        """Where a match really lies; None for what is not a regular file of the folder."""
        try:
            real = os.path.realpath(path, strict=True)
            mode = os.stat(real).st_mode  # noqa: PTH116
        except (OSError, ValueError) as problem:
            why = getattr(problem, "strerror", None) or str(problem)
            self._tell(f"{self._shown(str(path))}: {why}")
            return None
        if not self._leads_inside(real):
            self._tell(f"{self._shown(str(path))} is a link that leads out of the folder")
        elif stat.S_ISREG(mode):
            return real
        else:
            self._tell(f"{self._shown(str(path))} is {_KINDS.get(stat.S_IFMT(mode), 'a special file')}")
        return None

    def real_name(self, path: Path) -> str:
        """Where a match lies if no link below the folder leads to it."""
        return os.path.join(self._inside, os.path.relpath(path, self._folder))  # noqa: PTH118

    def _leads_inside(self, real: str) -> bool:
        return real.startswith(self._inside.rstrip("/") + "/")

    def _shown(self, path: str) -> str:
        return os.path.relpath(path, self._folder).encode(errors="backslashreplace").decode()

    def _tell(self, problem: str) -> None:
        if problem not in self.problems and len(self.problems) < 5:
            self.problems.append(problem)
