"""Results: the file that a benchmark left, found and read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..manifest import Manifest, ResultSpec
from ..regular_file import open_regular
from .child import read_large
from .finding import find_files
from .reading import CHANCE, MAX_BYTES, Reading, in_words, read_spec, shown_name, unreadable

__all__ = ["CHANCE", "LARGE_BYTES", "MAX_BYTES", "IsOver", "Reading", "read_file", "read_result", "read_spec"]

LARGE_BYTES = 256 * 1024
"""A larger result is read by a process of its own."""

IsOver = Callable[[], bool]
"""Asked again and again while a reader works: whether it has to give up."""


def read_result(
    manifest: Manifest, *, output_dir: Path, cwd: Path, started_at: float, is_over: IsOver = lambda: False
) -> Reading:
    """Find and read the result of a run that began at `started_at` (Unix seconds).

    Reasons: `no_result`, `bad_result` (unreadable, not a JSON object, or two files that cannot be distinguished),
    `no_score`, `no_samples`, `invalid_result`. Whatever lies there, this returns a `Reading`. A large result is given
    up as unreadable once `is_over` says so.
    """
    spec = manifest.result
    try:
        candidates, problems = _candidates(spec, output_dir, cwd, started_at)
    except Exception as problem:  # noqa: BLE001 - whatever lies there, the run has an outcome
        return Reading(reason="no_result", error=f"{output_dir} cannot be searched: {in_words(problem)}")
    if not candidates:
        where = f"{output_dir} or {cwd}" if spec.files_in_cwd else str(output_dir)
        error = "; ".join([f"no file {' or '.join(spec.files)} in {where}", *problems])
        return Reading(reason="no_result", error=error)
    if len(candidates) > 1:
        names = ", ".join(shown_name(path) for path in candidates[:4])
        return Reading(reason="bad_result", error=f"{len(candidates)} results that cannot be distinguished: {names}")
    reading = read_file(manifest, candidates[0], is_over=is_over)
    return msgspec.structs.replace(reading, notes=[*reading.notes, *problems]) if problems else reading


def read_file(manifest: Manifest, path: Path, *, is_over: IsOver = lambda: False) -> Reading:
    """What the manifest makes of a result's file. Reasons are those of `read_result`, without `no_result`.

    Whatever the file holds, this returns a `Reading`.
    """
    try:
        if shown_name(path) != path.name:
            return unreadable(None, "its name is not UTF-8, so no event can name it", shown_name(path))
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if not LARGE_BYTES < size <= MAX_BYTES:
                return read_spec(manifest.result, path, file)
            return read_large(manifest.result, path, file, is_over=is_over)
    except Exception as problem:  # noqa: BLE001 - a result may hold anything, and it ends only this run
        return unreadable(path, in_words(problem))


def _candidates(spec: ResultSpec, output_dir: Path, cwd: Path, started_at: float) -> tuple[list[Path], list[str]]:
    """The files of the first pattern that matches any: in the output folder, else, if that is allowed, in `cwd`.

    And what is wrong with others that match.
    """
    problems: list[str] = []
    for pattern in spec.files:
        found = find_files(output_dir, pattern)
        problems += found.problems
        if found.files:
            return found.files, problems
    if spec.files_in_cwd:
        for pattern in spec.files:
            found = find_files(cwd, pattern)
            if new := [path for path in found.files if path.stat().st_mtime >= started_at]:
                return new, problems
    return [], list(dict.fromkeys(problems))
