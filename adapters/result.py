"""Results: the file that a benchmark left, and what its manifest makes of it."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

import msgspec

from .manifest import Manifest, ResultSpec

LARGEST_BYTES = 64 * 1024 * 1024
"""A result is a summary; a larger file is taken for something else."""
LARGE_BYTES = 256 * 1024
"""From this size on, a process of its own reads it."""
LARGEST_VALUE_BYTES = 64 * 1024
"""A metric is a number, a word, a small table; what takes more as JSON is left out, and told in its place."""
MOST_NOTES, LONGEST_NOTE = 20, 300
"""What else a result tells a person: so many sentences of so many characters."""
DEEPEST = 32
"""Levels of tables within tables that a metric may have."""

CHANCE = "chance"
"""The metric that holds the score of guessing, in the unit of the score."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a result says. `reason` is None where it is valid, else one word, with `error` telling more.

    A score that was found is kept also where the result is not valid, for diagnosis.
    """

    path: Path | None = None
    score: float | None = None
    samples: int | None = None
    stderr: float | None = None
    metrics: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    notes: list[str] = []
    synthetic: bool = False
    reason: str | None = None
    error: str | None = None


class FileFacts(msgspec.Struct, frozen=True):
    """A file that a run left: path relative to the run's folder (`/` between parts), size, SHA-256."""

    path: str
    bytes: int
    sha256: str


def read_result(manifest: Manifest, *, output_dir: Path, cwd: Path, started_at: float) -> Reading:
    """Find and read the result of a run that began at `started_at` (Unix seconds).

    Reasons: `no_result`, `bad_result` (unreadable, no JSON object, or two files that can't be told apart),
    `no_score`, `no_samples`, `invalid_result`.
    """
    spec = manifest.result
    candidates = _candidates(spec, output_dir, cwd, started_at)
    if not candidates:
        where = f"{output_dir} or {cwd}" if spec.files_in_cwd else str(output_dir)
        return Reading(reason="no_result", error=f"no file {' or '.join(spec.files)} in {where}")
    if len(candidates) > 1:
        names = ", ".join(path.name for path in candidates[:4])
        return Reading(reason="bad_result", error=f"{len(candidates)} results that can't be told apart: {names}")
    [path] = candidates
    return read_file(manifest, path)


def read_file(manifest: Manifest, path: Path) -> Reading:
    """What the manifest makes of a result's file. Reasons are those of `read_result`, without `no_result`."""
    try:
        size = path.stat().st_size
    except OSError as problem:
        return _unreadable(path, problem)
    if not LARGE_BYTES < size <= LARGEST_BYTES:
        return read_spec(manifest.result, path)
    from .large_result import read_large

    return read_large(manifest.result, path)


def read_spec(spec: ResultSpec, path: Path) -> Reading:
    """The same, here and now, whatever memory it takes."""
    try:
        document = _load(path)
    except (OSError, ValueError) as problem:
        return _unreadable(path, problem)
    except RecursionError:
        return _unreadable(path, "it is nested too deeply")
    return _judge(_extract(spec, document, path), spec, document)


def _unreadable(path: Path, why: object) -> Reading:
    return Reading(path=path, reason="bad_result", error=f"{path.name}: {why}")


def list_artifacts(run_folder: Path) -> list[FileFacts]:
    """Every regular file below the run's `output/`, sorted by path; symbolic links are not followed.

    A file whose name is no UTF-8 is left out: no event can hold that name.
    """
    output = run_folder / "output"
    if output.is_symlink():
        return []
    found = (Path(folder, name) for folder, _, names in os.walk(output) for name in names)
    files = sorted(path for path in found if path.is_file() and not path.is_symlink() and _can_be_named(path))
    facts = []
    for path in files:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        facts.append(FileFacts(path.relative_to(run_folder).as_posix(), path.stat().st_size, digest))
    return facts


def _can_be_named(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _candidates(spec: ResultSpec, output_dir: Path, cwd: Path, started_at: float) -> list[Path]:
    """The files of the first pattern that matches any: in the output folder, else, where allowed, in `cwd`."""
    for pattern in spec.files:
        if found := _matches(output_dir, pattern, lambda _: True):
            return found
    if spec.files_in_cwd:
        for pattern in spec.files:
            if found := _matches(cwd, pattern, lambda path: path.stat().st_mtime >= started_at):
                return found
    return []


def _matches(folder: Path, pattern: str, allowed: Callable[[Path], bool]) -> list[Path]:
    inside = folder.resolve()
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.is_file() and path.resolve().is_relative_to(inside) and allowed(path)
    )


def _load(path: Path) -> Any:
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise ValueError(f"{size} bytes are no result; a result has at most {LARGEST_BYTES}")
    document = _decode(path.read_bytes())
    if not isinstance(document, dict | list):
        raise ValueError("neither a JSON object nor a list")
    return document


def _decode(content: bytes) -> Any:
    """The value of a JSON text; null for the NaN and Infinity that Python programs write and no JSON has."""
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as problem:
        try:
            return json.loads(content, parse_constant=lambda name: None)
        except ValueError:
            raise problem from None


def _extract(spec: ResultSpec, document: Any, path: Path) -> Reading:
    chance = _score(spec, spec.chance, document)
    return Reading(
        path=path,
        score=_score(spec, spec.score, document),
        samples=_count(_search(spec.samples, document)),
        stderr=_number(_search(spec.stderr, document)),
        metrics=_table(spec.metrics, document) | ({} if chance is None else {CHANCE: chance}),
        usage={name: value for name, value in _table(spec.usage, document).items() if _number(value) is not None},
        notes=_notes(_search(spec.notes, document)),
        synthetic=_search(spec.synthetic, document) is True,
    )


def _judge(reading: Reading, spec: ResultSpec, document: Any) -> Reading:
    failure = None
    if spec.valid is not None and (valid := _search(spec.valid, document)) is not True:
        failure = ("invalid_result", f"'{spec.valid}' is {_shown(valid)}")
    elif reading.score is None:
        failure = ("no_score", _no_score(spec, document))
    elif spec.samples is not None and not reading.samples:
        failure = ("no_samples", f"'{spec.samples}' is {_shown(_search(spec.samples, document))}, no count of samples")
    if failure is None:
        return reading
    assert reading.path is not None  # noqa: S101 - for the type checker: it was read from there
    return msgspec.structs.replace(reading, reason=failure[0], error=f"{reading.path.name}: {failure[1]}")


def _score(spec: ResultSpec, expression: str | None, document: Any) -> float | None:
    score = _number(_search(expression, document))
    if spec.out_of is None or score is None:
        return score
    most = _number(_search(spec.out_of, document))
    return _number(score / most) if most else None


def _no_score(spec: ResultSpec, document: Any) -> str:
    found = _search(spec.score, document)
    if _number(found) is None or spec.out_of is None:
        return f"'{spec.score}' is {_shown(found)}, no finite number"
    return f"'{spec.out_of}' is {_shown(_search(spec.out_of, document))}, by which no score can be divided"


def _table(expressions: Mapping[str, str], document: Any) -> dict[str, Any]:
    """What is there of the values: a metric that a result does not have is left out."""
    found = {name: _search(expression, document) for name, expression in expressions.items()}
    return {name: _within_reason(value) for name, value in found.items() if value is not None}


def _notes(value: Any) -> list[str]:
    """A text, or the texts of a list, each on one line."""
    texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
    lines = [" ".join(text.split())[:LONGEST_NOTE] for text in texts[:MOST_NOTES]]
    return [line for line in lines if line]


def _within_reason(value: Any) -> Any:
    """A value as an event should hold it: of a summary, and not the whole of what was measured."""
    if not is_shallow(value, DEEPEST):
        return f"[left out: more than {DEEPEST} levels deep]"
    size = len(msgspec.json.encode(value))
    return value if size <= LARGEST_VALUE_BYTES else f"[left out: {size} bytes]"


def is_shallow(value: Any, levels: int) -> bool:
    """Whether a value has no more levels of tables and lists within each other than that."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(is_shallow(part, levels - 1) for part in parts)


def _search(expression: str | None, document: Any) -> Any:
    import jmespath.exceptions

    if expression is None:
        return None
    try:
        return _compile(expression).search(document)
    except jmespath.exceptions.JMESPathError:
        return None  # A function met a value of another type: the result has not what the manifest looks for.


@functools.cache
def _compile(expression: str) -> Any:
    import jmespath

    return jmespath.compile(expression)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None  # JSON's whole numbers have no end.
    return number if math.isfinite(number) else None


def _count(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number >= 0 and number.is_integer() else None


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:80]
