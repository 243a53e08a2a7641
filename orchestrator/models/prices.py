"""Prices of models: those of the user come first, then those that come with the program.

A price is in US dollars per million tokens. The cost of a run is recorded with the price that was used, so that
recorded costs stay correct when prices change.
"""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ...adapters.regular_file import read_regular
from ...ledger.events import Json, Outcome
from ...ledger.usage import COST, cost_in, whole
from ..toml_file import faults_of

PRICE = "price"
"""The key of a run's usage that holds the price from which the cost was calculated."""

FILE_NAME = "prices.toml"
"""The name of a user's own file, at the root of the workspace."""

FILE_VARIABLE = "BENCHMARKS_PRICES"
"""The variable that names another price file."""

_SHIPPED = Path(__file__).with_name(FILE_NAME)
_MILLION = 1_000_000

_AnOutcome = TypeVar("_AnOutcome", bound=Outcome)


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A row of `prices.toml`: US dollars per million tokens, the source of the price, and its date.

    `model` may be a pattern with `*`. Cached input costs the same as `input` unless `cached_input` is given.
    """

    provider: str
    model: str
    input: float
    output: float
    cached_input: float | None = None
    source: str
    date: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    price: list[Price] = []


class Prices(msgspec.Struct, frozen=True):
    """Lists of prices, in the order in which they are searched."""

    lists: Sequence[Sequence[Price]]

    def find(self, provider: str, model: str) -> Price | None:
        """The price of a model; None if it is unknown. An exact name comes before a pattern."""
        for rows in self.lists:
            rows_of_provider = [row for row in rows if row.provider == provider]
            exact = (row for row in rows_of_provider if row.model == model)
            like = (row for row in rows_of_provider if fnmatchcase(model, row.model))
            if found := next(exact, None) or next(like, None):
                return found
        return None


def load_prices(own: Path | None) -> Prices:
    """The prices of a user's file, if one is given, before those that come with the program.

    Raises UsageError, which names the file, if it is not valid.
    """
    return Prices([read_prices(own), _shipped()] if own is not None else [_shipped()])


def own_prices(root: Path, asked: str | None, environ: Mapping[str, str]) -> Prices:
    """The prices of a workspace, from the given file, the file of the variable, or the file at its root.

    Raises UsageError.
    """
    if file := asked or environ.get(FILE_VARIABLE):
        return load_prices(Path(file))
    file_here = root / FILE_NAME
    return load_prices(file_here if file_here.is_file() else None)


_MAX_BYTES = 4 * 1024 * 1024
"""Maximum size of a price file. The prices of all known models take a few hundred kilobytes."""


@functools.cache
def _shipped() -> tuple[Price, ...]:
    return read_prices(_SHIPPED)


def read_prices(file: Path) -> tuple[Price, ...]:
    """The rows of a price file. Raises UsageError."""
    with faults_of("price file", file, "docs/campaigns.md explains the format"):
        rows = tuple(msgspec.convert(tomllib.loads(read_regular(file, most=_MAX_BYTES).decode()), _File).price)
        for row in rows:
            if not all(0 <= price < math.inf for price in (row.input, row.output, row.cached_input or 0.0)):
                raise ValueError(f"a price of {row.provider} {row.model} must be a finite number, 0 or more")
    return rows


def priced(outcome: _AnOutcome, price: Price | None) -> _AnOutcome:
    """The outcome with its cost, calculated from its usage and the price, unless its usage already has a cost."""
    if price is None or cost_in(outcome.usage) is not None:
        return outcome
    cost = cost_of(outcome.usage, price)
    if cost is None:
        return outcome
    row: Json = msgspec.to_builtins(price)
    used = {name: value for name, value in row.items() if name not in ("provider", "model")}
    return replace(outcome, usage={**outcome.usage, COST: cost, PRICE: used})


def cost_of(usage: Json, price: Price) -> float | None:
    """The cost of a run's tokens in US dollars; None if input or output tokens are unknown and not free.

    Cached tokens are a part of the input tokens, as OpenAI's API counts them.
    """
    read, written = whole(usage.get("input_tokens")), whole(usage.get("output_tokens"))
    if not (price.input or price.output or price.cached_input):
        return 0.0
    if read is None or written is None:
        return None
    cached = whole(usage.get("cached_tokens")) or 0
    known = cached if cached <= read else 0
    cached_price = price.input if price.cached_input is None else price.cached_input
    return round(((read - known) * price.input + known * cached_price + written * price.output) / _MILLION, 9)
