"""What the commands that weigh scores have in common: the history, now or as of then, and which runs count."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from ..orchestrator.errors import UsageError, nearest
from ..projections.scores.leaderboard import DOUBTFUL, Doubtful
from .context import Place

Command = TypeVar("Command", bound=Callable[..., Any])


def open_as_of(place: Place, as_of: str | None) -> contextlib.AbstractContextManager[sqlite3.Connection]:
    """The history as tables: now, or as the ledger was then. Raises UsageError and LedgerDamaged."""
    return place.history(as_of)


def include_option(command: Command) -> Command:
    """Adds `--include`, which names kinds of runs that count nowhere unless asked for."""
    return click.option(
        "--include",
        metavar="KINDS",
        callback=_kinds,
        help=f"Count these runs too: {', '.join(DOUBTFUL)} (with commas between).",
    )(command)


def _kinds(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> frozenset[Doubtful]:
    kinds = (value or "").replace(",", " ").split()
    for kind in kinds:
        if kind not in DOUBTFUL:
            hint = nearest(kind, DOUBTFUL) or f"; there are {', '.join(DOUBTFUL)}"
            raise UsageError(f"--include: no kind of runs is called '{kind}'{hint}")
    return cast("frozenset[Doubtful]", frozenset(kinds))
