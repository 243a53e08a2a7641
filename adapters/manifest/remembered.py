"""The manifests that ship with this program, remembered as they were read.

TOML is slow to read, and the catalogue took a fifth of the time of each `run`. So what files of these bytes say is kept
in the cache folder. It is believed if the same code wrote it, and the file is the user's own: the folder also holds the
interpreters that run benchmarks. A file that cannot be read or written costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path

import msgspec

from ..atomic_file import write_atomically
from ..cache import cache_folder
from ..regular_file import open_regular, read_at_most
from .load import read_manifest
from .schema import Manifest

_FILE = "manifests.msgpack"
_MAX_BYTES = 16 * 1024 * 1024
_HERE = Path(__file__).parent


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: str
    manifests: dict[str, Manifest]


class Remembered:
    """The manifests that were read before, as the file had them when this was made."""

    def __init__(self) -> None:
        self._rules = _rules()
        self._known = _read(self._rules)
        self._used: dict[str, Manifest] = {}

    def read(self, content: bytes, path: Path, directory: str | None) -> Manifest:
        """The manifest in the content of a file; the arguments are those of `read_manifest`. Raises ManifestError."""
        key = sha256(f"{directory or ''}\0".encode() + content).hexdigest()
        manifest = self._known.get(key) or read_manifest(content, path, directory)
        self._used[key] = manifest
        return manifest

    def keep(self) -> None:
        """Remember what was read, and nothing else, for the next process."""
        if self._used.keys() == self._known.keys():
            return
        with contextlib.suppress(OSError):
            folder = cache_folder()
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / _FILE, msgspec.msgpack.encode(_File(self._rules, self._used)))


def _rules() -> str:
    """A digest of the code that makes a manifest of a file."""
    code = [*sorted(_HERE.glob("*.py")), _HERE.parent / "options.py"]
    return sha256(b"\0".join([msgspec.__version__.encode(), *(file.read_bytes() for file in code)])).hexdigest()


def _read(rules: str) -> dict[str, Manifest]:
    """What is in the file; nothing if it is not to be believed."""
    try:
        with open_regular(cache_folder() / _FILE) as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return {}
            content = read_at_most(file, _MAX_BYTES)
        found = None if content is None else msgspec.msgpack.decode(content, type=_File)
    except (OSError, ValueError, RecursionError):
        return {}  # It does not exist, or is not ours: it will be written anew.
    return found.manifests if found is not None and found.rules == rules else {}
