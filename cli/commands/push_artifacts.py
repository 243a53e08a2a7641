"""`push-artifacts`: files of runs that are only here, copied to the store."""

from __future__ import annotations

import click
import msgspec

from ...orchestrator.errors import UsageError
from ..context import Place, in_place, json_option, note, print_json


class Pushed(msgspec.Struct, frozen=True):
    """The result: the runs whose files are in the store, those with a file that is not, and runs without files here."""

    store: str
    copied: list[str]
    failed: list[str]
    not_here: int


@click.command()
@click.argument("run_ids", nargs=-1, metavar="[RUN_ID]...")
@click.option("--artifacts", "url", metavar="URL", help="Copy to this store (default: that of BENCHMARKS_ARTIFACTS).")
@json_option
@in_place
def command(place: Place, run_ids: tuple[str, ...], url: str | None, as_json: bool) -> int:
    """Copy the files of runs that are here to the store, as far as they are not there yet.

    Without RUN_ID, all runs that have ended. Exit code 1 if a file was not copied.
    """
    from ...orchestrator.running.copying import copy_run, first_store
    from ...projections.sqlite.database import read_runs

    place = place.copying_to(url)
    store = first_store(place.workspace)
    if store is None:
        raise UsageError("no store is given", "give one with --artifacts s3://bucket/runs, or set BENCHMARKS_ARTIFACTS")
    store.check_writable()
    copied: list[str] = []
    failed: list[str] = []
    not_here = 0
    unknown = set(run_ids)
    with place.history() as history:
        for run in read_runs(history):
            unknown.discard(run.run_id)
            if (run_ids and run.run_id not in run_ids) or run.status == "running" or run.imported is not None:
                continue
            if not place.workspace.folder_of(run).is_dir():
                not_here += 1
            elif problem := copy_run(place.workspace, run):
                note(f"{run.run_id}: {problem}")
                failed.append(run.run_id)
                store.check_writable()  # If the store has gone, the other runs would fail one by one.
            else:
                copied.append(run.run_id)
    if unknown:
        raise UsageError(f"the ledger has no run {', '.join(sorted(unknown))}", "benchmarks show-runs lists the runs")
    if as_json:
        print_json(Pushed(str(store), copied, failed, not_here))
    else:
        print(f"{len(copied)} runs are in {store}, {len(failed)} not completely; of {not_here} runs no files are here")
    return 1 if failed else 0
