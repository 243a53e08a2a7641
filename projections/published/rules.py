"""Table files: which rows a published table has. `docs/publishing.md` explains the format."""

from __future__ import annotations

import re
import tomllib
from typing import Literal, get_args

import msgspec

from ...ledger.errors import ExpectedError
from ...ledger.events import Json
from ...ledger.suggestions import did_you_mean
from ..scores.counting import Doubtful
from ..scores.standing_runs import Runs

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")

FindingKind = Literal[
    "no_rows",
    "missing_row",
    "mixed_revisions",
    "no_interval",
    "dropped_attempts",
    "too_few_repeats",
    "unequal_samples",
    "synthetic",
    "imported",
    "late",
    "retracted",
    "reproduction",
    "no_provenance",
    "other_options",
    "unregistered",
    "running",
]
FINDINGS: tuple[FindingKind, ...] = get_args(FindingKind)

Withholdable = Literal[
    "started",
    "finished",
    "failed",
    "recovered",
    "imported",
    "samples_excluded",
    "samples_included",
    "rescored",
    "reproduced",
]
WITHHOLDABLE: tuple[Withholdable, ...] = get_args(Withholdable)
"""Types of events whose lines a page may leave out. Retractions are never withheld: readers must see them."""


class TableError(ExpectedError):
    """A table file, or the name of a table, that cannot be used."""

    exit_code = 2


class Contender(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A contender of a table. `model` is `provider:model`; without an agent, rows of every agent are meant."""

    model: str
    agent: str | None = None


class TableRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of a table file. See `docs/publishing.md`."""

    name: str
    benchmarks: list[str]
    title: str = ""
    contenders: list[Contender] = []
    options: Json = {}
    revision: Literal["newest", "all"] = "newest"
    runs: Runs = "newest"
    repeats: int = 1
    min_completion: float = 0.0
    include: list[Doubtful] = []
    registration: str | None = None
    withhold: list[Withholdable] = []
    allow: list[FindingKind] = []


_SEE = "docs/publishing.md explains the format"


def texts_of(rules: Json, name: str) -> list[str]:
    """The texts of a list in the rules of an event; none if it holds something else, as a foreign ledger's may."""
    found = rules.get(name)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def parse_rules(content: bytes, name: str) -> TableRules:
    """The rules in a table file; `name` is that of the file. Raises TableError, which names the key."""
    try:
        values = tomllib.loads(content.decode())
        _refuse_unknown(values)
        rules = msgspec.convert(values, TableRules)
        _check(rules)
    except (ValueError, msgspec.ValidationError) as problem:
        why = f"byte {problem.start + 1} is not UTF-8" if isinstance(problem, UnicodeDecodeError) else str(problem)
        raise TableError(f"the table {name} is not valid: {why}", "" if "\nhint: " in why else _SEE) from problem
    except RecursionError as problem:
        raise TableError(f"the table {name} is not valid: it is nested too deep", _SEE) from problem
    return rules


def _refuse_unknown(values: Json) -> None:
    known = TableRules.__struct_fields__
    for name in values:
        if name not in known:
            raise ValueError(f"unknown key '{name}'\nhint: {did_you_mean(name, known, ', '.join(known))}")


def _check(rules: TableRules) -> None:
    if not _NAME.fullmatch(rules.name):
        raise ValueError(
            f"name: '{rules.name[:80]}' cannot be a name\nhint: use small letters, digits, dots, dashes and underscores"
        )
    if not rules.benchmarks:
        raise ValueError("benchmarks is empty")
    for what, values in (("benchmarks", rules.benchmarks), ("contenders", rules.contenders)):
        if any(value in values[:number] for number, value in enumerate(values)):
            raise ValueError(f"{what}: a value is given twice")
    for one in rules.contenders:
        if ":" not in one.model:
            raise ValueError(f"contenders: '{one.model}' does not name a provider\nhint: write it as provider:model")
    if not 0 <= rules.min_completion <= 1:
        raise ValueError(f"min_completion must be from 0 to 1, got {rules.min_completion:g}")
    if rules.repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {rules.repeats}")
