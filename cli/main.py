"""The command line: `python -m benchmarks.orchestrator`, also installed as `benchmarks`.

Commands are imported when they are used, so that `--help` is instant.
"""

from __future__ import annotations

import importlib
import os
import re
import sys

import click

from ..ledger.errors import ExpectedError
from ..orchestrator.errors import UsageError
from .group import Group, command_at_work

COMMANDS = {
    "list-benchmarks": "List the benchmarks, and what is missing to run them here.",
    "run": "Run benchmarks that have not succeeded yet.",
    "status": "Show the runs in progress, on every machine that shares the ledger.",
    "cancel": "End a run or a campaign, on any machine that shares the ledger.",
    "pause": "Let a campaign start no further run.",
    "resume": "Let a paused campaign start runs again.",
    "show-runs": "List the runs in the ledger.",
    "show-run": "Show one run with its events.",
    "leaderboard": "Rank agents and models on each benchmark.",
    "compare": "Compare runs, groups, models, agents or times, and tell differences from noise.",
    "check": "Fail if a score is worse than a baseline: a gate for CI.",
    "changes": "List when scores moved for good, and what came with it.",
    "power": "Show how much to measure to find a difference.",
    "calibrate": "Check that benchmarks tell right answers from wrong ones.",
    "annotate": "Add a remark to a run.",
    "retract": "Take a run back: it stays visible and counts nowhere.",
    "reinstate": "Let a retracted run count again.",
    "exclude": "Exclude samples from the score of a run, or count them again.",
    "rescore": "Score past runs again with another scorer, from what they stored.",
    "stale": "List the scores that a change of their benchmark has made stale.",
    "equivalent": "Declare that two task revisions measure the same.",
    "register": "Register a plan before it is run: the claim, the runs and the test.",
    "registration": "Show registered plans and their verdicts; amend one.",
    "publish": "Publish a table: an event, a page that checks itself, and JSON.",
    "table": "Check tables before and after they are published; compare versions.",
    "reproduce": "Run the work of a run again, compare it, and record the verdict.",
    "high-scores": "Show the published reference scores, or publish one.",
    "query": "Query the history with SQL.",
    "report": "Write a report: one HTML file, or Markdown.",
    "export": "Export the history: CSV, Parquet, JSON, Every Eval Ever, OpenLineage, JUnit.",
    "serve-viewer": "Show the history in a browser.",
    "export-viewer-data": "Rebuild orchestrator.sqlite and viewer_data.json.",
    "recover-stale-runs": "Close the runs that a dead orchestrator left open.",
    "push-artifacts": "Copy files of runs that are only here to the store.",
    "providers": "List the model providers, and which of them have a key here.",
    "environments": "List, build or remove the isolated environments of benchmarks.",
    "new": "Create a benchmark of your own: a manifest and a driver that run.",
    "adapters": "Validate and test manifests; print their schema.",
    "import": "Import results of runs that were made elsewhere.",
    "ledger": "Inspect, verify, prove, copy, merge and repair the ledger.",
    "bundle": "Write the evidence for runs into one file, or verify it.",
    "witness": "Serve a witness: it confirms that ledgers of others only grow.",
}


_MODULES = {"import": "import_runs"}
"""Commands whose module has another name; the other modules are named after their command, with _ for -."""


class _Commands(Group):
    """Knows the names and summaries of its commands, and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".commands.{_MODULES.get(cmd_name, cmd_name.replace('-', '_'))}", __package__)
        command: click.Command = module.command
        return command

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
@click.option("--ledger", metavar="URL", help="Use this ledger instead of the workspace's own.")
@click.version_option(package_name="benchmark-orchestrator", prog_name="benchmarks")
@click.pass_context
def cli(ctx: click.Context, workspace: str | None, ledger: str | None) -> None:
    """Run LLM and agent benchmarks, each once, and record every run in a tamper-evident ledger.

    Exit codes: 0 success, 1 a run or a check failed, 2 wrong usage, 3 the ledger is damaged, 130 interrupted.
    """
    ctx.obj = (workspace, ledger)


def main() -> None:
    """Run the command line and exit with its code. Every expected error is printed on stderr in one form."""
    _hide_passwords()
    from .streams import show_only_visible_text

    show_only_visible_text()
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    root: click.Context | None = None
    try:
        _refuse_broken_text(arguments)
        # Not cli.main(): it would end the program with code 1 when the reader of our output closes the pipe.
        with cli.make_context("benchmarks", arguments) as root:
            code = cli.invoke(root)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as help_page:
        help_page.show()
        return 2
    except click.ClickException as problem:
        path = problem.ctx.command_path if isinstance(problem, click.UsageError) and problem.ctx else "benchmarks"
        return _complain(path, _click_message(problem, path), 2)
    except (click.Abort, KeyboardInterrupt):
        return _complain(command_at_work(root), "interrupted", 130)
    except BrokenPipeError:
        from .streams import discard

        discard(sys.stdout)
        return 0
    except (ExpectedError, OSError) as problem:
        code = problem.exit_code if isinstance(problem, ExpectedError) else 2
        return _complain(command_at_work(root), _message(problem), code)


def _hide_passwords() -> None:
    """Start this program anew without the passwords in its arguments, which every user of the machine can list."""
    if not any("postgres" in argument and "://" in argument for argument in sys.argv[1:]):
        return
    from ..ledger.storage.postgres_address import KEPT_APART, keep_apart

    bare, passwords = keep_apart(sys.orig_argv[1:])
    if passwords and bare != sys.orig_argv[1:]:
        known = os.environ.get(KEPT_APART, "")
        environ = {**os.environ, KEPT_APART: f"{known} {passwords}".strip()}
        os.execve(sys.executable, [sys.executable, *bare], environ)  # noqa: S606 - this program itself


def _message(problem: ExpectedError | OSError) -> str:
    """The text of an error; of a bare OSError, the file and what is wrong with it."""
    if isinstance(problem, OSError) and problem.filename is not None and problem.strerror:
        return f"{problem.filename}: {problem.strerror}"
    return str(problem)


def _click_message(problem: click.ClickException, path: str) -> str:
    """An error of click in our form: one line, and a hint."""
    hint = f"{path} --help lists the options"
    message = " ".join(problem.format_message().split())
    if isinstance(problem, click.NoSuchOption):
        message = f"unknown option {problem.option_name}"
        if problem.possibilities:
            hint = f"did you mean {' or '.join(sorted(problem.possibilities))}?"
    elif message:
        message = (message[0].lower() + message[1:]).removesuffix(".")
    return f"{message}\nhint: {hint}"


def _refuse_broken_text(arguments: list[str]) -> None:
    """Bytes that are not UTF-8 cannot be written into an event or shown on a page. Raises UsageError."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = argument.encode(errors="backslashreplace").decode()
            raise UsageError(f"the argument '{shown}' is not UTF-8 text") from None


def _complain(command: str, message: str, code: int) -> int:
    """The one place that prints an error: `benchmarks COMMAND: what happened`, then its hint on a line of its own."""
    from ..orchestrator.redaction import Redactor, secrets_of
    from .streams import say

    # It may quote the arguments: an address with its password, an option with the value of a secret variable.
    text = re.sub(r"(?<=://)[^/\s@]+(?=@)", "[redacted]", f"{command}: {message}")
    say(Redactor(secrets_of(os.environ)).text(text))
    return code
