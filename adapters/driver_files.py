"""Digests of the files that a benchmark measures with: its driver, and its data.

A digest is that of the paths and contents, so a copy of the files elsewhere has the same one. Times and modes make no
difference.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from .discovery import MANIFEST, is_cache
from .git import tracked_files
from .regular_file import open_regular

_MAX_FILES = 20_000
_MAX_FILE_BYTES = 64 * 1024 * 1024
"""A larger file of a driver counts by its size: it is data. Data that `[data] files` names is read as a whole."""
_PIECE = 1024 * 1024
_KNOWN: dict[tuple[int, int, int, int, int], str] = {}
"""Digests by device, inode, size and times: a campaign asks for those of one benchmark again and again."""


def digest_of_driver(root: Path, patterns: list[str] | None) -> str:
    """The digest of a driver's files: those that the globs name; else those that git tracks; else all but caches.

    The manifest is not among them: what it says of a run is a part of the revision by itself. Hidden files are left
    out if nothing names them.
    """
    if patterns is not None:
        return _digest(root, _matching(root, patterns), _MAX_FILE_BYTES)
    tracked = tracked_files(root)
    files = [root / name for name in tracked] if tracked else _all_files(root)
    return _digest(root, (file for file in files if file != root / MANIFEST), _MAX_FILE_BYTES)


def digest_of_data(root: Path, patterns: list[str]) -> str:
    """The digest of the files that the globs name; empty without any."""
    return _digest(root, _matching(root, patterns), None)


def _digest(root: Path, files: Iterable[Path], max_bytes: int | None) -> str:
    lines = []
    for file in files:
        if (content := _content(file, max_bytes)) is not None:
            lines.append(os.fsencode(file.relative_to(root)) + b"\0" + content.encode())
        if len(lines) > _MAX_FILES:
            lines.append(b"and more")
            break
    return sha256(b"\n".join(sorted(lines))).hexdigest() if lines else ""


def _matching(root: Path, patterns: list[str]) -> Iterator[Path]:
    seen = set()
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            for file in _all_files(path) if path.is_dir() else (path,):
                if file not in seen:
                    seen.add(file)
                    yield file


def _all_files(folder: Path) -> Iterator[Path]:
    """The files below a folder, without hidden ones and caches; links to folders are not followed."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_cache(name) and not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith(".") and not is_cache(name))


def _content(file: Path, max_bytes: int | None) -> str | None:
    """What stands for a file's content; None if the file does not exist."""
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode):
            return None
        if max_bytes is not None and about.st_size > max_bytes:
            return f"{about.st_size} bytes"
        key = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        if key not in _KNOWN:
            _KNOWN[key] = _sha256(file)
        return _KNOWN[key]
    except OSError as problem:
        if problem.errno in (errno.ENOENT, errno.ELOOP):
            return None  # A link to nothing, or a file that git tracks and that was deleted.
        return f"cannot be read: {problem.errno}"


def _sha256(file: Path) -> str:
    digest = sha256()
    with open_regular(file) as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
