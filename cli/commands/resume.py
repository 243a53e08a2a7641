"""`resume`: a request to the executor of a group."""

from __future__ import annotations

import click

from ...orchestrator.recording import control
from ..context import Place, in_place, json_option
from ..controlling import REASON, ask
from ..correcting import author_option


@click.command()
@click.argument("name", metavar="GROUP")
@click.option("--reason", default="", help=REASON)
@author_option
@json_option
@in_place
def command(place: Place, name: str, reason: str, author: str | None, as_json: bool) -> None:
    """Let the paused group GROUP start runs again."""
    ask(place, control.resume, name, author, reason, as_json=as_json, done="resumed")
