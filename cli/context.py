"""What commands share: the options --workspace, --ledger, --json and --as-of, and the place that they name."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from ..ledger import past
from ..orchestrator.errors import UsageError
from ..orchestrator.place import Place as Place
from ..orchestrator.place import open_place
from .current_folder import warn_of_current_folder
from .streams import emit, say

Command = TypeVar("Command", bound=Callable[..., Any])


def note(text: str) -> None:
    """Print a note on stderr."""
    say(text)


def in_place(command: Command) -> Command:
    """Add `--workspace` and `--ledger`, and pass the command a `place` instead.

    Users may write both options before or after the command's name.
    """

    @click.option("--workspace", metavar="DIR", help="The folder of benchmarks and results.")
    @click.option("--ledger", "ledger_url", metavar="URL", help="Use this ledger instead of the workspace's own.")
    @click.pass_context
    @functools.wraps(command)
    def with_place(ctx: click.Context, /, workspace: str | None, ledger_url: str | None, **options: Any) -> Any:
        outer_workspace, outer_ledger = ctx.find_root().obj
        place = find_place(workspace or outer_workspace, ledger_url or outer_ledger)
        warn_of_current_folder(Path.cwd(), place.workspace.root)
        return command(place=place, **options)

    return with_place  # type: ignore[return-value]  # click's decorators keep the call, not the signature


def find_place(workspace: str | None, ledger_url: str | None) -> Place:
    """The place that options, environment and current folder determine. Creates nothing. Raises UsageError."""
    return open_place(workspace, ledger_url, notice=note)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: Any) -> None:
    """Print one JSON document on stdout, indented."""
    emit(msgspec.json.format(msgspec.json.encode(value, enc_hook=os.fspath), indent=2).decode() + "\n")


def as_of_option(help: str) -> Callable[[Command], Command]:
    """Add `--as-of`, a time or a position in the ledger; see `limit_of`."""
    return click.option("--as-of", metavar="TIME|SEQ", help=help)


def limit_of(as_of: str) -> int | datetime:
    """The time or position that an option such as `--as-of` names. Raises UsageError."""
    try:
        return past.limit_of(as_of)
    except ValueError as problem:
        raise UsageError(str(problem)) from problem


def moment_of(text: str) -> datetime:
    """The moment that an option names. Raises UsageError."""
    try:
        return past.moment_of(text)
    except ValueError as problem:
        raise UsageError(str(problem)) from problem
