"""`providers`: the model providers, and which of them have a key on this machine."""

from __future__ import annotations

import os
from typing import Any

import click

from ...adapters.secret_shapes import hide
from ...orchestrator.models.providers import Provider, providers, resolve
from ..context import json_option, print_json
from ..printing import print_table


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List the model providers, and which of them have a key here (never the key itself)."""
    rows = [_row(provider) for provider in providers().values()]
    if as_json:
        print_json(rows)
        return
    print_table(
        ["provider", "key", "variable", "base URL", "note"],
        [
            [
                row["name"],
                {True: "yes", False: "no", None: "not needed"}[row["has_key"]],
                " or ".join(row["key_variables"]),
                row["base_url"] or "",
                row["note"],
            ]
            for row in rows
        ],
    )


def _row(provider: Provider) -> dict[str, Any]:
    endpoint = resolve(provider, base_url=None, environ=os.environ)
    return {
        "name": provider.name,
        "openai_compatible": provider.openai_compatible,
        "key_variables": provider.key_variables,
        "has_key": endpoint.key is not None if provider.key else (True if endpoint.key else None),
        "base_url": hide(endpoint.base_url) if endpoint.base_url else None,
        "base_url_variable": provider.base_url_variable,
        "note": provider.note,
    }
