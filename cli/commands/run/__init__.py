"""`run`: what a campaign is made of, from the command line."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any

import click
import msgspec

from ....ledger.errors import LedgerBusy
from ....ledger.events import Record
from ....ledger.storage.chain import GENESIS, origin_of
from ....ledger.storage.codec import line_of
from ....ledger.store import EventStore
from ....orchestrator.models.local_model import EMBEDDED
from ....orchestrator.models.prices import FILE_NAME
from ....orchestrator.models.targets import DEFAULT_MODEL
from ....orchestrator.order import DEFAULT_PROVIDER, Order
from ....orchestrator.planning.campaign_file import load_campaign_file
from ....orchestrator.planning.repetitions import repetitions_of
from ....orchestrator.running.conducting import Result
from ....orchestrator.running.display import Display
from ....orchestrator.running.execution import GRACE_SECONDS, Cancellation
from ....orchestrator.running.retries import LONGEST_SECONDS
from ....orchestrator.service import Session, perform, prepare, refresh_projections
from ...context import Place, in_place, note
from ...display import open_display
from ...notification import Notifier
from ...streams import discard, emit

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
@click.option("--repeats", type=click.IntRange(1, 10_000), default=1, show_default=True, help="So many of each.")
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
    shown = Shown(**{name: options.pop(name) for name in Shown.__struct_fields__})
    order = Order(**options)
    order.check()
    display = open_display(is_quiet=shown.quiet, environ=os.environ)
    with contextlib.closing(display):
        finished = _run(place, order, shown, display)
    if finished is None:
        return 0
    session, result = finished
    refresh_projections(place, session.ledger.store, note=note)
    try:
        _tell(result, session, shown)
        sys.stdout.flush()
    except OSError:
        discard(sys.stdout)  # Nobody reads the tables; the exit code tells all the same.
    if result.interrupted:
        return 130
    return 1 if result.counts.failed else 0


class Shown(msgspec.Struct, frozen=True):
    """The options of `run` that say what is shown, and where."""

    notify: str | None
    dry_run: bool
    quiet: bool
    as_json: bool


def _run(place: Place, order: Order, shown: Shown, display: Display) -> tuple[Session, Result] | None:
    """The session and how its campaign ended; None if it was only shown."""
    store = place.store()
    with contextlib.ExitStack() as stack:
        told = _teller(shown, store, display, stack)
        session = prepare(place, order, store=store, told=told, environ=os.environ, note=display.note)
        if shown.dry_run:
            from .preview import preview, show

            found = preview(session.ledger.history(), session.plan, session.rules, session.prices)
            show(found, as_json=shown.as_json)
            return None
        return session, _conduct(session, display)


def _teller(
    shown: Shown, store: EventStore, display: Display, stack: contextlib.ExitStack
) -> Callable[[list[Record]], None]:
    """What is called with the records of each append; `stack` ends it."""
    tellers: list[Callable[[list[Record]], None]] = []
    if shown.as_json:
        tellers.append(_event_printer(display))
    if shown.notify is not None:

        def source() -> str:
            first = next(store.read(), None)
            return origin_of(first.hash if first else GENESIS)

        notifier = Notifier(shown.notify, source=source, complain=display.note)
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
            emit("".join(f"{line_of(record).decode()}\n" for record in records))
            sys.stdout.flush()
        except OSError as problem:
            is_heard = False
            discard(sys.stdout)
            display.note(f"no further events are printed: {problem.strerror}")

    return tell


def _conduct(session: Session, display: Display) -> Result:
    cancellation = Cancellation()
    session.ledger.give_up_if(lambda: cancellation.is_urgent)
    with contextlib.closing(cancellation), _ending_on_signals(cancellation, display):
        try:
            return perform(session, display=display, cancellation=cancellation)
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


def _tell(result: Result, session: Session, shown: Shown) -> None:
    from .summary import report, write_step_summary

    if not shown.as_json and not shown.quiet:
        report(result, session.ledger.look(lambda history: repetitions_of(history, session.plan)))
    file = os.environ.get(SUMMARY_VARIABLE)
    if file and os.environ.get("GITHUB_ACTIONS") == "true":
        try:
            write_step_summary(Path(file), result)
        except OSError as problem:
            note(f"{SUMMARY_VARIABLE} {file} cannot be written: {problem.strerror}")
