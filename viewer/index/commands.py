"""Commands for a terminal that run work again, as a person would type them."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from ...ledger.events import REPEAT, Json
from .row import RunRow

_encode = msgspec.json.Encoder(order="sorted").encode


def retry_commands(rows: Iterable[RunRow]) -> list[str]:
    """The commands that run the work of these runs again if it last failed: one for each agent, model and options."""
    of: dict[tuple[str, str, str, str], dict[str, None]] = defaultdict(dict)
    for row in rows:
        of[row.agent, row.provider, row.model, _encode(_options(row.extra_config)).decode()][row.benchmark_id] = None
    return [_command(*who, list(benchmarks)) for who, benchmarks in of.items()]


def _options(config: Json) -> Json:
    return {name: value for name, value in config.items() if name not in (REPEAT, "benchmark_name")}


def _command(agent: str, provider: str, model: str, options: str, benchmarks: list[str]) -> str:
    words = ["benchmarks", "run", "--benchmarks", *benchmarks, "--agent", agent, "--provider", provider]
    words += ["--model", model] if model else []
    words += ["--extra", options] if options != "{}" else []
    return shlex.join([*words, "--rerun-failed"])
