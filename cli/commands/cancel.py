"""`cancel`: a request to the executor of a run or group."""

from __future__ import annotations

import click

from ...orchestrator.recording import control
from ..context import Place
from ..controlling import ask, request_for


@click.command()
@request_for("ID")
def command(place: Place, name: str, reason: str, author: str | None, as_json: bool) -> None:
    """End the run or the group ID, on whatever machine it runs (the beginning of an id is enough).

    Its executor obeys within seconds: the run ends as failed with the reason `cancelled`. A cancelled group starts no
    further run, and is closed. If its process is gone, it is closed here."""
    ask(place, control.cancel, name, author, reason, as_json=as_json, done="cancelled, and ends within seconds")
