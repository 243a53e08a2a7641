"""`retract`: a run that is taken back."""

from __future__ import annotations

import click

from ...ledger import corrections
from ...orchestrator.recording.corrections import default_author
from ..context import Place, in_place, json_option
from ..correcting import author_option, find_run_id, report


@click.command()
@click.argument("run_id")
@click.option("--reason", required=True, help="Why.")
@author_option
@json_option
@in_place
def command(place: Place, run_id: str, reason: str, author: str | None, as_json: bool) -> None:
    """Take the run RUN_ID back (the beginning of an id is enough): it stays visible and counts nowhere.

    Its signature is free again, so the next campaign runs the work anew. reinstate takes the retraction back.
    """
    found = find_run_id(place, run_id)
    store = place.store()
    by = author or default_author(place.workspace.root)
    record = corrections.retract(place.ledger(store)[0], found, author=by, reason=reason)
    report(place, store, record, f"{found}: retracted by {by}", as_json=as_json)
