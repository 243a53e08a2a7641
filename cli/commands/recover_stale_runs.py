"""`recover-stale-runs`: close the runs that a dead orchestrator left open."""

from __future__ import annotations

import os

import click

from ...adapters.discovery import discover
from ...ledger.fold import Run
from ...ledger.staleness import is_stale
from ...orchestrator.models.prices import own_prices
from ...orchestrator.service import recover_runs
from ...projections.sqlite.refresh import update_all
from ...projections.sqlite.rows import run_row
from ..context import Place, in_place, json_option, note, print_json
from ..ranges import Number


@click.command()
@click.option(
    "--stale-seconds",
    metavar="N",
    type=Number(min=0),
    help="Minimum age of the last sign of life (default: 300, or the interval that the run announced, if longer).",
)
@json_option
@in_place
def command(place: Place, stale_seconds: float | None, as_json: bool) -> None:
    """Close runs that have given no sign of life for --stale-seconds and whose process is not known to be alive.

    If the benchmark of such a run did finish, its result is adopted. Groups whose process is gone are closed, too, and
    those that do not obey `cancel` for a minute. Then the viewer's dataset is rebuilt.
    """
    store = place.store()
    recovered: list[Run] = []
    still_open = 0
    if next(store.read(), None):
        ledger, _ = place.ledger(store)
        adapters = discover(place.workspace.root).adapters
        prices = own_prices(place.workspace.root, None, os.environ)
        recovered = recover_runs(place, ledger, lambda run: is_stale(run, stale_seconds, store.now()), adapters, prices)
        still_open = ledger.look(lambda history: sum(1 for _ in history.open_runs()))
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    if as_json:
        print_json([run_row(run) for run in recovered])
        return
    for run in recovered:
        print(f"{run.run_id}: {run.error or f'its result was adopted, score {run.score}'}")
    print(f"{len(recovered)} runs recovered; {still_open} still running")
