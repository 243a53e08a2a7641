"""docs/cli.md: every command and option, as the program has them now."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click

from benchmarks.cli.main import COMMANDS, cli
from benchmarks.cli.reference import reference_page

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_reference_is_current() -> None:
    written = subprocess.run(
        [sys.executable, "-m", "benchmarks.cli.reference"], capture_output=True, text=True, check=True, cwd="/"
    ).stdout
    assert written == PAGE.read_text(), "make reference writes it"


def test_every_command_has_a_section_and_every_option_a_line() -> None:
    page = reference_page()
    root = click.Context(cli, info_name="benchmarks")
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        section = page.split(f"\n## benchmarks {name}\n")[1].split("\n## ")[0]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name not in ("workspace", "ledger_url"):
                assert parameter.help, f"{name} {parameter.opts}"
                assert parameter.opts[0] in section, f"{name} {parameter.opts}"


def test_help_begins_with_an_imperative_and_ends_with_a_period() -> None:
    root = click.Context(cli, info_name="benchmarks")
    for name, summary in COMMANDS.items():
        command = cli.get_command(root, name)
        assert command is not None
        inner = [command.get_command(root, one) for one in command.commands] if isinstance(command, click.Group) else []
        for text in [summary, *(one.help or "" for one in [command, *filter(None, inner)])]:
            first = text.split("\n\n")[0].strip()
            assert re.match(r"[A-Z][a-z]+\b", first) and first.endswith("."), f"{name}: {first}"
            assert not re.match(r"(The|A|An|For|Every|So|Only|What|Which|Those) ", first), f"{name}: {first}"
