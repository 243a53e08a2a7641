"""Samples that stay private: a digest of each line, salted so that it cannot be guessed, which can be opened later.

The salt of a line follows from one secret, so its keeper can open any line by itself: with the line and its salt,
everybody with the bundle can compute the digest. The salts of the other lines stay unknown.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec

from ..errors import LedgerError
from ..events import Artifact

SAMPLES = "samples.jsonl"
_SECRET_BYTES = 32
_IDS = ("id", "sample_id", "task_id")
"""The names under which a line says which sample it is about."""


class SecretError(LedgerError):
    """The secret of a bundle cannot be read or written."""


class RedactedSamples(msgspec.Struct, frozen=True):
    """A file with samples, as the run recorded it, and the salted digest of each of its lines."""

    path: str
    bytes: int
    sha256: str
    lines: list[str]


class Opening(msgspec.Struct, frozen=True):
    """One line of a redacted file, with its number from 0 and its salt as hex."""

    run_id: str
    path: str
    line: int
    salt: str
    text: str

    @property
    def digest(self) -> str:
        """The digest that the bundle must have at this line."""
        return salted_digest(bytes.fromhex(self.salt), self.text.encode())


class Salts:
    """The salts that follow from one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, run_id: str, path: str, line: int) -> bytes:
        """The salt of a line, 32 bytes."""
        return hmac.new(self._secret, f"{run_id}\0{path}\0{line}".encode(), sha256).digest()


def salted_digest(salt: bytes, text: bytes) -> str:
    """The SHA-256 of a salt and a line, as hex."""
    return sha256(salt + text).hexdigest()


def is_samples(path: str) -> bool:
    """Whether a recorded file has the samples of its run, one on each line."""
    return PurePosixPath(path).name == SAMPLES


def redacted(salts: Salts, run_id: str, artifact: Artifact, file: BinaryIO) -> RedactedSamples:
    """The digests of a file's lines."""
    lines = [
        salted_digest(salts.of(run_id, artifact.path, number), line.rstrip(b"\n")) for number, line in enumerate(file)
    ]
    return RedactedSamples(artifact.path, artifact.bytes, artifact.sha256, lines)


def open_lines(salts: Salts, run_id: str, artifact: Artifact, file: BinaryIO, sample_id: str) -> Iterator[Opening]:
    """The openings of the lines whose object has that `id`: one for each repetition of a sample."""
    for number, raw in enumerate(file):
        line = raw.rstrip(b"\n")
        try:
            sample = msgspec.json.decode(line)
            text = line.decode()
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
        if isinstance(sample, dict) and any(str(sample.get(name)) == sample_id for name in _IDS if name in sample):
            yield Opening(run_id, artifact.path, number, salts.of(run_id, artifact.path, number).hex(), text)


def new_salts(path: Path) -> Salts:
    """Salts from the secret in a file; the file is made if it is not there. Raises SecretError."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return read_salts(path)
    except OSError as problem:
        raise SecretError(f"the secret cannot be written to {path}: {problem.strerror}") from problem
    with os.fdopen(fd, "w") as file:
        secret = os.urandom(_SECRET_BYTES)
        file.write(f"{secret.hex()}\n")
    return Salts(secret)


def read_salts(path: Path) -> Salts:
    """Salts from the secret in a file. Raises SecretError."""
    if path.exists() and not path.is_file():  # A pipe would be waited for.
        raise SecretError(f"the secret {path} cannot be read: it is not a regular file")
    try:
        with path.open("rb") as file:
            secret = bytes.fromhex(file.read(200).decode().strip())
    except (OSError, ValueError) as problem:
        raise SecretError(f"the secret {path} cannot be read: {problem}") from problem
    if len(secret) != _SECRET_BYTES:
        raise SecretError(f"{path} does not have a secret of {_SECRET_BYTES} bytes")
    return Salts(secret)
