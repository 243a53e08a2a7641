"""`ledger`: inspect the events, verify that they are unchanged, prove them, and copy or merge them."""

from __future__ import annotations

import importlib

import click

from ...group import Group

_MODULES = {
    "log": "events",
    "replay": "events",
    "stat": "checking",
    "verify": "checking",
    "head": "checking",
    "keygen": "proofs",
    "checkpoint": "proofs",
    "prove": "proofs",
    "verify-proof": "proofs",
    "tiles": "proofs",
    "witness": "witnesses",
    "cosign": "witnesses",
    "policy": "witnesses",
    "init": "init",
    "export": "exchange",
    "import": "exchange",
    "copy": "exchange",
    "import-sqlite": "exchange",
    "repair": "exchange",
}
"""The commands, and the module of each, which is imported when the command is used."""


class _Ledger(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f".{_MODULES[cmd_name]}", __package__)
        name = cmd_name.replace("-", "_")
        found: click.Command = getattr(module, f"{name}_" if name == "import" else name)
        return found


@click.group(cls=_Ledger)
def command() -> None:
    """Inspect, verify, prove, copy, merge and repair the ledger."""
