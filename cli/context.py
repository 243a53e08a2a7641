"""The options that every command shares: which workspace, which ledger; and what they lead to."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from ..ledger import past
from ..ledger.storage.open import open_store
from ..ledger.store import EventStore
from ..orchestrator.errors import UsageError
from ..projections.workspace import RESULTS, Workspace
from .streams import say

Command = TypeVar("Command", bound=Callable[..., Any])

WORKSPACE_VARIABLE = "BENCHMARKS_WORKSPACE"
LEDGER_VARIABLE = "BENCHMARKS_LEDGER"


class Place(msgspec.Struct, frozen=True):
    """Where a command works."""

    workspace: Workspace
    ledger_url: str

    def store(self) -> EventStore:
        """The ledger's store; what it had to mend is told on stderr. Raises UnsupportedLedger."""
        return open_store(self.ledger_url, notice=note)


def note(text: str) -> None:
    """Something worth a line on stderr."""
    say(text)


def in_place(command: Command) -> Command:
    """Adds `--workspace` and `--ledger`, and gives the command a `place` instead.

    Both stand before or after the command's name.
    """

    @click.option("--workspace", metavar="DIR", help="The folder of benchmarks and results.")
    @click.option("--ledger", "ledger_url", metavar="URL", help="The ledger, where it is not the workspace's own.")
    @click.pass_context
    @functools.wraps(command)
    def with_place(ctx: click.Context, /, workspace: str | None, ledger_url: str | None, **options: Any) -> Any:
        outer_workspace, outer_ledger = ctx.find_root().obj
        return command(place=find_place(workspace or outer_workspace, ledger_url or outer_ledger), **options)

    return with_place  # type: ignore[return-value]  # click's decorators keep the call, not the signature


def find_place(workspace: str | None, ledger_url: str | None) -> Place:
    """The place that options, environment and current folder name. Creates nothing.

    Raises UsageError where the workspace is no folder.
    """
    root = Path(workspace or os.environ.get(WORKSPACE_VARIABLE) or _default_workspace()).absolute()
    if root.exists() and not root.is_dir():
        raise UsageError(f"the workspace {root} is no folder; give another with --workspace")
    found = Workspace(root)
    return Place(found, ledger_url or os.environ.get(LEDGER_VARIABLE) or str(found.ledger))


def _default_workspace() -> str:
    here = Path.cwd()
    inside = (here / "benchmarks.toml").is_file() or (here / RESULTS).is_dir()
    return "." if inside else "benchmarks"


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: Any) -> None:
    """One JSON document on stdout, indented for people; programs read it all the same."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value, enc_hook=os.fspath), indent=2).decode() + "\n")


def as_of_option(help: str) -> Callable[[Command], Command]:
    """`--as-of`, a time or a position of the ledger; see `limit_of`."""
    return click.option("--as-of", metavar="TIME|SEQ", help=help)


def limit_of(as_of: str) -> int | datetime:
    """What `--as-of` (or another option that takes a time or a position) names. Raises UsageError."""
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
