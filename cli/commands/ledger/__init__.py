"""`ledger`: inspect the events, verify that they are unchanged, and copy or merge them."""

from __future__ import annotations

import click

from ...group import Group
from . import checking, events, exchange, proofs, witnesses
from .init import init


@click.group(cls=Group)
def command() -> None:
    """Inspect, verify, copy, merge and repair the ledger."""


for _command in (
    events.log,
    events.replay,
    checking.stat,
    checking.verify,
    checking.head,
    proofs.keygen,
    proofs.checkpoint,
    proofs.prove,
    proofs.verify_proof,
    proofs.tiles,
    witnesses.witness,
    witnesses.cosign,
    witnesses.policy,
    init,
    exchange.export,
    exchange.import_,
    exchange.copy,
    exchange.import_sqlite,
    exchange.repair,
):
    command.add_command(_command)
