"""`annotate`: a remark on a run."""

from __future__ import annotations

import click

from ...ledger import corrections
from ..context import Place
from ..correcting import correct, of_a_run


@click.command()
@click.option("--note", default="", help="The remark.")
@click.option("--tag", "tags", multiple=True, help="A word to find the run by (repeatable).")
@of_a_run
def command(place: Place, run_id: str, note: str, tags: tuple[str, ...], author: str | None, as_json: bool) -> None:
    """Add a remark to the run RUN_ID (the beginning of an id is enough).

    The remark is an event of the ledger with its author and time. It changes nothing of the run's score.
    """
    correct(place, run_id, corrections.annotate, "annotated", author, as_json=as_json, note=note, tags=tags)
