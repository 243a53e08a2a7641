"""Packs the files of a benchmark, so that they can travel to a machine that does not share the workspace.

A package is a tar archive, named by the digest of its content: the same files give the same bytes. A machine unpacks it
once, into its cache folder. The files of a run travel back in such an archive, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
import stat
import tarfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from ...adapters.cache import cache_folder
from ...adapters.discovery import is_cache
from ...projections.workspace import RESULTS
from ..errors import UsageError

MAX_BYTES = 512 * 1024 * 1024
"""Maximum size of the files of a package."""

_FOLDER = "drivers"


class PackageTooLarge(UsageError):
    """The files of a benchmark are too many to travel."""


def pack(root: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The files below a folder as a tar archive, without caches, hidden files and results. Raises PackageTooLarge.

    A link to a file travels as that file; a link to a folder, or to nothing, is left out.
    """
    return _packed(root, _files(root), max_bytes, follow_links=True)


def pack_run(folder: Path, *, max_bytes: int) -> bytes:
    """All files of a run's folder as a tar archive, hidden ones among them. Raises PackageTooLarge.

    A benchmark may have left links to anything: none is followed, and none travels.
    """
    found = (Path(parent, name) for parent, _, files in os.walk(folder) for name in sorted(files))
    return _packed(folder, found, max_bytes, follow_links=False)


def _packed(root: Path, files: Iterable[Path], max_bytes: int, *, follow_links: bool) -> bytes:
    total = 0
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in files:
            try:
                about = path.stat(follow_symlinks=follow_links)
            except OSError:
                continue  # A link to nothing, or a file that was removed meanwhile.
            if not stat.S_ISREG(about.st_mode):
                continue
            total += about.st_size
            if total > max_bytes:
                raise PackageTooLarge(
                    f"the files in {root} are larger than {max_bytes / 2**20:.0f} MiB, so they do not travel",
                    "put the workspace on a file system that the machines share",
                )
            _add(archive, path, str(path.relative_to(root)), about)
    return content.getvalue()


def _files(root: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(root):
        folders[:] = sorted(
            name for name in folders if not is_cache(name) and not name.startswith(".") and name != RESULTS
        )
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith(".") and not is_cache(name))


def _add(archive: tarfile.TarFile, path: Path, name: str, about: os.stat_result) -> None:
    member = tarfile.TarInfo(name)
    member.mode = 0o755 if about.st_mode & stat.S_IXUSR else 0o644
    with path.open("rb") as file:
        # The size is that of the open file: the archive must not be torn if the file grows meanwhile.
        member.size = os.fstat(file.fileno()).st_size
        archive.addfile(member, file)


def digest_of(content: bytes) -> str:
    """The name of a package."""
    return sha256(content).hexdigest()


def unpack(content: bytes, folder: Path) -> None:
    """Unpack an archive into a folder. No member can lead out of it. Raises OSError, tarfile.TarError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")


def folder_of(digest: str) -> Path:
    """The folder in which this machine has, or will have, the files of a package."""
    return cache_folder() / _FOLDER / digest


def place(content: bytes, digest: str) -> Path:
    """The folder with the files of a package, unpacked if it is not there yet; two processes do it once.

    Raises OSError and tarfile.TarError.
    """
    folder = folder_of(digest)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            if digest_of(content) != digest:
                raise tarfile.TarError("the content of the package does not have its digest")
            beside = folder.with_suffix(".part")
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(beside)
            unpack(content, beside)
            beside.rename(folder)
    return folder
