"""`stale`: which rows of the leaderboard were measured with another revision than the benchmark has now."""

from __future__ import annotations

from typing import Any

import click

from ...adapters.discovery import discover
from ...ledger.equivalence import Equivalences
from ...orchestrator.planning.changes import Revisions
from ...orchestrator.planning.revision import differences
from ...projections.render.text import format_score
from ...projections.scores.leaderboard import leaderboard_of
from ...projections.scores.revisions import newest_revisions
from ...projections.sqlite.opening import open_history
from ...projections.sqlite.tallies import read_board, read_shown
from ..context import Place, in_place, json_option, note, print_json
from ..printing import print_table


@click.command()
@json_option
@in_place
def command(place: Place, as_json: bool) -> None:
    """List the rows of the leaderboard that a change of their benchmark has made stale, and the part that changed.

    run --rerun-changed measures them anew. Benchmarks that are not here any more are not looked at.
    """
    store = place.store()
    adapters = discover(place.workspace.root).adapters
    revisions, equivalences = Revisions(), Equivalences(store)
    rows: list[dict[str, Any]] = []
    with open_history(place.workspace, store, notice=note) as history:
        standings, _ = newest_revisions(leaderboard_of(read_board(history, works=False)))
        for standing in standings:
            adapter = adapters.get(standing.task.benchmark_id)
            [run] = read_shown(history, "WHERE run_id = ?", (standing.latest_run_id,))
            if adapter is None or run.task_revision is None:
                continue
            now = revisions.now(adapter, run.task_revision)
            if equivalences.are_same(adapter.id, run.revision, now.digest):
                continue
            rows.append(
                {
                    "benchmark_id": adapter.id,
                    "agent": standing.agent,
                    "provider": standing.provider,
                    "model": standing.model,
                    "run_id": run.run_id,
                    "score": run.score,
                    "changed": differences(run.task_revision, now),
                }
            )
    if as_json:
        print_json({"stale": rows})
        return
    if rows:
        print_table(
            ["benchmark", "agent", "model", "score", "run", "what changed"],
            [
                [
                    row["benchmark_id"],
                    row["agent"],
                    f"{row['provider']}:{row['model']}",
                    format_score(row["score"]),
                    row["run_id"],
                    "; ".join(row["changed"]),
                ]
                for row in rows
            ],
        )
    print(f"{len(rows)} stale")
