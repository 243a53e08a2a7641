"""A manifest is read from its file: the tables, then their types, then what types cannot say."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import msgspec

from ..options import Kind, Option
from ..regular_file import read_regular
from .check import faults
from .schema import (
    PATTERN_RULES,
    Baseline,
    Calibration,
    Check,
    Data,
    HighScore,
    Manifest,
    Requires,
    Resources,
    ResultSpec,
    RunSpec,
)

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""A larger file is taken for something else than a manifest."""
_MAX_FAULTS = 100
_TABLES: dict[str, type[msgspec.Struct]] = {
    "run": RunSpec,
    "requires": Requires,
    "requires.checks": Check,
    "resources": Resources,
    "options": Option,
    "baselines": Baseline,
    "calibration": Calibration,
    "result": ResultSpec,
    "data": Data,
    "high_score": HighScore,
}
_LIMITS = {"<=": "at most", "<": "less than", ">=": "at least", ">": "more than"}


class ManifestError(Exception):
    """A manifest, or a file that says where manifests are, that cannot be used: which file, which key, and why."""

    def __init__(self, path: Path, key: str, reason: str) -> None:
        self.path, self.key, self.reason = path, key, reason
        super().__init__(f"{path}: {key}: {reason}" if key else f"{path}: {reason}")


def load_manifest(path: Path, directory: str | None = None) -> Manifest:
    """Read and check a manifest. `directory` is the benchmark directory if the file does not name one.

    Raises ManifestError with the first thing that is wrong.
    """
    return parse_manifest(read_toml(path), path, directory)


def parse_manifest(tables: dict[str, Any], path: Path, directory: str | None = None) -> Manifest:
    """The manifest in the tables of a file; `path` is for messages. Raises ManifestError."""
    tables = _with_directory(tables, directory)
    try:
        manifest = _convert(tables)
    except msgspec.ValidationError as problem:
        raise ManifestError(path, *_explain(problem, tables)) from problem
    for key, reason in faults(manifest):
        raise ManifestError(path, key, reason)
    return manifest


def find_faults(path: Path, directory: str | None = None) -> list[ManifestError]:
    """Everything that is wrong with a manifest's file. What does not fit together shows once all types are right."""
    try:
        tables = read_toml(path)
    except ManifestError as problem:
        return [problem]
    return [ManifestError(path, key, reason) for key, reason in _all_faults(_with_directory(tables, directory))]


def read_manifest(content: bytes, path: Path, directory: str | None) -> Manifest:
    """The manifest in the content of a file; `path` is for messages. Raises ManifestError."""
    return parse_manifest(_tables_of(content, path), path, directory)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises ManifestError."""
    try:
        content = read_regular(path, most=MAX_MANIFEST_BYTES)
    except OSError as problem:
        raise ManifestError(path, "", f"cannot be read: {problem.strerror}") from problem
    return _tables_of(content, path)


def _tables_of(content: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except RecursionError as problem:
        raise ManifestError(path, "", "is not TOML: it is nested too deeply") from problem
    except ValueError as problem:
        raise ManifestError(path, "", f"is not TOML: {problem}") from problem


def _with_directory(tables: dict[str, Any], directory: str | None) -> dict[str, Any]:
    return tables if directory is None else {"directory": directory, **tables}


def _convert(tables: dict[str, Any]) -> Manifest:
    manifest = msgspec.convert(tables, Manifest)
    if manifest.calibration is None:
        return manifest
    # Baselines of that name which the manifest itself declares come first.
    baselines = {**manifest.calibration.baselines(), **manifest.baselines}
    return msgspec.structs.replace(manifest, baselines=baselines)


def _all_faults(tables: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The faults of each value: one that is wrong is reported and taken out, then the rest is read again."""
    rest = copy.deepcopy(tables)
    taken_out: list[str] = []
    while len(taken_out) < _MAX_FAULTS:
        try:
            manifest = _convert(rest)
        except msgspec.ValidationError as problem:
            key, reason = _explain(problem, rest)
            if key in taken_out:
                return  # It is needed to read on.
            yield key, reason
            if not _take_out(rest, key):
                return
            taken_out.append(key)
        else:
            if not taken_out:
                yield from faults(manifest)
            return


def _take_out(tables: dict[str, Any], key: str) -> bool:
    """Remove the value at that key. False if it is not there, or is one that must be."""
    *path, last = re.findall(r"[^.\[\]]+", key) or [""]
    table = _value_at(tables, ".".join(path))
    if not isinstance(table, dict) or last not in table:
        return False
    del table[last]
    return True


def _explain(problem: msgspec.ValidationError, tables: dict[str, Any]) -> tuple[str, str]:
    """The key and the reason of an error of msgspec, in the words of a manifest's author."""
    reason, _, location = str(problem).partition(" - at `")
    is_name, _, location = location.rpartition("` in `") if " in `" in location else ("", "", location)
    # The name in a dictionary stands as [...] in msgspec's path: find it by trying.
    key = _named(location.strip("`").lstrip("$."), tables, reason)
    if match := re.match(r"Object contains unknown field `(.+)`", reason):
        guess = get_close_matches(match[1].lower(), _fields_at(key), n=1)
        return ".".join(filter(None, (key, match[1]))), "unknown key" + (f"; did you mean {guess[0]}?" if guess else "")
    if match := re.match(r"Object missing required field `(.+)`", reason):
        return ".".join(filter(None, (key, match[1]))), "is missing"
    if reason.startswith("Invalid enum value"):
        return key, f"{reason[0].lower() + reason[1:]}; known: {', '.join(get_args(Kind))}"
    if is_name:
        name = _wrong_name(_value_at(tables, key), reason)
        return f"{key}.{name}", _limit(reason, name)
    return re.sub(r"\[\d+\]\Z", "", key), _limit(reason, _value_at(tables, key))


def _limit(reason: str, value: Any) -> str:
    """A broken limit in plain words, with the value; a wrong type as msgspec says it."""
    if match := re.search(r"matching regex (.+)", reason):
        rule = next((rule for pattern, rule in PATTERN_RULES.items() if repr(pattern) == match[1]), reason)
        return rule if rule == PATTERN_RULES[r"\S"] else f"'{value}' {rule}"
    if match := re.fullmatch(r"Expected `(?:int|float)` (<=|>=|<|>) ([-\d.]+)", reason):
        return f"must be {_LIMITS[match[1]]} {float(match[2]):.15g}, got {value}"
    if re.fullmatch(r"Expected `\w+` of length >= 1", reason):
        return "is empty"
    return reason[0].lower() + reason[1:]


def _named(key: str, tables: dict[str, Any], reason: str) -> str:
    """A key of msgspec with the name for its `[...]`: that of the first value which makes the same error."""
    before, ellipsis, after = key.partition("[...]")
    if not ellipsis:
        return key
    table = _value_at(tables, before)
    kind: Any = _TABLES.get(before) if before in ("options", "baselines") else None
    for name, value in table.items() if isinstance(table, dict) else ():
        try:
            msgspec.convert(value, kind or _inner_type(before))
        except msgspec.ValidationError as problem:
            if str(problem).partition(" - at ")[0] == reason:
                return f"{before}.{name}{after}"
    return before


def _inner_type(key: str) -> Any:
    """The type of the values of a dictionary of the manifest, such as `run.env`."""
    table, _, field = key.rpartition(".")
    kinds = {field.encode_name: field.type for field in msgspec.structs.fields(_TABLES.get(table, Manifest))}
    return get_args(kinds.get(field, dict[str, str]))[1]


def _wrong_name(table: Any, reason: str) -> str:
    """The name in a dictionary that does not match the pattern."""
    pattern = next((one for one in PATTERN_RULES if repr(one) in reason), "")
    names = table if isinstance(table, dict) else ()
    return next((name for name in names if not re.search(pattern, name)), "")


def _value_at(tables: Any, key: str) -> Any:
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(tables, list) and part.isdigit():
            tables = tables[int(part)] if int(part) < len(tables) else None
        else:
            tables = tables.get(part) if isinstance(tables, dict) else None
    return tables


def _fields_at(key: str) -> tuple[str, ...]:
    path = re.sub(r"\[\d+\]", "", key)
    return _TABLES.get(path, _TABLES.get(path.partition(".")[0], Manifest)).__struct_fields__
