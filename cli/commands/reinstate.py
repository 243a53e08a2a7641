"""`reinstate`: a retraction that is taken back."""

from __future__ import annotations

import click

from ...ledger import corrections
from ..context import Place
from ..correcting import correct, of_a_run


@click.command()
@click.option("--reason", required=True, help="Why.")
@of_a_run
def command(place: Place, run_id: str, reason: str, author: str | None, as_json: bool) -> None:
    """Let the retracted run RUN_ID count again (the beginning of an id is enough)."""
    correct(place, run_id, corrections.reinstate, "reinstated", author, as_json=as_json, reason=reason)
