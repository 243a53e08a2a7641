"""A way to a folder that DuckDB reads as it stands.

DuckDB takes `?` in the path of a database for the begin of parameters, `*`, `?` and `[` in the path of a file for a
pattern, `\\` for the border of a folder, and no bytes that are not UTF-8. So a folder with such a name is reached by a
link with a plain one.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_./ -]+")
_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a folder of its own is made there


@contextlib.contextmanager
def plain_path(folder: Path) -> Iterator[Path]:
    """A path to the folder, while this lasts. Raises OSError."""
    if is_plain(folder):
        yield folder
        return
    with plain_temporary_folder() as place:
        link = place / "folder"
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield link


@contextlib.contextmanager
def plain_temporary_folder() -> Iterator[Path]:
    """A new folder with a plain path, which is removed at the end. Raises OSError."""
    usual = Path(tempfile.gettempdir())
    place = next((place for place in (usual, *map(Path, _PLACES)) if is_plain(place) and place.is_dir()), usual)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def is_plain(path: Path) -> bool:
    """Whether DuckDB reads the path as it stands."""
    return _PLAIN.fullmatch(str(path)) is not None
