"""`ledger`: the events themselves, the proof that nobody changed them, and ways to move them."""

from __future__ import annotations

import click

from . import checking, exchange
from . import events as reading


@click.group()
def command() -> None:
    """Look at the ledger itself, prove it, and move it."""


for _one in (
    reading.log,
    reading.replay,
    checking.stat,
    checking.verify,
    checking.head,
    checking.checkpoint,
    checking.keygen,
    exchange.export,
    exchange.import_,
    exchange.copy,
    exchange.import_sqlite,
    exchange.repair,
):
    command.add_command(_one)
