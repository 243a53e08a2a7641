"""What isolated code sees of the file system: the interpreter's own library, and nothing of anybody's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/nix/store")
_PACKAGES = ("site-packages", "dist-packages")


def shown() -> list[str]:
    """The folders of the standard library and of shared libraries, outer ones first."""
    library = os.path.dirname(os.__file__)
    folders = {library, f"{sys.base_prefix}/lib", *_SYSTEM}
    kept: list[str] = []
    for folder in sorted(filter(os.path.isdir, folders)):
        if not any(folder.startswith(f"{outer}/") for outer in kept):
            kept.append(folder)
    return kept


def hidden(folders: list[str]) -> list[str]:
    """Folders with installed packages below `folders`: one of them may hold the very tests and solutions."""
    found = {f"{folder}/{name}" for folder in (os.path.dirname(os.__file__), *_pythons(folders)) for name in _PACKAGES}
    return sorted(path for path in found if os.path.isdir(path))


def _pythons(folders: list[str]) -> Iterator[str]:
    for folder in folders:
        for name in os.listdir(folder):
            if name.startswith("python"):
                yield f"{folder}/{name}"
