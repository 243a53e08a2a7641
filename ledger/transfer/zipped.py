"""Reads a zip file of another origin, within limits: nothing is unpacked to disk, and no name in it is a path."""

from __future__ import annotations

import contextlib
import stat
import zipfile
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from ..errors import LedgerError

MAX_MEMBERS = 100_000
_MAX_RATIO = 200
"""As for packed ledgers: a higher ratio of unpacked to packed bytes indicates an attack."""

_ALWAYS_FINE = 64 * 1024 * 1024
_PIECE = 1024 * 1024
_ENCRYPTED = 0x1


class DamagedBundle(LedgerError):
    """A file that is not a whole bundle, or not one that this program would have written."""

    exit_code = 3


class ZippedFiles:
    """The members of a zip file by name, each a regular file with one name."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        """Raises DamagedBundle."""
        self._path = path
        self._archive = archive
        self._members: dict[str, zipfile.ZipInfo] = {}
        size = path.stat().st_size
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise self.damaged(f"it has more than {MAX_MEMBERS} members")
        if sum(info.compress_size for info in infos) > size:
            raise self.damaged("its members overlap")
        if sum(info.file_size for info in infos) > max(_ALWAYS_FINE, _MAX_RATIO * size):
            raise self.damaged("it unpacks to too many bytes for its size")
        for info in infos:
            self._add(info)

    def _add(self, info: zipfile.ZipInfo) -> None:
        name, mode = info.filename, info.external_attr >> 16
        if info.orig_filename != name or not is_plain_name(name):
            raise self.damaged(f"the name {shown(name)} leads elsewhere")
        if name in self._members:
            raise self.damaged(f"{shown(name)} occurs twice in it")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise self.damaged(f"{shown(name)} is not a regular file")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self.damaged(f"{shown(name)} is packed in a way that is not read")
        self._members[name] = info

    def damaged(self, reason: str) -> DamagedBundle:
        """The error for a fault of this file."""
        return DamagedBundle(f"{self._path} is not a whole bundle: {reason}")

    def names(self) -> list[str]:
        """The names of all members, sorted."""
        return sorted(self._members)

    def read(self, name: str, *, most: int) -> bytes:
        """The content of a member of at most `most` bytes. Raises DamagedBundle, also if it is not there."""
        info = self._members.get(name)
        if info is None:
            raise self.damaged(f"{shown(name)} is missing")
        if info.file_size > most:
            raise self.damaged(f"{shown(name)} has {info.file_size} bytes, and at most {most} are read")
        return b"".join(self.pieces(name))

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of a member, in pieces. Raises DamagedBundle."""
        info = self._members[name]
        left = info.file_size
        try:
            with self._archive.open(info) as file:
                while piece := file.read(_PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise self.damaged(f"{shown(name)} is larger than it says")
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as problem:
            raise self.damaged(f"{shown(name)} cannot be read: {problem}") from problem

    def digest(self, name: str) -> tuple[int, str]:
        """The size and the SHA-256 of a member. Raises DamagedBundle."""
        seen = sha256()
        size = 0
        for piece in self.pieces(name):
            seen.update(piece)
            size += len(piece)
        return size, seen.hexdigest()


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[ZippedFiles]:
    """A zip file, opened for reading. Raises DamagedBundle."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OverflowError) as problem:
        raise DamagedBundle(f"{path} is not a whole bundle: {problem}") from problem
    except OSError as problem:
        raise DamagedBundle(f"{path} cannot be read: {problem.strerror or problem}") from problem
    with archive:
        yield ZippedFiles(path, archive)


def is_plain_name(name: str) -> bool:
    """Whether a name is a path below a folder on every system, and can be shown."""
    parts = name.split("/")
    return "\\" not in name and name.isprintable() and not any(part in ("", ".", "..") for part in parts)


def shown(name: str) -> str:
    """A name of another origin for a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name[:200])
