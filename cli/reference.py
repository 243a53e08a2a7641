"""The reference of all commands, docs/cli.md, made from the click tree: `python -m benchmarks.cli.reference`."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator

import click

from .main import COMMANDS, cli

_WIDTH = 120
_SHARED = {"workspace", "ledger_url"}
"""Parameters that the head of the page explains once."""

_HEAD = """\
# Commands

`benchmarks COMMAND --help` shows the same text for one command. `make reference` writes this page from the program.

Two options name the place, and can be written before or after the command: `--workspace DIR`, the folder of benchmarks
and results (default: `./benchmarks`), and `--ledger URL`, a ledger instead of the workspace's own. With `--json`, a
command prints JSON on stdout.

An error is printed on stderr as `benchmarks COMMAND: what happened`, with a line `hint:` that says what to do. The exit
codes are 0 success, 1 a run or a check failed, 2 wrong usage, 3 the ledger is damaged, 130 interrupted.
"""


def reference_page() -> str:
    """The whole page in Markdown."""
    root = click.Context(cli, info_name="benchmarks")
    blocks = [_HEAD, "\n".join(f"- [{name}](#benchmarks-{name}): {about}" for name, about in COMMANDS.items()) + "\n"]
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None  # noqa: S101 - for the type checker: the name is a key of COMMANDS
        blocks += _sections(command, click.Context(command, parent=root, info_name=name), "##")
    return "\n".join(blocks)


def _sections(command: click.Command, ctx: click.Context, heading: str) -> Iterator[str]:
    """The section of a command, then those of its own commands."""
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    yield f"{heading} {ctx.command_path}\n"
    yield f"```text\n{usage}\n```\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield textwrap.fill(" ".join(paragraph.split()), _WIDTH, break_on_hyphens=False) + "\n"
    if options := list(_options(command, ctx)):
        yield "\n".join(options) + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            if inner is not None:
                yield from _sections(inner, click.Context(inner, parent=ctx, info_name=name), "###")


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    for parameter in command.params:
        record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
        if record is None or parameter.name in _SHARED:
            continue
        names, about = record
        text = f"- `{names}`: {' '.join(about.split())}"
        yield textwrap.fill(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


if __name__ == "__main__":
    print(reference_page(), end="")
