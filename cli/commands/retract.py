"""`retract`: a run that is taken back."""

from __future__ import annotations

import click

from ...ledger import corrections
from ..context import Place
from ..correcting import correct, of_a_run


@click.command()
@click.option("--reason", required=True, help="Why.")
@of_a_run
def command(place: Place, run_id: str, reason: str, author: str | None, as_json: bool) -> None:
    """Take the run RUN_ID back (the beginning of an id is enough): it stays visible and counts nowhere.

    Its signature is free again, so the next campaign runs the work anew. reinstate takes the retraction back.
    """
    correct(place, run_id, corrections.retract, "retracted", author, as_json=as_json, reason=reason)
