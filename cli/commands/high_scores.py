"""`high-scores`: the published reference scores, and `high-scores set`, which publishes one."""

from __future__ import annotations

import getpass
from typing import Any

import click

from ...adapters.discovery import discover
from ...adapters.secret_shapes import hide
from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...orchestrator.planning.plan import choose
from ...orchestrator.recording.high_scores import by_hand
from ...projections.render.score_tables import high_scores_table
from ...projections.render.text import format_score
from ...projections.scores.high_scores import holding, read_history
from ...projections.sqlite.refresh import update_all
from ..context import Place, as_of_option, in_place, json_option, note, print_json
from ..group import Group
from ..histories import open_as_of
from ..printing import show


@click.group(cls=Group, invoke_without_command=True)
@click.option("--benchmark", help="Show every high score that this benchmark has had, oldest first.")
@as_of_option("Show the high scores at that time.")
@json_option
@in_place
def command(place: Place, benchmark: str | None, as_of: str | None, as_json: bool) -> None:
    """Show the published reference score of each benchmark, or publish one (set)."""
    context = click.get_current_context()
    context.find_root().obj = (str(place.workspace.root), place.ledger_url)
    if context.invoked_subcommand is None:
        _show(place, benchmark, as_of, as_json)


def _show(place: Place, benchmark: str | None, as_of: str | None, as_json: bool) -> None:
    with open_as_of(place, as_of) as connection:
        history = read_history(connection)
    if benchmark is None:
        chosen = [*holding(history).values()]
    else:
        chosen = [score for score in history if score.benchmark_id == benchmark]
        if not chosen and benchmark not in (known := discover(place.workspace.root).adapters):
            names = {*known, *(score.benchmark_id for score in history)}
            hint = did_you_mean(benchmark, names, "benchmarks list-benchmarks lists them")
            raise UsageError(f"unknown benchmark '{benchmark}'", hint)
    if as_json:
        print_json(chosen)
    elif benchmark is not None and not chosen:
        print(f"no high score of {benchmark} yet; publish one with: benchmarks high-scores set")
    elif not chosen:
        print("no high scores yet; run publishes those of the manifests, high-scores set publishes yours")
    else:
        show(high_scores_table(chosen))


@command.command("set")
@click.argument("benchmark")
@click.option("--value", required=True, help="The score, in the unit of the benchmark.")
@click.option("--label", required=True, help="Who or what reached the score.")
@click.option("--source", required=True, help="Where the score was published, such as a URL.")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="The date of the score, such as 2026-11-23.")
@json_option
@in_place
def set_high_score(
    place: Place, benchmark: str, value: str, label: str, source: str, date: Any | None, as_json: bool
) -> None:
    """Publish a reference score of BENCHMARK; runs that end later are compared with it.

    Unit and direction are those of the benchmark's manifest. The score holds until another one is published, by hand
    or by a changed manifest.
    """
    discovery = discover(place.workspace.root)
    [adapter] = choose([benchmark], discovery.adapters, discovery.broken)
    day = date.date().isoformat() if date else None
    event = by_hand(adapter.manifest, value=value, label=label, source=source, date=day, author=getpass.getuser())
    store = place.store()
    record = place.ledger(store)[0].append(adapter.id, event)
    update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    if as_json:
        print_json({"seq": record.seq, "benchmark_id": adapter.id, "published": record.data})
    else:
        print(f"{adapter.id}: {format_score(event.value)} ({hide(label)}) is the high score from event {record.seq} on")
