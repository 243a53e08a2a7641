"""`changes`: when scores moved for good, by how much, and what came with it."""

from __future__ import annotations

import sqlite3

import click
from msgspec.structs import replace

from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...projections.render.score_tables import changes_table
from ...projections.render.text import markdown
from ...projections.scores.leaderboard import Doubtful
from ...projections.scores.noise import ChangedCell, all_changes
from ...projections.scores.served import served_changes
from ...projections.sqlite.opening import open_history
from ..context import Place, in_place, json_option, note, print_json
from ..histories import include_option
from ..printing import show


@click.command()
@click.argument("benchmark", required=False)
@click.option("--worse", is_flag=True, help="Show only changes for the worse.")
@include_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table.")
@json_option
@in_place
def command(
    place: Place,
    benchmark: str | None,
    worse: bool,
    include: frozenset[Doubtful],
    as_markdown: bool,
    as_json: bool,
) -> None:
    """List when scores moved, of all benchmarks or of BENCHMARK: by how much, and which commit, version or model came.

    A score has moved if a new level lasts at least three groups of runs and explains more than the noise does.
    """
    with place.catalogue(include) as catalogue:
        known = catalogue.benchmarks()
        if benchmark is not None and benchmark not in known:
            raise UsageError(
                f"the ledger has no runs of the benchmark '{benchmark}'",
                did_you_mean(benchmark, known, "benchmarks show-runs lists the runs"),
            )
        cells = all_changes(catalogue.scored(benchmark))
    with open_history(place.workspace, place.store(), notice=note) as history:
        served = served_changes(history, None if benchmark is None else _models_of(history, benchmark))
    for change in served:
        note(change.sentence)
    if worse:
        cells = [_only_worse(cell) for cell in cells if any(change.improvement < 0 for change in cell.changes)]
    if as_json:
        print_json({"cells": cells, "served": served})
    elif as_markdown:
        print(markdown(changes_table(cells)))
    elif not cells:
        print("no score has moved by more than noise")
    else:
        show(changes_table(cells))


def _models_of(history: sqlite3.Connection, benchmark: str) -> set[tuple[str, str]]:
    query = "SELECT DISTINCT provider, model FROM works WHERE benchmark_id = ?"
    return set(history.execute(query, (benchmark,)).fetchall())


def _only_worse(cell: ChangedCell) -> ChangedCell:
    return replace(cell, changes=[change for change in cell.changes if change.improvement < 0])
