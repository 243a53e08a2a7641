"""`show-runs`: the runs of the ledger as a table."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import click

from ...adapters.imports.found import identifier
from ...ledger.fold import Run
from ...ledger.past import Past
from ...ledger.usage import tokens_of
from ...orchestrator.errors import UsageError
from ...projections.render.score_tables import run_score
from ...projections.render.text import format_score, named
from ...projections.sqlite.database import read_runs
from ...projections.sqlite.opening import open_apart, open_history
from ...projections.sqlite.rows import run_row
from ...projections.sqlite.undone import Undone, UndoneStatus, read_undone
from ..context import Place, as_of_option, in_place, json_option, limit_of, note, print_json
from ..printing import print_table
from ..ranges import Whole

RIGHT = ("score", "high_score", "delta", "tokens", "seconds")
DISPENSABLE = ("tokens", "seconds", "provider", "high_score", "delta", "started", "benchmark", "agent", "model")
UNDONE: dict[str, UndoneStatus] = {"skipped": "skipped", "incompatible": "incompatible"}
STATUSES = ["running", "succeeded", "failed", *UNDONE]


@click.command()
@click.option("--desc", is_flag=True, help="Reverse the order.")
@click.option(
    "--limit",
    metavar="N",
    type=Whole(1, 10**12),
    default=200,
    show_default=True,
    help="Maximum number of runs.",
)
@click.option("--recent", is_flag=True, help="Show the newest runs, the last one started first.")
@click.option("--benchmark", help="Show only this benchmark: its id, or an imported one's own name.")
@click.option("--registration", metavar="ID", help="Show only the runs of this registered plan.")
@click.option("--status", type=click.Choice(STATUSES), help="Show only this status.")
@as_of_option("Show the runs as they were at that time.")
@json_option
@in_place
def command(
    place: Place,
    desc: bool,
    limit: int,
    recent: bool,
    benchmark: str | None,
    registration: str | None,
    status: str | None,
    as_of: str | None,
    as_json: bool,
) -> None:
    """List runs, sorted by agent and run id; --limit keeps the first ones, or with --recent the newest.

    A skipped or incompatible benchmark is not a run; --status lists these from their run groups, sorted by agent and
    benchmark. With --as-of (an ISO 8601 time, or the position of an event), a run that was in progress at that time is
    shown as running.
    """
    if desc and recent:
        raise UsageError("--desc and --recent exclude each other: --recent sorts by start")
    store = place.store()
    opened = (
        open_history(place.workspace, store, notice=note) if as_of is None else open_apart(Past(store, limit_of(as_of)))
    )
    with opened as history:
        undone = UNDONE.get(status or "")
        if undone:
            _show_undone(read_undone(history, undone, benchmark), limit, is_recent=recent, desc=desc, as_json=as_json)
            return
        ids = None if benchmark is None else (benchmark, identifier(benchmark))
        filters = {"benchmark_id": ids, "status": None if status is None else (status,)}
        filters["registration"] = None if registration is None else (registration,)
        runs, matching = _read(history, desc, limit, recent, filters)
        total: int = history.execute("SELECT count(*) FROM benchmark_runs").fetchone()[0]
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
    if len(runs) < matching:
        print(f"\n{len(runs)} of {matching} runs" + ("" if recent else "; --recent shows the newest"))
    elif matching < total:
        print(f"\n{matching} of {total} runs")


def _read(
    history: sqlite3.Connection, desc: bool, limit: int, recent: bool, filters: Mapping[str, tuple[str, ...] | None]
) -> tuple[list[Run], int]:
    """The runs to show, in their order, and the number of all that match; a filter has the values that do."""
    chosen = {name: values for name, values in filters.items() if values is not None}
    conditions = [f"{name} IN ({', '.join('?' for _ in values)})" for name, values in chosen.items()]
    condition = f"WHERE {' AND '.join(conditions)}" if chosen else ""
    given = [value for values in chosen.values() for value in values]
    # Imported runs keep their original times, which may be in any time zone.
    order = "julianday(started_at) DESC, rowid DESC" if recent else "agent {0}, run_id {0}"
    query = f"{condition} ORDER BY {order.format('DESC' if desc else 'ASC')} LIMIT ?"
    runs = list(read_runs(history, query, (*given, limit)))
    count = f"SELECT count(*) FROM benchmark_runs {condition}"  # noqa: S608 - our own names
    return runs, history.execute(count, given).fetchone()[0]


def _show_undone(rows: list[Undone], limit: int, *, is_recent: bool, desc: bool, as_json: bool) -> None:
    if is_recent:
        rows = rows[::-1]
    else:
        rows = sorted(rows, key=lambda row: (row.agent, row.benchmark_id, row.run_group_id), reverse=desc)
    shown = rows[:limit]
    if as_json:
        print_json(shown)
        return
    columns = ["run_group_id", "benchmark", "status", "agent", "provider", "model", "reason", "time"]
    cells = [
        [row.run_group_id, row.benchmark_id, row.status, row.agent, row.provider, row.model, row.why, _second(row.at)]
        for row in shown
    ]
    print_table(columns, cells, dispensable=("time", "provider", "model", "agent"))
    if len(shown) < len(rows):
        print(f"\n{len(shown)} of {len(rows)}" + ("" if is_recent else "; --recent shows the newest"))


def _cells(run: Run) -> list[str]:
    tokens = tokens_of(run.usage)
    delta = run.delta_to_high_score
    return [
        run.run_id,
        named(run.benchmark_id, run.extra_config),
        run.status + _marks(run),
        run.agent,
        run.provider,
        run.model,
        run_score(run),
        format_score(run.high_score_value),
        f"{delta:+.3f}" if delta is not None else "",
        str(tokens) if tokens is not None else "",
        f"{run.duration_seconds:.1f}" if run.duration_seconds is not None else "",
        _second(run.started_at),
    ]


def _second(time: str) -> str:
    return time[:19].replace("T", " ")


def _marks(run: Run) -> str:
    marks = {
        "retracted": run.retracted is not None,
        "synthetic": run.synthetic,
        "imported": run.imported is not None,
        "recovered": run.recovered,
        "registered": run.registration is not None,
        run.reason or "": run.status == "failed" and not run.recovered,
    }
    shown = [name for name, holds in marks.items() if name and holds]
    return f" ({', '.join(shown)})" if shown else ""
