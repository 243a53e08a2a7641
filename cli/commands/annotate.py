"""`annotate`: a remark on a run."""

from __future__ import annotations

import click

from ...ledger import corrections
from ...orchestrator.recording.corrections import default_author
from ..context import Place, in_place, json_option
from ..correcting import author_option, find_run_id, report


@click.command()
@click.argument("run_id")
@click.option("--note", default="", help="The remark.")
@click.option("--tag", "tags", multiple=True, help="A word to find the run by (repeatable).")
@author_option
@json_option
@in_place
def command(place: Place, run_id: str, note: str, tags: tuple[str, ...], author: str | None, as_json: bool) -> None:
    """Add a remark to the run RUN_ID (the beginning of an id is enough).

    The remark is an event of the ledger with its author and time. It changes nothing of the run's score.
    """
    found = find_run_id(place, run_id)
    store = place.store()
    by = author or default_author(place.workspace.root)
    record = corrections.annotate(place.ledger(store)[0], found, author=by, note=note, tags=tags)
    report(place, store, record, f"{found}: annotated by {by}", as_json=as_json)
