"""Groups of commands: they suggest the nearest command for an unknown one, and note which command is at work."""

from __future__ import annotations

import click

from ..ledger.suggestions import did_you_mean
from ..orchestrator.errors import UsageError

_COMMAND = "benchmarks.command"


class Group(click.Group):
    """A group whose commands are named in errors by their whole path, such as `benchmarks ledger verify`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names. Raises UsageError with the nearest one if it is unknown."""
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            hint = did_you_mean(args[0], known, f"{ctx.command_path} --help lists the commands")
            ctx.meta[_COMMAND] = ctx.command_path
            raise UsageError(f"unknown command '{args[0]}'", hint)
        ctx.meta[_COMMAND] = f"{ctx.command_path} {args[0]}"
        return super().resolve_command(ctx, args)


def command_at_work(root: click.Context | None) -> str:
    """The path of the command that was called, for an error that it raised."""
    return str(root.meta.get(_COMMAND, root.command_path)) if root else "benchmarks"
