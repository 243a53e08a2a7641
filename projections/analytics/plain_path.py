"""Paths that DuckDB reads as they stand.

DuckDB takes `?` in the path of a database for the begin of parameters, `*` and `[` in the path of a file for a pattern,
`\\` for the border of a folder, and no bytes that are not UTF-8; and it resolves links before it looks. So a workspace
with such a name is served by files in a temporary folder.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PLAIN = re.compile(r"[\w./ +=,@-]+")
_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a folder of its own is made there


def is_plain(path: Path) -> bool:
    """Whether DuckDB reads the path as it stands."""
    return _PLAIN.fullmatch(str(path.resolve())) is not None


@contextlib.contextmanager
def readable(file: Path) -> Iterator[Path]:
    """A path by which DuckDB can read a file, while this lasts: its own, or that of a copy. Raises OSError."""
    if is_plain(file):
        yield file
        return
    with plain_temporary_folder() as folder:
        yield Path(shutil.copyfile(file, folder / file.name))


@contextlib.contextmanager
def writable(file: Path) -> Iterator[Path]:
    """A path by which DuckDB can write a new file, which is there at the end. Raises OSError."""
    if is_plain(file.parent):
        yield file
        return
    with plain_temporary_folder() as folder:
        build = folder / "build"
        yield build
        shutil.copyfile(build, file)


@contextlib.contextmanager
def plain_temporary_folder() -> Iterator[Path]:
    """A new folder with a plain path, which is removed at the end. Raises OSError."""
    usual = Path(tempfile.gettempdir())
    place = next((place for place in (usual, *map(Path, _PLACES)) if place.is_dir() and is_plain(place)), usual)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
