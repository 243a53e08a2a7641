"""`pause`: a request to the executor of a group."""

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
    """Start no further run of the group GROUP until it is resumed; its runs in progress go on."""
    ask(place, control.pause, name, author, reason, as_json=as_json, done="paused")
