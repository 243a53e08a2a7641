"""`reinstate`: a retraction that is taken back."""

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
    """Let the retracted run RUN_ID count again (the beginning of an id is enough)."""
    found = find_run_id(place, run_id)
    store = place.store()
    by = author or default_author(place.workspace.root)
    record = corrections.reinstate(place.ledger(store)[0], found, author=by, reason=reason)
    report(place, store, record, f"{found}: reinstated by {by}", as_json=as_json)
