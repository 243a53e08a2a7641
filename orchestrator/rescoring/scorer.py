"""What a later scorer is: a command, or the `[result]` section of a manifest; and its digest."""

from __future__ import annotations

import os
import shlex
import shutil
from hashlib import sha256
from pathlib import Path

import msgspec

from ...adapters.manifest import Manifest
from ...adapters.manifest.load import ManifestError, load_manifest
from ...adapters.regular_file import open_regular
from ...ledger.events import Scorer
from ...ledger.run_files import digest
from ..errors import UsageError

OUTPUT_DIR = "{output_dir}"
"""In a command: the folder with what the run wrote."""

_MAX_NAME = 80


class CommandScorer(msgspec.Struct, frozen=True):
    """A command that gets the samples of a run and answers with scores."""

    scorer: Scorer
    argv: list[str]

    @property
    def reads_outputs(self) -> bool:
        """Whether it gets the folder with the outputs, and so can judge a run without samples."""
        return any(OUTPUT_DIR in part for part in self.argv)


class ManifestScorer(msgspec.Struct, frozen=True):
    """The `[result]` section of a manifest, by which the stored results are read again."""

    scorer: Scorer
    manifest: Manifest


def read_scorer(text: str, benchmark_id: str, name: str | None = None) -> CommandScorer | ManifestScorer:
    """The scorer that a command line or the path of a manifest (`.toml`) names. Raises UsageError."""
    if name is not None and not (name.strip() and name.isprintable() and len(name) <= _MAX_NAME):
        raise UsageError(f"the name of a scorer has 1 to {_MAX_NAME} printable characters")
    if text.endswith(".toml"):
        return _of_manifest(Path(text), benchmark_id, name)
    return _of_command(text, name)


def _of_manifest(path: Path, benchmark_id: str, name: str | None) -> ManifestScorer:
    try:
        # A manifest in the folder of its benchmark need not name that folder.
        manifest = load_manifest(path, path.absolute().parent.name)
    except (ManifestError, OSError) as problem:
        raise UsageError(f"the manifest cannot be used: {problem}") from problem
    if manifest.id != benchmark_id:
        raise UsageError(f"{path} is the manifest of {manifest.id}, not of {benchmark_id}")
    section = sha256(msgspec.json.encode(manifest.result, order="deterministic")).hexdigest()
    return ManifestScorer(Scorer(name or path.name[:_MAX_NAME], section), manifest)


def _of_command(text: str, name: str | None) -> CommandScorer:
    """The digest is taken over the arguments, with the content of those that are files instead of their names.

    Of a program on PATH and of an interpreter the name counts.
    """
    try:
        parts = shlex.split(text)
    except ValueError as problem:
        raise UsageError(f"the scorer's command cannot be read: {problem}") from problem
    if not parts:
        raise UsageError("the scorer's command is empty")
    files = [place for place, part in enumerate(parts) if _is_file(part) and not _is_program(place, part)]
    if len(files) > 1 and files[0] == 0:
        del files[0]  # The interpreter of the others: its place and its patches do not make another scorer.
    # It starts in another folder.
    argv = [
        str(Path(part).absolute()) if _is_file(part) and not _is_program(place, part) else part
        for place, part in enumerate(parts)
    ]
    described = [_digest(Path(part)) if place in files else part for place, part in enumerate(parts)]
    if 0 not in files:
        described[0] = Path(parts[0]).name
    _refuse_what_cannot_start(argv[0])
    shown = name or Path(parts[files[0] if files else 0]).name[:_MAX_NAME]
    return CommandScorer(Scorer(shown, sha256(msgspec.json.encode(described)).hexdigest()), argv)


def _is_file(part: str) -> bool:
    try:
        return Path(part).is_file()
    except (OSError, ValueError):
        return False  # A long text or one with a zero byte is not a path.


def _is_program(place: int, part: str) -> bool:
    """Whether an argument is the name of a program that is found on PATH."""
    return place == 0 and "/" not in part and shutil.which(part) is not None


def _digest(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return f"sha256:{digest(file)}"
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}") from problem


def _refuse_what_cannot_start(program: str) -> None:
    if shutil.which(program):
        return
    if Path(program).is_file() and not os.access(program, os.X_OK):
        raise UsageError(
            f"the scorer {program} is not executable", f'name its interpreter: --with "python3 {Path(program).name}"'
        )
    raise UsageError(
        f"the scorer's command '{program}' was not found", "give its path, or a manifest that ends in .toml"
    )
