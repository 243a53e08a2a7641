"""`resume`: a request to the executor of a group."""

from __future__ import annotations

import click

from ...orchestrator.recording import control
from ..context import Place
from ..controlling import ask, request_for


@click.command()
@request_for("GROUP")
def command(place: Place, name: str, reason: str, author: str | None, as_json: bool) -> None:
    """Let the paused group GROUP start runs again."""
    ask(place, control.resume, name, author, reason, as_json=as_json, done="resumed")
