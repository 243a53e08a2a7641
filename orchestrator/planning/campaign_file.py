"""Campaign files: a matrix of benchmarks, agents, models and options in TOML, with exclusions and overrides.

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
from ...adapters.regular_file import read_regular
from ...ledger.events import Json
from ...ledger.suggestions import did_you_mean
from ..errors import UsageError
from ..models.targets import Target
from ..toml_file import faults_of
from .plan import PER_BENCHMARK, Cell, choose

EVERYTHING = "all"


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model with its own address, which `provider:model` cannot describe."""

    provider: str
    model: str | None = None
    base_url: str | None = None


class Matrix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The axes of the matrix. Without `agents`, each benchmark runs its default agent."""

    benchmarks: list[str] | Literal["all"]
    agents: list[str] | None = None
    models: list[str | Model]
    options: list[Json] = msgspec.field(default_factory=lambda: [{}])


class Exclude(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule that leaves out the cells that match every pattern and have these options."""

    benchmark: str = "*"
    agent: str = "*"
    model: str = "*"
    options: Json = {}


class Override(Exclude, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule that sets options in matching cells; a cell must have `options` to match."""

    set: Json


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The flags of `run` that a file may set; a flag on the command line overrides them."""

    jobs: int | None = None
    executor: str | None = None
    ray_address: str | None = None
    repeats: int | None = None
    retries: int | None = None
    retry_delay: float | None = None
    timeout: float | None = None
    stall: float | None = None
    max_cost: float | None = None
    max_tokens: int | None = None
    max_minutes: float | None = None
    artifacts: str | None = None

    def defaults(self) -> Json:
        """The flags that the file sets, by parameter name."""
        flags: Json = msgspec.to_builtins(self)
        return flags


class CampaignFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of a campaign file."""

    name: str = ""
    matrix: Matrix
    options: Json = {}
    exclude: list[Exclude] = []
    override: list[Override] = []
    run: Settings = Settings()
    endpoints: Json = {}


_MAX_BYTES = 4 * 1024 * 1024
"""Maximum size of a campaign file. A matrix of a thousand cells takes a few kilobytes."""


class Loaded(msgspec.Struct, frozen=True):
    """A campaign file, its content as plain values, and the digest of its bytes."""

    path: Path
    sha256: str
    content: Json
    file: CampaignFile

    @property
    def name(self) -> str:
        """The campaign's name; if the file sets none, the name of the file."""
        return self.file.name or self.path.stem


def load_campaign_file(path: Path) -> Loaded:
    """Read a campaign file. Raises UsageError, which names the key, if it is not valid."""
    with faults_of("campaign file", path, "docs/campaigns.md explains the format"):
        raw = read_regular(path, most=_MAX_BYTES)
        content = tomllib.loads(raw.decode())
        _check(content)
        loaded = Loaded(path, sha256(raw).hexdigest(), content, msgspec.convert(content, CampaignFile))
    for options in (loaded.file.options, *loaded.file.matrix.options):
        own = options.get(PER_BENCHMARK, {})
        if not isinstance(own, dict) or not all(isinstance(one, dict) for one in own.values()):
            raise UsageError(
                f"{path}: {PER_BENCHMARK} must be a table of benchmark ids, each with a table of options",
                f"write it like this: {PER_BENCHMARK} = {{ human_eval = {{ samples = 5 }} }}",
            )
    return loaded


def _check(content: Json) -> None:
    """Raises ValueError for faults that need a better message than that of the type check."""
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
            raise ValueError(
                f"matrix.benchmarks must be a list of ids or \"{EVERYTHING}\", not '{named}'\n"
                f'hint: write benchmarks = ["{named}"]'
            )
    tables += _rows("exclude", content.get("exclude"), Exclude)
    tables += _rows("override", content.get("override"), Override)
    for place, table, kind in tables:
        if isinstance(table, dict):
            refuse_unknown(place, table, kind)
    for number, rule in enumerate(content.get("exclude") or [], 1):
        if rule == {}:
            raise ValueError(
                f"exclude {number} is empty, so it would leave out every cell\n"
                "hint: give it a benchmark, an agent, a model or options"
            )
    _refuse_moments("", content)


def _rows(place: str, rows: Any, kind: type[msgspec.Struct]) -> list[tuple[str, Any, type[msgspec.Struct]]]:
    """The tables of a list, each with its place; empty for another value, which the type check reports."""
    return [(f"{place} {number}", row, kind) for number, row in enumerate(rows, 1)] if isinstance(rows, list) else []


def refuse_unknown(place: str, table: Json, kind: type[msgspec.Struct]) -> None:
    """Raises ValueError for a key of a table that its type does not have, with the nearest one."""
    known = sorted(kind.__struct_fields__)
    for key in table:
        if key not in known:
            hint = did_you_mean(key, known, f"the keys are {', '.join(known)}")
            raise ValueError(f"unknown key '{key}'{f' in {place}' if place else ''}\nhint: {hint}")


def _refuse_moments(place: str, value: Any) -> None:
    """Raises ValueError for a TOML date or time: options have no such type, and the intended text is unknown."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_moments(f"{place}.{key}".lstrip("."), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_moments(f"{place}[{index}]", inner)
    elif isinstance(value, date | clock_time):  # A datetime is also a date.
        kind = "date" if isinstance(value, date) else "time"
        raise ValueError(f"{place} is a {kind}, which an option cannot be\nhint: write it as text, in quotes")


FindTarget = Callable[[str, str | None, str | None], Target]
"""Returns the target for a provider, a model and a base URL."""


def cells_of(
    loaded: Loaded,
    known: Mapping[str, Adapter],
    find_target: FindTarget,
    broken: Broken = NONE_BROKEN,
) -> list[Cell]:
    """The cells of a campaign, ordered by model, so that a local model is loaded once.

    Raises UsageError for unknown names, and for a rule that matches no cell, since it is probably a mistake.
    """
    cells = _left_over(loaded, _expanded(loaded, known, find_target, broken))
    cells = _overridden(loaded, cells)
    if not cells:
        raise UsageError(f"{loaded.path}: its [[exclude]] rules leave out every cell")
    return cells


def _expanded(loaded: Loaded, known: Mapping[str, Adapter], find_target: FindTarget, broken: Broken) -> list[Cell]:
    """Every cell of the matrix."""
    file, matrix = loaded.file, loaded.file.matrix
    is_all = matrix.benchmarks == EVERYTHING
    adapters = list(known.values()) if is_all else choose(list(matrix.benchmarks), known, broken)
    axes = {"benchmarks": adapters, "agents": matrix.agents, "models": matrix.models, "options": matrix.options}
    for name, axis in axes.items():
        if axis is not None and not axis:
            raise UsageError(f"{loaded.path}: matrix.{name} is empty, so there is nothing to run")
    return [
        Cell(adapter, agent, target, _merged(file.options, options))
        for target in [_target(model, find_target) for model in matrix.models]
        for adapter in adapters
        for agent in matrix.agents or [adapter.manifest.default_agent]
        for options in matrix.options
    ]


def _left_over(loaded: Loaded, cells: list[Cell]) -> list[Cell]:
    """The cells that no `exclude` rule matches."""
    for number, exclude in enumerate(loaded.file.exclude, 1):
        remaining = [cell for cell in cells if not _matches(exclude, cell)]
        if len(remaining) == len(cells):
            raise _matches_nothing(loaded, "exclude", number, exclude)
        cells = remaining
    return cells


def _overridden(loaded: Loaded, cells: list[Cell]) -> list[Cell]:
    """The cells with the options that `override` rules set."""
    for number, override in enumerate(loaded.file.override, 1):
        matching = [_matches(override, cell) for cell in cells]
        if not any(matching):
            raise _matches_nothing(loaded, "override", number, override)
        cells = [
            Cell(cell.adapter, cell.agent, cell.target, _with_own(cell, override.set)) if matches else cell
            for cell, matches in zip(cells, matching, strict=True)
        ]
    return cells


def _target(model: str | Model, find_target: FindTarget) -> Target:
    if isinstance(model, Model):
        return find_target(model.provider, model.model, model.base_url)
    provider, colon, name = model.partition(":")
    if not colon:
        raise UsageError(
            f"matrix.models: '{model}' does not name a provider", f"write it as provider:model, such as groq:{model}"
        )
    return find_target(provider, name, None)


def _merged(first: Json, then: Json) -> Json:
    per_benchmark = {**first.get(PER_BENCHMARK, {})}
    for benchmark_id, options in then.get(PER_BENCHMARK, {}).items():
        per_benchmark[benchmark_id] = {**per_benchmark.get(benchmark_id, {}), **options}
    merged = {**first, **then}
    return {**merged, PER_BENCHMARK: per_benchmark} if per_benchmark else merged


def _with_own(cell: Cell, options: Json) -> Json:
    """The cell's options, overridden by the given options for its benchmark."""
    return _merged(cell.extra, {PER_BENCHMARK: {cell.adapter.id: options}})


def _matches(rule: Exclude, cell: Cell) -> bool:
    given = {**cell.extra, **cell.extra.get(PER_BENCHMARK, {}).get(cell.adapter.id, {})}
    return (
        fnmatchcase(cell.adapter.id, rule.benchmark)
        and fnmatchcase(cell.agent, rule.agent)
        and fnmatchcase(str(cell.target), rule.model)
        and all(name in given and given[name] == value for name, value in rule.options.items())
    )


def _matches_nothing(loaded: Loaded, table: str, number: int, rule: Exclude) -> UsageError:
    shown: Any = {name: value for name, value in msgspec.to_builtins(rule).items() if value not in ("*", {})}
    return UsageError(f"{loaded.path}: {table} {number} matches no cell: {shown}", "correct the rule, or remove it")
