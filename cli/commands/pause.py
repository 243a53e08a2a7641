"""`pause`: a request to the executor of a group."""

from __future__ import annotations

import click

from ...orchestrator.recording import control
from ..context import Place
from ..controlling import ask, request_for


@click.command()
@request_for("GROUP")
def command(place: Place, name: str, reason: str, author: str | None, as_json: bool) -> None:
    """Start no further run of the group GROUP until it is resumed; its runs in progress go on."""
    ask(place, control.pause, name, author, reason, as_json=as_json, done="paused")
