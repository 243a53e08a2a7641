"""Reads the small texts that commands take: checkpoints, proofs, policies, keys and lines of events."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..adapters.regular_file import read_regular
from ..ledger.proof.checkpoint import Checkpoint, CheckpointError, parse_note
from ..ledger.proof.signing import Signer
from ..orchestrator.errors import UsageError

_MAX_BYTES = 1024 * 1024
"""Maximum size of a checkpoint, proof, policy or key; a note with many signatures has some thousand bytes."""

_MAX_LINE_BYTES = 16 * 1024 * 1024
"""Maximum size of an event's line, as for imports."""


def read_text(file: str, what: str) -> str:
    """A text from a file, or from stdin if the file is `-`. `what` names it. Raises UsageError."""
    try:
        if file == "-":
            return sys.stdin.read(_MAX_BYTES)
        return read_regular(Path(file), most=_MAX_BYTES).decode()
    except OSError as problem:
        raise UsageError(f"the {what} {file} cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise UsageError(f"{file} is not a {what}: {problem}") from problem


def read_note(file: str) -> str:
    """The text of a checkpoint. Raises UsageError."""
    return read_text(file, "checkpoint")


def checkpoint_in(text: str, name: str) -> Checkpoint:
    """The checkpoint in a text. Raises UsageError."""
    try:
        return parse_note(text)
    except CheckpointError as problem:
        raise UsageError(f"{name} is not a checkpoint: {problem}") from problem


def read_line(given: str) -> bytes:
    """The line of an event: the argument itself if it begins with `{`, else the content of that file, or of stdin.

    Raises UsageError.
    """
    if given.startswith("{"):
        return given.strip().encode()
    try:
        content = sys.stdin.buffer.read(_MAX_LINE_BYTES) if given == "-" else None
        if content is None:
            content = read_regular(Path(given), most=_MAX_LINE_BYTES)
    except OSError as problem:
        raise UsageError(f"the event's line {given} cannot be read: {problem.strerror}") from problem
    return content.removesuffix(b"\n")


def key_text(key: str) -> str:
    """A key, or the content of the file that it names. Raises UsageError."""
    try:
        return read_regular(Path(key), most=_MAX_BYTES).decode() if Path(key).is_file() else key
    except (OSError, ValueError) as problem:
        raise UsageError(f"the key in {key} cannot be read: {problem}") from problem


def write_key(signer: Signer, path: Path) -> None:
    """Write a private key to a new file that only its owner can read. Raises UsageError."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise UsageError(f"cannot write the key to {path}: {problem.strerror}") from problem
    with os.fdopen(fd, "w") as file:
        file.write(f"{signer}\n")
