"""`show-runs`: the runs of the ledger as a table."""

from __future__ import annotations

import click

from ...ledger.fold import Run
from ...ledger.past import Past
from ...projections.render.text import format_score
from ...projections.sqlite.database import read_runs
from ...projections.sqlite.opening import open_apart, open_history
from ...projections.sqlite.rows import run_row, token_counts
from ..context import Place, as_of_option, in_place, json_option, limit_of, note, print_json
from ..printing import print_table

RIGHT = ("score", "high_score", "delta", "tokens", "seconds")
DISPENSABLE = ("tokens", "seconds", "provider", "high_score", "delta", "started", "benchmark", "agent", "model")
STATUSES = ["running", "succeeded", "failed", "skipped", "incompatible"]


@click.command()
@click.option("--desc", is_flag=True, help="Sort the other way round.")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="So many, the newest.")
@click.option("--benchmark", help="Only this benchmark.")
@click.option("--status", type=click.Choice(STATUSES), help="Only this status.")
@as_of_option("The runs as the ledger had them then.")
@json_option
@in_place
def command(
    place: Place,
    desc: bool,
    limit: int,
    benchmark: str | None,
    status: str | None,
    as_of: str | None,
    as_json: bool,
) -> None:
    """Show the newest runs, sorted by agent and run id.

    A skipped or incompatible benchmark is no run: it stands in its run group. With --as-of (an ISO 8601 time, or the
    position of an event) a run that was under way then is shown as running.
    """
    filters = {"benchmark_id": benchmark, "status": status}
    chosen = {name: value for name, value in filters.items() if value is not None}
    where = " AND ".join(f"{name} = ?" for name in chosen)
    store = place.store()
    opened = (
        open_history(place.workspace, store, notice=note) if as_of is None else open_apart(Past(store, limit_of(as_of)))
    )
    with opened as history:
        query = f"{'WHERE ' + where if where else ''} ORDER BY rowid DESC LIMIT ?"
        runs = list(read_runs(history, query, (*chosen.values(), limit)))
        total: int = history.execute("SELECT count(*) FROM benchmark_runs").fetchone()[0]
    runs.sort(key=lambda run: (run.agent, run.run_id), reverse=desc)
    if as_json:
        print_json([run_row(run) for run in runs])
        return
    if not total:
        print("no runs yet; make one: benchmarks run --benchmarks context_recall --provider local --model smollm2-135m")
        return
    columns = [
        "run_id",
        "benchmark",
        "status",
        "agent",
        "provider",
        "model",
        "score",
        "high_score",
        "delta",
        "tokens",
        "seconds",
        "started",
    ]
    print_table(columns, map(_cells, runs), right=RIGHT, dispensable=DISPENSABLE)
    if len(runs) < total:
        print(f"\n{len(runs)} of {total} runs")


def _cells(run: Run) -> list[str]:
    tokens = token_counts(run)[2]
    delta = run.delta_to_high_score
    return [
        run.run_id,
        run.benchmark_id,
        run.status + _marks(run),
        run.agent,
        run.provider,
        run.model,
        format_score(run.score, run.stderr),
        format_score(run.high_score_value),
        f"{delta:+.3f}" if delta is not None else "",
        str(tokens) if tokens is not None else "",
        f"{run.duration_seconds:.1f}" if run.duration_seconds is not None else "",
        run.started_at[:19].replace("T", " "),
    ]


def _marks(run: Run) -> str:
    marks = {
        "retracted": run.retracted is not None,
        "synthetic": run.synthetic,
        "imported": run.imported is not None,
        "recovered": run.recovered,
        run.reason or "": run.status == "failed" and not run.recovered,
    }
    told = [name for name, holds in marks.items() if holds]
    return f" ({', '.join(told)})" if told else ""
