"""The command line: `python -m benchmarks.orchestrator`, also installed as `benchmarks`.

Commands are imported when they are used, so that `--help` is instant.
"""

from __future__ import annotations

import importlib
import os
import re
import sys

import click

COMMANDS = {
    "list-benchmarks": "Show every benchmark, and whether it can run here.",
    "run": "Run benchmarks that have not been run yet.",
    "status": "Show what runs now, and how long each is silent.",
    "show-runs": "Show the runs of the ledger.",
    "show-run": "Show one run with its events.",
    "leaderboard": "Rank agents and models on each benchmark.",
    "compare": "Compare runs, groups, models, agents or times, and tell noise from differences.",
    "check": "Fail when a score got worse than a baseline: a gate for CI.",
    "calibrate": "Say whether benchmarks tell right answers from wrong ones.",
    "high-scores": "Show the published reference scores, or publish one.",
    "query": "Ask the history in SQL.",
    "report": "Write a report for people: one HTML file, or Markdown.",
    "export": "Write the history in the formats of others: CSV, Parquet, Every Eval Ever, OpenLineage, JUnit.",
    "serve-viewer": "Show the history in a browser.",
    "export-viewer-data": "Rebuild orchestrator.sqlite and viewer_data.json from the ledger.",
    "recover-stale-runs": "Close the runs that a dead orchestrator left open.",
    "providers": "Show the providers of models, and which have a key here.",
    "environments": "Show, build or remove the isolated environments of benchmarks.",
    "new": "Begin a benchmark of your own: a manifest and a driver that run.",
    "adapters": "For whoever writes a manifest: validate, test, schema.",
    "import": "Bring results of runs that were made elsewhere into the ledger.",
    "ledger": "Look at the ledger itself: log, verify, move, merge, mend.",
}


_MODULES = {"import": "import_runs"}
"""Commands whose name is no name of a module; the others' is theirs with _ for -."""


class _Commands(click.Group):
    """Knows the names and summaries of its commands, and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".commands.{_MODULES.get(cmd_name, cmd_name.replace('-', '_'))}", __package__)
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command '{args[0]}': {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with:  benchmarks list-benchmarks  ·  benchmarks run --benchmarks context_recall "
    "--provider local --model smollm2-135m  ·  benchmarks serve-viewer",
)
@click.option("--workspace", metavar="DIR", help="The folder of benchmarks and results (default: ./benchmarks).")
@click.option("--ledger", metavar="URL", help="The ledger, where it is not the workspace's own.")
@click.version_option(package_name="benchmark-orchestrator", prog_name="benchmarks")
@click.pass_context
def cli(ctx: click.Context, workspace: str | None, ledger: str | None) -> None:
    """Run LLM and agent benchmarks, each once, and keep a record of every run that nobody can change unnoticed.

    Exit codes: 0 all well, 1 a run or a check failed, 2 bad usage, 3 the ledger is damaged, 130 interrupted.
    """
    ctx.obj = (workspace, ledger)


def main() -> None:
    """Run the command line and exit with its code; every expected error is one line on stderr."""
    from .streams import show_only_visible_text

    show_only_visible_text()
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        _refuse_broken_text(arguments)
        # Not cli.main(): it would end the program with code 1 when whoever reads our output has seen enough.
        with cli.make_context("benchmarks", arguments) as context:
            code = cli.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:
        asked.show()
        return 2
    except click.ClickException as problem:
        where = problem.ctx.command_path if isinstance(problem, click.UsageError) and problem.ctx else "benchmarks"
        return _complain(f"{where}: {' '.join(problem.format_message().split())}", 2)
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", 130)
    except BrokenPipeError:
        from .streams import discard

        discard(sys.stdout)
        return 0
    except Exception as problem:
        code = _exit_code(problem)
        if code is None:
            raise
        return _complain(f"benchmarks: {_in_words(problem)}", code)


def _in_words(problem: Exception) -> str:
    """An error's own words; of one that nobody put into words, the file and what is wrong with it."""
    if isinstance(problem, OSError) and problem.filename is not None and problem.strerror:
        return f"{problem.filename}: {problem.strerror}"
    return str(problem)


def _refuse_broken_text(arguments: list[str]) -> None:
    """Bytes that are no UTF-8 could be written into no event, and be shown on no page."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = argument.encode(errors="backslashreplace").decode()
            raise click.UsageError(f"the argument '{shown}' is no UTF-8 text") from None


def _exit_code(problem: Exception) -> int | None:
    """The exit code of an expected error; None for one that nobody expected."""
    from ..ledger.errors import LedgerDamaged, LedgerError, LedgerMoved, OutcomeUnknown
    from ..orchestrator.errors import UsageError
    from ..projections.analytics.sandbox import QueryError
    from ..projections.scores.selection import SelectionError
    from ..projections.sqlite.database import ProjectionError

    if isinstance(problem, LedgerDamaged | LedgerMoved):
        return 3
    if isinstance(problem, OutcomeUnknown):
        return 1
    # An OSError that nobody put into words names its file and what is wrong with it.
    return (
        2
        if isinstance(problem, LedgerError | ProjectionError | QueryError | SelectionError | UsageError | OSError)
        else None
    )


def _complain(line: str, code: int) -> int:
    from ..orchestrator.redaction import Redactor, secrets_of
    from .streams import say

    # It may name what was given: an address with its password, an option with the value of a variable.
    line = re.sub(r"(?<=://)[^/\s@]+(?=@)", "[redacted]", line)
    say(Redactor(secrets_of(os.environ)).text(line))
    return code
