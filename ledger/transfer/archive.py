"""A ledger together with the files that its runs recorded, in one tar archive.

The archive has the layout of a workspace, so that `tar x` in an empty folder makes one:

    benchmark_results/ledger/00000000000000000001.jsonl
    benchmark_results/<run_group_id>/<directory>__<benchmark_id>/<run_id>/output/…

The ledger comes first, so that each file after it can be compared with it: a file is imported only if a run recorded
it, with its size and its SHA-256, and only into the folder of that run.
"""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from ..errors import LedgerUnwritable
from ..events import Artifact
from ..files.elsewhere import Elsewhere, open_recorded
from ..files.store import Unreachable
from ..fold import Run
from ..history import History
from ..judgement import is_path
from ..output_file import written_whole
from ..run_files import Missing, NotReadable, digest, open_inside
from ..storage.chain import Head, last_of
from ..storage.segments import segment_name
from ..store import EventReader, EventStore
from . import packed
from .exchange import LinesFile
from .packed import UnreadableFile

ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tar.zst")
"""The endings of archive names."""

_LEDGER = f"benchmark_results/ledger/{segment_name(1)}"
_PIECE = 1024 * 1024
_MAX_HEADER_BYTES = 64 * 1024
"""Maximum size of a member's extra header, such as a long name."""

FolderOf = Callable[[Run], Path]
"""The folder of a run's files, below the workspace."""


class Left(msgspec.Struct, frozen=True):
    """A file that was not written or not imported, and the reason."""

    name: str
    reason: str


class Exported(msgspec.Struct, frozen=True):
    """The result of an export: the ledger's head, the number of files, and the files that were left out."""

    head: Head
    files: int
    left: list[Left]


class Received(msgspec.Struct, frozen=True):
    """The result for an archive's files: added, already known, and refused."""

    added: int
    known: int
    refused: list[Left]


def export_archive(
    store: EventStore, path: Path, *, root: Path, folder_of: FolderOf, elsewhere: Elsewhere | None = None
) -> Exported:
    """Write a ledger, each line proven, and the files of its runs; the archive is written completely or not at all.

    `root` is the workspace; files that are not there are read from the stores of `elsewhere`. The same ledger and files
    give the same archive. A file that differs from the record is
    left out. Raises LedgerDamaged and LedgerUnwritable.
    """
    left: list[Left] = []
    files = 0
    try:
        with tempfile.TemporaryFile(dir=path.parent if path.is_file() or not path.exists() else None) as lines:
            head = Head()
            for piece in store.prove():
                lines.write(piece)
                head = last_of(piece)
            size = lines.tell()
            lines.seek(0)
            with (
                written_whole(path) as target,
                target.open("wb") as raw,
                packed.packing(path, raw) as file,
                tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive,
            ):
                archive.addfile(_member(_LEDGER, size), lines)
                for name, folder, artifact in _recorded(store, root, folder_of):
                    try:
                        _add(archive, name, folder, artifact, elsewhere)
                        files += 1
                    except (NotReadable, Unreachable) as problem:
                        left.append(Left(name, str(problem)))
    except OSError as problem:
        raise LedgerUnwritable(f"cannot write {path}: {problem.strerror or problem}") from problem
    return Exported(head, files, left)


def _recorded(reader: EventReader, root: Path, folder_of: FolderOf) -> Iterator[tuple[str, Path, Artifact]]:
    """Every file that a run of the ledger recorded: its name in an archive, the run's folder, and its record."""
    for run in History.of(reader).runs.values():
        if not run.has_files_here:
            continue  # Its files are where it was made.
        folder = folder_of(run)
        for artifact in run.files:
            if is_path(artifact.path):
                yield f"{folder.relative_to(root).as_posix()}/{artifact.path}", folder, artifact


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member


def _add(archive: tarfile.TarFile, name: str, folder: Path, artifact: Artifact, elsewhere: Elsewhere | None) -> None:
    """Raises NotReadable for a file that differs from its record, and OSError if it changes meanwhile."""
    with open_recorded(folder, artifact, elsewhere) as file:
        size = os.fstat(file.fileno()).st_size
        if size != artifact.bytes or digest(file) != artifact.sha256:
            raise NotReadable("is not the file that was recorded")
        file.seek(0)
        reading = _Digesting(file)
        archive.addfile(_member(name, size), reading)
    if reading.seen.hexdigest() != artifact.sha256:
        raise OSError(f"{name} was changed while it was read")


class _Digesting(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seen = sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.seen.update(piece)
        return piece


class Archive:
    """An archive that is read once, from its beginning: its ledger, and then its files."""

    def __init__(self, path: Path, tar: tarfile.TarFile, ledger: LinesFile) -> None:
        self.ledger = ledger
        self._path = path
        self._tar = tar

    def receive(self, store: EventReader, *, root: Path, folder_of: FolderOf) -> Received:
        """Import the files that runs of the ledger `store` recorded. A file that exists here is never changed.

        Raises UnreadableFile if the archive is broken, and LedgerUnwritable.
        """
        wanted = {name: (folder, artifact) for name, folder, artifact in _recorded(store, root, folder_of)}
        seen: set[str] = set()
        added = known = 0
        refused: list[Left] = []
        for member in _members(self._path, self._tar):
            name = member.name
            if member.isdir():
                continue
            try:
                if not member.isreg() or member.issparse():
                    raise NotReadable("is not a regular file")
                if name in seen:
                    raise NotReadable("occurs twice in the archive")
                if name not in wanted:
                    raise NotReadable("was recorded by no run")
                folder, artifact = wanted[name]
                if member.size != artifact.bytes:
                    raise NotReadable(f"has {member.size} bytes, but {artifact.bytes} were recorded")
                if is_here(folder, artifact):
                    known += 1
                else:
                    with _reading(self._path):
                        content = self._tar.extractfile(member)
                    assert content is not None  # noqa: S101 - for the type checker: it is a regular file
                    put_file(root, folder, artifact, self._pieces(content))
                    added += 1
                seen.add(name)
            except NotReadable as problem:
                refused.append(Left(name, str(problem)))
        return Received(added, known, refused)

    def _pieces(self, content: IO[bytes]) -> Iterator[bytes]:
        with _reading(self._path):
            while piece := content.read(_PIECE):
                yield piece


def put_file(root: Path, folder: Path, artifact: Artifact, pieces: Iterable[bytes]) -> None:
    """Write a recorded file to its place; a file that exists there is never changed.

    Raises NotReadable if the pieces are not the recorded file or its place is taken, and LedgerUnwritable.
    """
    target = folder / artifact.path
    beside = target.with_name(f".{sha256(artifact.path.encode()).hexdigest()[:16]}.part-{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(root)):
            raise NotReadable("would be written through a link that leads out of the workspace")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "wb") as file:
            actual = sha256()
            for piece in pieces:
                actual.update(piece)
                file.write(piece)
        if actual.hexdigest() != artifact.sha256:
            raise NotReadable(f"has the SHA-256 {actual.hexdigest()}, but {artifact.sha256} was recorded")
        os.link(beside, target)  # Not a rename: a file that another process has just created stays.
    except FileExistsError as problem:
        raise NotReadable("would replace another file, which stays as it is") from problem
    except OSError as problem:
        raise LedgerUnwritable(f"cannot write {target}: {problem.strerror}") from problem
    finally:
        with contextlib.suppress(OSError):  # It was not made, or a file stands where its folder should be.
            beside.unlink()


def is_here(folder: Path, artifact: Artifact) -> bool:
    """Whether the recorded file is in its place. Raises NotReadable if another file is there."""
    try:
        with open_inside(folder, artifact.path) as file:
            if os.fstat(file.fileno()).st_size == artifact.bytes and digest(file) == artifact.sha256:
                return True
    except Missing:
        return False
    except OSError as problem:
        raise NotReadable(f"is here, but cannot be read: {problem.strerror}") from problem
    raise NotReadable("would replace another file, which stays as it is")


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """An archive, with its ledger unpacked to a temporary file. Raises UnreadableFile."""
    with packed.opened(path) as file, tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        with _reading(path):
            tar = tarfile.open(fileobj=file, mode="r|", tarinfo=_Member)  # noqa: SIM115 - closed below
        with tar:
            first = next(_members(path, tar), None)
            if first is None or first.name != _LEDGER or not first.isreg() or first.issparse():
                raise UnreadableFile(
                    f"{path} does not begin with {_LEDGER}\nhint: `ledger export FILE.tar.zst --with-files` makes such "
                    "archives"
                )
            lines = Path(folder) / "ledger.jsonl"
            with _reading(path), lines.open("wb") as copied:
                content = tar.extractfile(first)
                assert content is not None  # noqa: S101 - for the type checker: it is a regular file
                while piece := content.read(_PIECE):
                    copied.write(piece)
            yield Archive(path, tar, LinesFile(lines, name=str(path)))


def _members(path: Path, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while True:
        with _reading(path):
            member = tar.next()
        if member is None:
            return
        getattr(tar, "members", []).clear()  # tarfile keeps all members in memory, and an archive may have any number.
        yield member


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, UnicodeError, ValueError, OverflowError) as problem:
        raise UnreadableFile(f"{path} is not a whole archive: {problem}") from problem


class _Member(tarfile.TarInfo):
    """A member with a small description: tarfile reads it into memory before we can check it."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        is_description = self.type not in tarfile.SUPPORTED_TYPES or self.type in _DESCRIPTIONS
        if self.type == tarfile.GNUTYPE_SPARSE or (is_description and self.size > _MAX_HEADER_BYTES):
            raise tarfile.ReadError("a member with a description that is too long, or with holes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member

    def _refuse(self, *_: object) -> None:
        raise tarfile.ReadError("a member with holes")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse


_DESCRIPTIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
