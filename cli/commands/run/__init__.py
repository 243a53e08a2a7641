"""`run`: what a campaign is made of, from the command line."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any

import click

from ....adapters.adapter import Adapter
from ....adapters.discovery import discover
from ....adapters.manifest import Resources
from ....ledger.errors import LedgerBusy
from ....ledger.events import Record
from ....ledger.history import History
from ....ledger.ledger import Ledger
from ....ledger.storage.chain import GENESIS, origin_of
from ....ledger.storage.codec import line_of
from ....ledger.store import EventStore
from ....orchestrator.errors import UsageError
from ....orchestrator.machine.capacity import UNRATIONED, this_machine
from ....orchestrator.models.local_model import EMBEDDED
from ....orchestrator.models.prices import FILE_NAME, Prices, own_prices
from ....orchestrator.models.providers import NO_MODEL
from ....orchestrator.models.targets import DEFAULT_MODEL
from ....orchestrator.planning.again import find_original, repetition_of, the_same
from ....orchestrator.planning.campaign_file import load_campaign_file
from ....orchestrator.planning.changes import Change, find_changes
from ....orchestrator.planning.claim import Policy, judge
from ....orchestrator.planning.naming import names_in, refuse_keys_in_names, secrets_of_plan
from ....orchestrator.planning.plan import PlannedRun, make_plan
from ....orchestrator.planning.repetitions import repetitions_of
from ....orchestrator.redaction import Redactor
from ....orchestrator.running.campaign import Campaign, Result, conduct
from ....orchestrator.running.display import Display
from ....orchestrator.running.execution import GRACE_SECONDS, Cancellation
from ....orchestrator.running.provenance import repository
from ....orchestrator.running.recovery import provably_dead, recover
from ....orchestrator.running.retries import LONGEST_SECONDS
from ....projections.sqlite.database import ProjectionError
from ....projections.sqlite.refresh import update_all
from ....projections.workspace import Workspace
from ...context import Place, in_place, note
from ...display import open_display
from ...notification import Notifier
from ...streams import discard
from .asked import DEFAULT_PROVIDER, Asked

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_INTERRUPTING = (
    f"interrupting: what runs is asked to end, and killed after {GRACE_SECONDS:g} s; interrupt once more to kill it now"
)


class _Amount(click.FloatRange):
    """A finite number above 0: `nan` is in no range and outside of none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no amount.", param, ctx)
        return number


SECONDS = AMOUNT = _Amount(min=0, min_open=True)
RETRY_SECONDS = _Amount(min=0, min_open=True, max=LONGEST_SECONDS)


_MANY = {"--benchmarks", "--agents", "--harnesses"}


class _ManyValues(click.Command):
    """Lets `--benchmarks` and `--agents` take several values after one another."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        expanded: list[str] = []
        taking: str | None = None
        for argument in args:
            name, equals, _ = argument.partition("=")
            if argument.startswith("-"):
                taking = name if name in _MANY else None
                if taking is None or equals:
                    expanded.append(argument)
            elif taking:
                expanded += [taking, argument]
            else:
                expanded.append(argument)
        return super().parse_args(ctx, expanded)


def _load_campaign(ctx: click.Context, _: click.Parameter, value: str | None) -> Any:
    """The file of --campaign; what it says of other options becomes their default."""
    if value is None:
        return None
    loaded = load_campaign_file(Path(value))
    ctx.default_map = loaded.file.run.given()
    return loaded


@click.command(cls=_ManyValues)
@click.option("--benchmarks", multiple=True, metavar="ID...", help="The benchmarks, with spaces or commas between.")
@click.option("--all", "everything", is_flag=True, help="Every benchmark there is.")
@click.option(
    "--campaign", metavar="FILE", is_eager=True, callback=_load_campaign, help="Run the matrix of a TOML file."
)
@click.option("--agent", metavar="LABEL", help="The agent to run (default: each benchmark's own).")
@click.option(
    "--agents", "--harnesses", "agents", multiple=True, metavar="LABEL...", help="Several agents, one after the other."
)
@click.option(
    "--all-agents", "--all-harnesses", "every_agent", is_flag=True, help="Every agent that a benchmark names."
)
@click.option("--provider", help=f"Where the model answers; see: providers.  [default: {DEFAULT_PROVIDER}]")
@click.option("--base-url", metavar="URL", help="Another address of the provider.")
@click.option(
    "--model",
    help=f"The model, or a .gguf file with --provider local.  [default: {DEFAULT_MODEL}; local: {EMBEDDED}]",
)
@click.option("--extra", default="{}", metavar="JSON", help="Options of the benchmarks, and per_benchmark options.")
@click.option("--rerun-failed", is_flag=True, help="Run what failed last time or never ran.")
@click.option("--force", is_flag=True, help="Run even what has succeeded.")
@click.option("--rerun-changed", is_flag=True, help="Run what succeeded with another manifest or commit.")
@click.option("--again", metavar="RUN_ID", help="Repeat this run as it was: its benchmark, agent, model and options.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="So many at once.")
@click.option("--repeats", type=click.IntRange(min=1), default=1, show_default=True, help="So many of each.")
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="End a run after so long, whatever its manifest says.")
@click.option("--stall", type=SECONDS, metavar="SECONDS", help="End a run after so long without output or progress.")
@click.option("--retries", type=click.IntRange(0, 100), default=0, show_default=True, help="Try again what may pass.")
@click.option("--retry-delay", type=RETRY_SECONDS, default=2.0, show_default=True, help="Seconds to the first retry.")
@click.option("--max-cost", type=AMOUNT, metavar="USD", help="Begin no run once so much is spent.")
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="Begin no run once so many are used.")
@click.option("--max-minutes", type=AMOUNT, metavar="N", help="Begin no run once so long is over.")
@click.option("--prices", metavar="FILE", help=f"What models cost (default: {FILE_NAME} of the workspace).")
@click.option("--notify", metavar="URL", help="Post each end of a run there, as a CloudEvent.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done, and what it would take.")
@click.option("--quiet", is_flag=True, help="Tell of failures only.")
@click.option("--explain", "explained", is_flag=True, help="Say what decided, for each.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as they are recorded, one a line.")
@in_place
def command(place: Place, **options: Any) -> int:
    """Run benchmarks, each unless the ledger holds a success of the same work.

    The same work means: benchmark, agent, provider, model and effective options. Exit code 1 where a run failed.
    """
    asked = Asked(**options)
    asked.check()
    display = open_display(is_quiet=asked.quiet, environ=os.environ)
    with contextlib.closing(display):
        finished = _run(place, asked, display)
    if finished is None:
        return 0
    campaign, result, ledger = finished
    _project(place, ledger)
    try:
        _tell(result, campaign, ledger, asked)
        sys.stdout.flush()
    except OSError:
        discard(sys.stdout)  # Nobody reads the tables; the exit code tells all the same.
    if result.interrupted:
        return 130
    return 1 if result.counts.failed else 0


def _project(place: Place, ledger: Ledger) -> None:
    """Bring the projections up to date. One that can't be written is told: the ledger has all that it would say."""
    try:
        update_all(place.workspace.database, place.workspace.viewer_data, ledger.store, notice=note)
    except (ProjectionError, OSError, sqlite3.Error) as problem:
        told = str(problem).rstrip(".")
        note(f"{told}. Every run is recorded all the same; once that is mended: benchmarks export-viewer-data")


def _run(place: Place, asked: Asked, display: Display) -> tuple[Campaign, Result, Ledger] | None:
    """The campaign that was conducted, how it ended, and its ledger; None where it was only shown."""
    store = place.store()
    with contextlib.ExitStack() as stack:
        ledger, redactor = place.ledger(store, told=_teller(asked, store, display, stack))
        original = find_original(ledger, asked.again) if asked.again else None
        found = discover(place.workspace.root)
        for problem in found.problems:
            display.note(f"broken manifest: {problem}")
        cells = asked.cells(original, found, os.environ, display.note)
        redactor.learn(identities=names_in(cells, place.workspace.root))
        refuse_keys_in_names(cells, place.workspace.root, redactor)
        is_rationed = any(cell.adapter.manifest.resources != Resources() for cell in cells)
        capacity = this_machine(os.environ) if is_rationed else UNRATIONED
        plan = make_plan(
            cells,
            known=found.adapters,
            broken=found.broken,
            repeats=repetition_of(original) if original else asked.repeats,
            environ=os.environ,
            capacity=capacity,
            hide=redactor.value,
            source=str(asked.campaign.path) if asked.campaign else "--extra",
        )
        redactor.learn(*secrets_of_plan(plan))
        if original:
            plan = [the_same(original, plan)]
        prices = own_prices(place.workspace.root, asked.prices, os.environ)
        changes: Mapping[str, Change] = {}
        if asked.rerun_changed:
            changes = find_changes(ledger.history(), plan, repository(place.workspace.root))
        if asked.allowance.max_cost is not None:
            _refuse_unpriced(_due(ledger.history(), plan, asked.policy, changes), prices)
        if asked.dry_run:
            from .preview import preview, show

            show(preview(ledger.history(), plan, asked.policy, changes, prices), as_json=asked.as_json)
            return None
        campaign = Campaign(
            workspace=place.workspace,
            request=asked.request(cells, plan),
            plan=plan,
            policy=asked.policy,
            jobs=asked.jobs,
            environ=dict(os.environ),
            capacity=capacity,
            explain=asked.explained,
            changes=changes,
            limits=asked.limits,
            retries=asked.tries,
            prices=prices,
            allowance=asked.allowance,
        )
        if redactor.ignored:
            display.note(
                f"not hidden, because it is a plain word or the name of something that is run: the value of "
                f"{', '.join(redactor.ignored)}"
            )
        _recover(ledger, place.workspace, found.adapters, prices, display)
        return campaign, _conduct(campaign, ledger, redactor, display), ledger


def _teller(
    asked: Asked, store: EventStore, display: Display, stack: contextlib.ExitStack
) -> Callable[[list[Record]], None]:
    """What is called with the records of each append; `stack` ends it."""
    tellers: list[Callable[[list[Record]], None]] = []
    if asked.as_json:
        tellers.append(_event_printer(display))
    if asked.notify is not None:

        def source() -> str:
            first = next(store.read(), None)
            return origin_of(first.hash if first else GENESIS)

        notifier = Notifier(asked.notify, source=source, complain=display.note)
        tellers.append(stack.enter_context(contextlib.closing(notifier)).tell)

    def tell(records: list[Record]) -> None:
        for teller in tellers:
            teller(records)

    return tell


def _event_printer(display: Display) -> Callable[[list[Record]], None]:
    """Prints events on stdout. Whoever reads them may have seen enough: the campaign goes on without him."""
    is_heard = True

    def tell(records: list[Record]) -> None:
        nonlocal is_heard
        if not is_heard:
            return
        try:
            # One write: the events of several jobs come from several threads.
            sys.stdout.write("".join(f"{line_of(record).decode()}\n" for record in records))
            sys.stdout.flush()
        except OSError as problem:
            is_heard = False
            discard(sys.stdout)
            display.note(f"no further events are printed: {problem.strerror}")

    return tell


def _due(history: History, plan: list[PlannedRun], policy: Policy, changes: Mapping[str, Change]) -> list[PlannedRun]:
    """What may have to be run: also what runs now, since whoever runs it may turn out to be gone."""
    due = []
    for planned in plan:
        if not planned.missing:
            verdict = judge(history, planned, policy, changes)
            if verdict.run or verdict.reason == "running_elsewhere":
                due.append(planned)
    return due


def _refuse_unpriced(due: list[PlannedRun], prices: Prices) -> None:
    """A limit on what is spent holds only where it is known what is spent."""
    unknown = dict.fromkeys(
        str(one.target) for one in due if one.provider != NO_MODEL and prices.find(one.provider, one.model) is None
    )
    if unknown:
        raise UsageError(
            f"--max-cost: no price is known for {', '.join(unknown)}; give one in {FILE_NAME} of the workspace or with "
            "--prices (docs/campaigns.md shows how)"
        )


def _recover(
    ledger: Ledger,
    workspace: Workspace,
    adapters: dict[str, Adapter],
    prices: Prices,
    display: Display,
) -> None:
    for run in recover(ledger, provably_dead, workspace=workspace, adapters=adapters, prices=prices):
        what = "its result was adopted" if run.status == "succeeded" else "it has failed"
        display.note(f"{run.run_id}: its orchestrator is gone; {what}")


def _conduct(campaign: Campaign, ledger: Ledger, redactor: Redactor, display: Display) -> Result:
    cancellation = Cancellation()
    ledger.give_up_if(lambda: cancellation.is_urgent)
    with contextlib.closing(cancellation), _ending_on_signals(cancellation, display):
        try:
            return conduct(campaign, ledger, redactor=redactor, display=display, cancellation=cancellation)
        except LedgerBusy as problem:
            if not cancellation.is_urgent:
                raise
            # The second interrupt ended the wait for a lock that another process holds.
            display.note(str(problem))
            raise KeyboardInterrupt from problem


@contextlib.contextmanager
def _ending_on_signals(cancellation: Cancellation, display: Display) -> Iterator[None]:
    """The first SIGINT, SIGTERM or SIGHUP ends the runs under way, and records them, before the program ends.

    A second one kills them at once. Both are told as they come.
    """
    # A signal may come while somebody prints: the handler passes on what it has to say, and a thread says it.
    told: SimpleQueue[str | None] = SimpleQueue()

    def end(number: int, _: FrameType | None) -> None:
        if not cancellation.requested:
            told.put(_INTERRUPTING)
        elif not cancellation.is_urgent:
            told.put("killing what still runs")
        cancellation.request()

    def tell() -> None:
        while (text := told.get()) is not None:
            display.note(text)

    teller = threading.Thread(target=tell, name="signals", daemon=True)
    teller.start()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)  # Under nohup it means nothing: the campaign outlives its terminal.
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        told.put(None)
        teller.join()
    if cancellation.requested:
        display.note("interrupted: what was running is recorded as failed; the same command goes on from here")


def _tell(result: Result, campaign: Campaign, ledger: Ledger, asked: Asked) -> None:
    from .summary import report, write_step_summary

    if not asked.as_json and not asked.quiet:
        report(result, ledger.look(lambda history: repetitions_of(history, campaign.plan)))
    file = os.environ.get(SUMMARY_VARIABLE)
    if file and os.environ.get("GITHUB_ACTIONS") == "true":
        try:
            write_step_summary(Path(file), result)
        except OSError as problem:
            note(f"{SUMMARY_VARIABLE} {file} cannot be written: {problem.strerror}")
