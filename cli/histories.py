"""What the commands that compare scores share: the history, now or at an earlier time, and which runs count."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from ..ledger.suggestions import did_you_mean
from ..orchestrator.errors import UsageError
from ..projections.scores.leaderboard import DOUBTFUL, Doubtful
from .context import Place

Command = TypeVar("Command", bound=Callable[..., Any])


def open_as_of(place: Place, as_of: str | None) -> contextlib.AbstractContextManager[sqlite3.Connection]:
    """The history as tables, now or as of an earlier time. Raises UsageError and LedgerDamaged."""
    return place.history(as_of)


def include_option(command: Command) -> Command:
    """Add `--include`, which names kinds of runs that do not count by default."""
    return click.option(
        "--include",
        metavar="KINDS",
        callback=_kinds,
        help=f"Also count these kinds of runs: {', '.join(DOUBTFUL)} (comma-separated).",
    )(command)


def _kinds(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> frozenset[Doubtful]:
    kinds = (value or "").replace(",", " ").split()
    for kind in kinds:
        if kind not in DOUBTFUL:
            raise UsageError(f"--include: unknown kind of runs '{kind}'", did_you_mean(kind, DOUBTFUL))
    return cast("frozenset[Doubtful]", frozenset(kinds))
