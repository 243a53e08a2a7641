"""A place that keeps files of runs, reached through fsspec. Every call ends within a time limit.

A store is not trusted: each of its writers may replace a file. So what is read is compared with the size and digest
that the ledger has.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ..errors import ExpectedError
from ..run_files import Missing, NotReadable, open_inside
from .address import PACKAGES, Address, parse_address

_Answer = TypeVar("_Answer")

CALL_SECONDS = 30.0
"""Maximum time of one call: a listing, or a piece of a file."""
REST_SECONDS = 20.0
"""After a call without an answer, a store counts as unreachable for this time, so that readers do not all wait."""
PIECE_BYTES = 8 * 1024 * 1024
_SINGLE_BYTES = 32 * 1024 * 1024
"""A file up to this size is sent with one request. That is atomic in every object store."""
_MAX_REASON_LENGTH = 200
_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSW|CREDENTIAL", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@]*@|\?[^\s'\")]*")


class Unreachable(NotReadable):
    """The store cannot be asked. The message continues a sentence that begins with the name of a file."""


class StoreRefused(ExpectedError):
    """Files cannot be written to the store."""


class FileStore:
    """The files below one address. A `key` is a path below it, with `/` between its parts.

    Safe to use from several threads.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._system: Any = None
        self._lock = threading.Lock()
        self._rests_until = 0.0
        self._reason = ""

    def __str__(self) -> str:
        return str(self.address)

    # -- reading

    def size(self, key: str) -> int:
        """The size of a file. Raises Missing, Unreachable and NotReadable."""

        def ask() -> int:
            if self.address.scheme == "file":
                with open_inside(self._root(), key) as file:
                    return os.fstat(file.fileno()).st_size
            info = self._files().info(self._path(key))
            if info["type"] != "file":
                raise NotReadable("is not a file")
            return int(info["size"])

        return self._call(ask)

    def pieces(self, key: str, first: int, end: int) -> Iterator[bytes]:
        """The bytes `first` to `end` of a file, in pieces. Raises Missing, Unreachable and NotReadable."""
        while first < end:
            piece = self._call(functools.partial(self._piece, key, first, min(end, first + PIECE_BYTES)))
            if not piece:
                raise NotReadable(f"ends after {first} bytes in {self}")
            first += len(piece)
            yield piece

    def _piece(self, key: str, first: int, end: int) -> bytes:
        if self.address.scheme == "file":
            with open_inside(self._root(), key) as file:
                file.seek(first)
                return file.read(end - first)
        return bytes(self._files().cat_file(self._path(key), start=first, end=end))

    def sizes(self, key: str) -> dict[str, int]:
        """The files below a folder, by their paths below it, with their sizes. Raises Unreachable."""

        def ask() -> dict[str, int]:
            home = self._path(key)
            try:
                found = self._files().find(home, detail=True)
            except FileNotFoundError:
                return {}
            start = len(home) + 1
            return {name[start:]: int(about["size"] or 0) for name, about in found.items() if about["type"] == "file"}

        return self._call(ask)

    # -- writing

    def put(self, key: str, file: BinaryIO, size: int, digest: str | None = None) -> None:
        """Write a file of that size, whole or not at all, from an open one.

        If the bytes do not have that digest, nothing is written. Raises NotReadable, and what fsspec raises.
        """
        path = self._path(key)
        files = self._files()
        is_folder = self.address.scheme == "file"
        beside = f"{path}.part-{secrets.token_hex(4)}" if is_folder else path
        seen = sha256()
        try:
            if size <= _SINGLE_BYTES:
                content = _read_exactly(file, size)
                seen.update(content)
                _check(seen.hexdigest(), digest)
                files.pipe_file(beside, content)
            else:
                self._put_large(beside, file, size, digest)
            if is_folder:
                files.mv(beside, path)
        except BaseException:
            if is_folder:
                with contextlib.suppress(OSError):
                    files.rm_file(beside)
            raise

    def _put_large(self, path: str, file: BinaryIO, size: int, digest: str | None) -> None:
        """Write piece by piece. The file appears in the store only after its digest was checked."""
        seen, left = sha256(), size
        target = self._files().open(path, "wb", block_size=2 * PIECE_BYTES, autocommit=self.address.scheme == "file")
        try:
            while left:
                piece = _read_exactly(file, min(left, PIECE_BYTES))
                seen.update(piece)
                target.write(piece)
                left -= len(piece)
            _check(seen.hexdigest(), digest)
            target.close()
            if self.address.scheme != "file":
                target.commit()
        except BaseException:
            with contextlib.suppress(Exception):
                target.close() if self.address.scheme == "file" else target.discard()
            raise

    def remove(self, key: str) -> None:
        """Remove a file. Raises what fsspec raises."""
        self._files().rm_file(self._path(key))

    def check_writable(self) -> None:
        """Write a small file and remove it. Raises StoreRefused, which says what to do."""
        key = f".benchmarks-{secrets.token_hex(8)}"

        def attempt() -> None:
            if self.address.scheme == "file" and not Path(self.address.folder).parent.is_dir():
                raise FileNotFoundError(self.address.folder)
            self._files().pipe_file(self._path(key), b"")
            self._files().rm_file(self._path(key))

        try:
            self._call(attempt)
        except Missing:
            is_folder = self.address.scheme == "file"
            what = "the folder that it lies in" if is_folder else "the bucket"
            raise StoreRefused(
                f"artifacts cannot be written to {self}: {what} does not exist", f"make {what}, or correct the address"
            ) from None
        except Unreachable as problem:
            reason = str(problem).removeprefix(f"cannot be read: {self} ")
            hint = "check the address, the network, and the credentials in the environment"
            if "is not installed" in reason:
                hint = self.address.installation
            elif "permission" in reason:
                hint = "give this user the right to write there"
            raise StoreRefused(f"artifacts cannot be written to {self}: {reason}", hint) from None

    # -- how calls are made

    def why(self, problem: BaseException) -> str:
        """What went wrong in a call, in a few words, without credentials."""
        if isinstance(problem, NotReadable):
            return str(problem)
        if isinstance(problem, ImportError):
            return f"the package {PACKAGES[self.address.scheme] or 'fsspec'} is not installed"
        if isinstance(problem, PermissionError):
            return "permission was denied"
        if isinstance(problem, FileNotFoundError):
            return "it does not exist"
        if "NoCredentials" in type(problem).__name__:
            return "no credentials were found"
        text = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        return without_credentials(f"{type(problem).__name__}: {' '.join(text.split())}")[:_MAX_REASON_LENGTH]

    def _call(self, work: Callable[[], _Answer]) -> _Answer:
        """The answer of `work`, within the time limit. Raises Missing, NotReadable and Unreachable."""
        if time.monotonic() < self._rests_until:
            raise Unreachable(self._reason)
        answers: list[_Answer] = []
        problems: list[BaseException] = []

        def run() -> None:
            try:
                answers.append(work())
            except BaseException as problem:  # noqa: BLE001 - libraries of stores raise anything; it is raised below
                problems.append(problem)

        thread = threading.Thread(target=run, name="store", daemon=True)
        thread.start()
        thread.join(CALL_SECONDS)
        if answers:
            return answers[0]
        if not problems:
            raise self._rest(f"gave no answer within {CALL_SECONDS:g} s")
        [problem] = problems
        if isinstance(problem, NotReadable):
            raise problem
        if isinstance(problem, FileNotFoundError):
            raise Missing("is missing") from problem
        if isinstance(problem, PermissionError | ImportError):
            raise Unreachable(f"cannot be read: {self} {self.why(problem)}") from problem
        raise self._rest(self.why(problem)) from problem

    def _rest(self, reason: str) -> Unreachable:
        self._reason = f"cannot be read: {self} {reason}"
        self._rests_until = time.monotonic() + REST_SECONDS
        return Unreachable(self._reason)

    def _root(self) -> Path:
        # The folder itself may be reached through a link, such as that of a mounted disk.
        root = Path(os.path.realpath(self.address.folder))
        if not root.is_dir():
            raise Missing("is missing")
        return root

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if not all(parts) or any(part in (".", "..") for part in parts) or "\0" in key:
            raise NotReadable("is not the name of a file")
        return f"{self._files()._strip_protocol(self.address.url).rstrip('/')}/{key}"

    def _files(self) -> Any:
        """The file system of fsspec. Its own caches are off: files appear while this program runs."""
        with self._lock:
            if self._system is None:
                import fsspec

                for library in _LIBRARIES:
                    # What they warn of is raised as well, and reported once.
                    logging.getLogger(library).addHandler(logging.NullHandler())
                settings = _SETTINGS.get(self.address.scheme, {})
                self._system, _ = fsspec.core.url_to_fs(self.address.url, **settings)
                if self.address.scheme == "s3":
                    self._system.retries = 2
            return self._system


_LIBRARIES = ("fsspec", "s3fs", "gcsfs", "adlfs", "aiobotocore", "botocore")

_SETTINGS: dict[str, dict[str, Any]] = {
    "file": {"auto_mkdir": True},
    "s3": {
        "use_listings_cache": False,
        "config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 1}},
    },
    "gs": {"use_listings_cache": False, "requests_timeout": 20},
    "gcs": {"use_listings_cache": False, "requests_timeout": 20},
    "abfs": {"use_listings_cache": False},
    "az": {"use_listings_cache": False},
}


@functools.cache
def store_at(url: str) -> FileStore:
    """The store at an address; one for each process, so that connections are shared. Raises BadAddress."""
    return FileStore(parse_address(url))


def without_credentials(text: str) -> str:
    """A message of a library without what stands for a user or a query in an address, and without secret variables."""
    text = _IN_ADDRESS.sub("", text)
    for name, value in os.environ.items():
        if len(value) >= 6 and value in text and _SECRET_NAME.search(name):
            text = text.replace(value, f"[redacted:{name}]")
    return text


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise NotReadable("became shorter while it was copied")
    return content


def _check(actual: str, recorded: str | None) -> None:
    if recorded is not None and actual != recorded:
        raise NotReadable("was changed after its digest was taken")
