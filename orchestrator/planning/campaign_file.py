"""Campaign files: a matrix of benchmarks, agents, models and options in TOML, with what to leave out and what to add.

`docs/campaigns.md` explains the format.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from datetime import time as clock_time
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from ...adapters.adapter import Adapter
from ...adapters.discovery import NONE_BROKEN, Broken
from ...adapters.options import nearest
from ...adapters.regular_file import read_regular
from ...ledger.events import Json
from ..errors import UsageError
from ..models.targets import Target
from .plan import PER_BENCHMARK, Cell, choose

EVERYTHING = "all"


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that needs more words than `provider:model`."""

    provider: str
    model: str | None = None
    base_url: str | None = None


class Matrix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is multiplied. Without agents each benchmark has its own."""

    benchmarks: list[str] | Literal["all"]
    agents: list[str] | None = None
    models: list[str | Model]
    options: list[Json] = msgspec.field(default_factory=lambda: [{}])


class Exclude(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cells to leave out: those that match each pattern given, and have those options."""

    benchmark: str = "*"
    agent: str = "*"
    model: str = "*"
    options: Json = {}


class Override(Exclude, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options to set for the cells that match; `options` are those that a cell must have to match."""

    set: Json


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The flags of `run` that a file may give; a flag on the command line comes first."""

    jobs: int | None = None
    repeats: int | None = None
    retries: int | None = None
    retry_delay: float | None = None
    timeout: float | None = None
    stall: float | None = None
    max_cost: float | None = None
    max_tokens: int | None = None
    max_minutes: float | None = None

    def given(self) -> Json:
        """The flags that the file gives, by the names of their parameters."""
        flags: Json = msgspec.to_builtins(self)
        return flags


class CampaignFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file as it is written."""

    name: str = ""
    matrix: Matrix
    options: Json = {}
    exclude: list[Exclude] = []
    override: list[Override] = []
    run: Settings = Settings()


_LARGEST_BYTES = 4 * 1024 * 1024
"""What a campaign file may have: a matrix of a thousand cells takes some kilobytes."""


class Loaded(msgspec.Struct, frozen=True):
    """A campaign file, its content as plain values, and the digest of its bytes."""

    path: Path
    sha256: str
    content: Json
    file: CampaignFile

    @property
    def name(self) -> str:
        """The campaign's name: the file's own, where it gives none."""
        return self.file.name or self.path.stem


def load_campaign_file(path: Path) -> Loaded:
    """Read a campaign file. Raises UsageError, with the place, where it makes no sense."""
    try:
        raw = read_regular(path, most=_LARGEST_BYTES)
        content = tomllib.loads(raw.decode())
        _check(content)
        loaded = Loaded(path, sha256(raw).hexdigest(), content, msgspec.convert(content, CampaignFile))
    except OSError as problem:
        raise UsageError(f"the campaign file {path} cannot be read: {problem.strerror}") from problem
    except (ValueError, msgspec.ValidationError) as problem:
        raise UsageError(f"the campaign file {path} makes no sense: {problem}") from problem
    except RecursionError as problem:
        raise UsageError(f"the campaign file {path} makes no sense: it is nested too deep") from problem
    for options in (loaded.file.options, *loaded.file.matrix.options):
        own = options.get(PER_BENCHMARK, {})
        if not isinstance(own, dict) or not all(isinstance(one, dict) for one in own.values()):
            raise UsageError(f"{path}: {PER_BENCHMARK} is no table of benchmark ids, each with a table of options")
    return loaded


def _check(content: Json) -> None:
    """What is told better than by the types. Raises ValueError."""
    matrix = content.get("matrix")
    tables: list[tuple[str, Any, type[msgspec.Struct]]] = [
        ("", content, CampaignFile),
        ("matrix", matrix, Matrix),
        ("run", content.get("run"), Settings),
    ]
    if isinstance(matrix, dict):
        tables += _rows("matrix.models", matrix.get("models"), Model)
        named = matrix.get("benchmarks")
        if isinstance(named, str) and named != EVERYTHING:
            raise ValueError(f"matrix.benchmarks is a list of ids, or \"{EVERYTHING}\", and not '{named}'")
    tables += _rows("exclude", content.get("exclude"), Exclude)
    tables += _rows("override", content.get("override"), Override)
    for where, table, kind in tables:
        if isinstance(table, dict):
            _refuse_unknown(where, table, kind)
    for number, rule in enumerate(content.get("exclude") or [], 1):
        if rule == {}:
            raise ValueError(f"exclude {number} is empty: it would leave nothing; say what it is to leave out")
    _refuse_moments("", content)


def _rows(where: str, rows: Any, kind: type[msgspec.Struct]) -> list[tuple[str, Any, type[msgspec.Struct]]]:
    """The tables of a list, each with its place. What is no list is told by the types."""
    return [(f"{where} {number}", row, kind) for number, row in enumerate(rows, 1)] if isinstance(rows, list) else []


def _refuse_unknown(where: str, table: Json, kind: type[msgspec.Struct]) -> None:
    known = sorted(kind.__struct_fields__)
    for key in table:
        if key not in known:
            guess = nearest(key, known)
            hint = f"did you mean {guess}?" if guess else f"there are {', '.join(known)}"
            raise ValueError(f"unknown key '{key}'{f' in {where}' if where else ''}: {hint}")


def _refuse_moments(where: str, value: Any) -> None:
    """TOML has dates and times, options have not: which text is meant is for the author to say."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_moments(f"{where}.{key}".lstrip("."), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_moments(f"{where}[{index}]", inner)
    elif isinstance(value, date | clock_time):  # A datetime is a date, too.
        kind = "date" if isinstance(value, date) else "time"
        raise ValueError(f"{where} is a {kind}; write it as a text, in quotes")


FindTarget = Callable[[str, str | None, str | None], Target]
"""The target of a provider, a model and a base URL."""


def cells_of(
    loaded: Loaded,
    known: Mapping[str, Adapter],
    find_target: FindTarget,
    broken: Broken = NONE_BROKEN,
) -> list[Cell]:
    """The cells of a campaign, one model after the other, so that a model of this machine is loaded once.

    Raises UsageError for names that nobody knows, and for a rule that matches no cell: it was meant for one.
    """
    file = loaded.file
    matrix = file.matrix
    is_all = matrix.benchmarks == EVERYTHING
    adapters = list(known.values()) if is_all else choose(list(matrix.benchmarks), known, broken)
    axes = {"benchmarks": adapters, "agents": matrix.agents, "models": matrix.models, "options": matrix.options}
    for name, axis in axes.items():
        if axis is not None and not axis:
            raise UsageError(f"{loaded.path}: matrix.{name} is empty")
    cells = [
        Cell(adapter, agent, target, _merged(file.options, options))
        for target in [_target(model, find_target) for model in matrix.models]
        for adapter in adapters
        for agent in matrix.agents or [adapter.manifest.default_agent]
        for options in matrix.options
    ]
    for number, exclude in enumerate(file.exclude, 1):
        left = [cell for cell in cells if not _matches(exclude, cell)]
        _refuse_idle(loaded, "exclude", number, exclude, len(left) == len(cells))
        cells = left
    for number, override in enumerate(file.override, 1):
        hit = [_matches(override, cell) for cell in cells]
        _refuse_idle(loaded, "override", number, override, not any(hit))
        cells = [
            Cell(cell.adapter, cell.agent, cell.target, _with_own(cell, override.set)) if is_meant else cell
            for cell, is_meant in zip(cells, hit, strict=True)
        ]
    if not cells:
        raise UsageError(f"{loaded.path}: everything is excluded")
    return cells


def _target(model: str | Model, find_target: FindTarget) -> Target:
    if isinstance(model, Model):
        return find_target(model.provider, model.model, model.base_url)
    provider, colon, name = model.partition(":")
    if not colon:
        raise UsageError(
            f"matrix.models: '{model}' names no provider; write it as provider:model, such as groq:{model}"
        )
    return find_target(provider, name, None)


def _merged(first: Json, then: Json) -> Json:
    per_benchmark = {**first.get(PER_BENCHMARK, {})}
    for benchmark_id, options in then.get(PER_BENCHMARK, {}).items():
        per_benchmark[benchmark_id] = {**per_benchmark.get(benchmark_id, {}), **options}
    merged = {**first, **then}
    return {**merged, PER_BENCHMARK: per_benchmark} if per_benchmark else merged


def _with_own(cell: Cell, options: Json) -> Json:
    """The cell's options with some of its own, which come before what is said for all."""
    return _merged(cell.extra, {PER_BENCHMARK: {cell.adapter.id: options}})


def _matches(rule: Exclude, cell: Cell) -> bool:
    given = {**cell.extra, **cell.extra.get(PER_BENCHMARK, {}).get(cell.adapter.id, {})}
    return (
        fnmatchcase(cell.adapter.id, rule.benchmark)
        and fnmatchcase(cell.agent, rule.agent)
        and fnmatchcase(str(cell.target), rule.model)
        and all(name in given and given[name] == value for name, value in rule.options.items())
    )


def _refuse_idle(loaded: Loaded, table: str, number: int, rule: Exclude, is_idle: bool) -> None:
    if is_idle:
        shown: Any = {name: value for name, value in msgspec.to_builtins(rule).items() if value not in ("*", {})}
        raise UsageError(f"{loaded.path}: {table} {number} matches no cell: {shown}")
