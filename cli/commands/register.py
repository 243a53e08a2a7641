"""`register`: a plan is recorded before its results exist."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ...adapters.discovery import discover
from ...ledger.proof.checkpoint import take_checkpoint
from ...orchestrator.planning.registration_file import load_plan_file, registered
from ...orchestrator.recording import corrections
from ...orchestrator.recording.registrations import register
from ...projections.sqlite.refresh import update_all
from ..context import Place, in_place, json_option, note, print_json
from ..correcting import author_option


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be registered, and record nothing.")
@author_option
@json_option
@in_place
def command(place: Place, plan_file: Path, dry_run: bool, author: str | None, as_json: bool) -> None:
    """Register the plan in the TOML file PLAN before you run it: the claim, the runs, and the test that decides.

    Later runs of this work name the plan by themselves, and all of them count. The command prints a checkpoint of the
    ledger. Keep it in another place: it proves later that the plan was there before the runs.
    """
    found = discover(place.workspace.root)
    by = author or corrections.default_author(place.workspace.root)
    plan = registered(load_plan_file(plan_file), found.adapters, author=by, environ=os.environ, broken=found.broken)
    work = len(plan.benchmarks) * len(plan.contenders) * plan.repeats
    planned = f"{work} {'run' if work == 1 else 'runs'} of {len(plan.contenders)} contenders"
    if dry_run:
        if as_json:
            print_json({"registration_id": None, "plan": plan})
        else:
            print(f"would register {planned}: {plan.hypothesis}")
        return
    store = place.store()
    record = register(place.ledger(store)[0], plan)
    update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    checkpoint = take_checkpoint(store).note()
    if as_json:
        print_json({"registration_id": record.stream, "seq": record.seq, "plan": plan, "checkpoint": checkpoint})
        return
    print(f"registered {record.stream}: {planned} (event {record.seq})")
    print("\nKeep this checkpoint in another place than the ledger:\n")
    print(checkpoint, end="")
