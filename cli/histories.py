"""What the commands that weigh scores have in common: the history, now or as of then, and which runs count."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar, cast

import click

from ..ledger.fold import Run
from ..ledger.past import Past
from ..orchestrator.errors import UsageError, nearest
from ..projections.scores.leaderboard import DOUBTFUL, Doubtful
from ..projections.scores.selection import Catalogue
from ..projections.sqlite.database import read_groups, read_runs
from ..projections.sqlite.opening import open_apart, open_history
from .context import Place, limit_of, note

Command = TypeVar("Command", bound=Callable[..., Any])


@contextlib.contextmanager
def open_as_of(place: Place, as_of: str | None) -> Iterator[sqlite3.Connection]:
    """The history as tables: now, or as the ledger had it then. Raises UsageError and LedgerDamaged."""
    store = place.store()
    opened = (
        open_history(place.workspace, store, notice=note) if as_of is None else open_apart(Past(store, limit_of(as_of)))
    )
    with opened as connection:
        yield connection


def load_catalogue(place: Place, include: Collection[Doubtful] = ()) -> Catalogue:
    """Everything that can be named in the ledger of a place. Raises LedgerDamaged; its `past` raises UsageError."""

    def past(when: str) -> list[Run]:
        with open_as_of(place, when) as then:
            return list(read_runs(then))

    with open_as_of(place, None) as now:
        groups = {group.run_group_id: group for group in read_groups(now)}
        return Catalogue(runs=list(read_runs(now)), groups=groups, past=past, include=include)


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
