"""`run`: the options of a campaign, its signals, and its output."""

from __future__ import annotations

import contextlib
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
from ....orchestrator.executors.names import LOCAL, NAMES
from ....orchestrator.models.local_model import EMBEDDED
from ....orchestrator.models.prices import FILE_NAME
from ....orchestrator.models.targets import DEFAULT_MODEL
from ....orchestrator.order import DEFAULT_PROVIDER, Order
from ....orchestrator.planning.campaign_file import load_campaign_file
from ....orchestrator.running.conducting import Result
from ....orchestrator.running.display import Display
from ....orchestrator.running.execution import GRACE_SECONDS, Cancellation
from ....orchestrator.running.retries import MAX_DELAY_SECONDS
from ....orchestrator.service import Session, perform, prepare, refresh_projections
from ...context import Place, in_place, note
from ...display import open_display
from ...many_values import taking_many
from ...notification import Notifier
from ...ranges import Number, Whole
from ...streams import discard, emit

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_INTERRUPTING = (
    f"interrupting: runs in progress are ended, and killed after {GRACE_SECONDS:g} s\n"
    "hint: interrupt again to kill them now"
)


SECONDS = AMOUNT = Number(min=0, min_open=True)
RETRY_SECONDS = Number(min=0, min_open=True, max=MAX_DELAY_SECONDS)


def _load_campaign(ctx: click.Context, _: click.Parameter, value: str | None) -> Any:
    """Read the file of --campaign; its values for other options become their defaults."""
    if value is None:
        return None
    loaded = load_campaign_file(Path(value))
    ctx.default_map = loaded.file.run.defaults()
    return loaded


@click.command(cls=taking_many("--benchmarks", "--agents", "--harnesses"))
@click.option("--benchmarks", multiple=True, metavar="ID...", help="Run these benchmarks (spaces or commas between).")
@click.option("--all", "everything", is_flag=True, help="Run every benchmark.")
@click.option(
    "--campaign", metavar="FILE", is_eager=True, callback=_load_campaign, help="Run the matrix of a TOML file."
)
@click.option("--agent", metavar="LABEL", help="Run this agent (default: each benchmark's own).")
@click.option(
    "--agents",
    "--harnesses",
    "agents",
    multiple=True,
    metavar="LABEL...",
    help="Run these agents, one after the other.",
)
@click.option(
    "--all-agents", "--all-harnesses", "every_agent", is_flag=True, help="Run every agent that a benchmark names."
)
@click.option("--provider", help=f"Use this provider; see: benchmarks providers.  [default: {DEFAULT_PROVIDER}]")
@click.option("--base-url", metavar="URL", help="Use this address instead of the provider's public one.")
@click.option(
    "--model",
    help=f"Use this model, or a .gguf file with --provider local.  [default: {DEFAULT_MODEL}; local: {EMBEDDED}]",
)
@click.option("--extra", default="{}", metavar="JSON", help="Set options of benchmarks; per_benchmark sets them by id.")
@click.option("--rerun-failed", is_flag=True, help="Also run what failed last time, despite an earlier success.")
@click.option("--force", is_flag=True, help="Run even if a success is recorded.")
@click.option("--rerun-changed", is_flag=True, help="Also run what succeeded with another revision of its benchmark.")
@click.option("--again", metavar="RUN_ID", help="Repeat this run as it was: its benchmark, agent, model and options.")
@click.option(
    "--jobs", metavar="N", type=Whole(1, 10_000), help="Number of parallel runs.  [default: 1; on a cluster: what fits]"
)
@click.option(
    "--executor",
    metavar="NAME",
    default=LOCAL,
    show_default=True,
    help=f"Where the runs are performed: {', '.join(NAMES)}.",
)
@click.option(
    "--ray-address",
    metavar="HOST:PORT",
    help="Address of the Ray cluster (default: RAY_ADDRESS, or the cluster on this machine).",
)
@click.option(
    "--repeats",
    metavar="N",
    type=Whole(1, 10_000),
    default=1,
    show_default=True,
    help="Number of repetitions.",
)
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="End a run after this time; overrides its manifest.")
@click.option("--stall", type=SECONDS, metavar="SECONDS", help="End a run after this time without output or progress.")
@click.option(
    "--retries",
    metavar="N",
    type=Whole(0, 100),
    default=0,
    show_default=True,
    help="Maximum number of retries.",
)
@click.option(
    "--retry-delay",
    metavar="SECONDS",
    type=RETRY_SECONDS,
    default=2.0,
    show_default=True,
    help="Pause before the first retry.",
)
@click.option("--max-cost", type=AMOUNT, metavar="USD", help="Stop starting runs after this many US dollars.")
@click.option("--max-tokens", type=Whole(1, 10**15), metavar="N", help="Stop starting runs after this many tokens.")
@click.option("--max-minutes", type=AMOUNT, metavar="N", help="Stop starting runs after this many minutes.")
@click.option(
    "--prices", metavar="FILE", help=f"Read prices of models from FILE (default: {FILE_NAME} of the workspace)."
)
@click.option(
    "--artifacts",
    metavar="URL",
    help="Copy logs and files of runs to this store, such as s3://bucket/runs; an empty URL copies none.",
)
@click.option("--notify", metavar="URL", help="Post the end of each run to this URL as a CloudEvent.")
@click.option("--dry-run", is_flag=True, help="Show what would run, with expected time and cost; run nothing.")
@click.option("--quiet", is_flag=True, help="Print failures only.")
@click.option("--explain", "explained", is_flag=True, help="Print why each benchmark is run or skipped.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as it is recorded, one on each line.")
@in_place
def command(place: Place, **options: Any) -> int:
    """Run benchmarks. Skip each for which the ledger holds a success of the same work.

    The same work means the same benchmark, agent, provider, model and effective options. Exit code 1 if a run failed.
    """
    output = Output(**{name: options.pop(name) for name in Output.__struct_fields__})
    order = Order(**options)
    order.check()
    display = open_display(is_quiet=output.quiet, environ=os.environ)
    with contextlib.closing(display):
        finished = _run(place, order, output, display)
    if finished is None:
        return 0
    session, result = finished
    refresh_projections(place, session.ledger.store, note=note)
    try:
        _print_result(result, session, output)
        sys.stdout.flush()
    except OSError:
        discard(sys.stdout)  # The reader closed the pipe; the exit code still says how it went.
    if result.interrupted:
        return 130
    return 1 if result.counts.failed or result.cancelled else 0


class Output(msgspec.Struct, frozen=True):
    """The options of `run` that control its output."""

    notify: str | None
    dry_run: bool
    quiet: bool
    as_json: bool


def _run(place: Place, order: Order, output: Output, display: Display) -> tuple[Session, Result] | None:
    """The session and the result of its campaign; None after --dry-run."""
    store = place.store()
    with contextlib.ExitStack() as stack:
        on_append = _on_append(output, store, display, stack)
        session = prepare(place, order, store=store, on_append=on_append, environ=os.environ, note=display.note)
        if output.dry_run:
            from .preview import preview, show

            show(preview(session.ledger, session.plan, session.rules, session.prices), as_json=output.as_json)
            return None
        return session, _conduct(session, display)


def _on_append(
    output: Output, store: EventStore, display: Display, stack: contextlib.ExitStack
) -> Callable[[list[Record]], None]:
    """A function to call with the records of each append; `stack` closes what it uses."""
    listeners: list[Callable[[list[Record]], None]] = []
    if output.as_json:
        listeners.append(_event_printer(display))
    if output.notify is not None:

        def source() -> str:
            first = next(store.read(), None)
            return origin_of(first.hash if first else GENESIS)

        notifier = Notifier(output.notify, source=source, complain=display.note)
        listeners.append(stack.enter_context(contextlib.closing(notifier)).tell)

    def notify_all(records: list[Record]) -> None:
        for listener in listeners:
            listener(records)

    return notify_all


def _event_printer(display: Display) -> Callable[[list[Record]], None]:
    """Prints events on stdout. If the reader closes the pipe, the campaign goes on without it."""
    is_open = True

    def print_events(records: list[Record]) -> None:
        nonlocal is_open
        if not is_open:
            return
        try:
            # One write: the events of several jobs come from several threads.
            emit("".join(f"{line_of(record).decode()}\n" for record in records))
            sys.stdout.flush()
        except OSError as problem:
            is_open = False
            discard(sys.stdout)
            display.note(f"no more events are printed: {problem.strerror}")

    return print_events


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
    """The first SIGINT, SIGTERM or SIGHUP ends the runs in progress, and records them, before the program ends.

    A second one kills them at once. Both print a note.
    """
    # A signal may arrive while another thread prints: the handler only queues the note, and a thread prints it.
    notes: SimpleQueue[str | None] = SimpleQueue()

    def end(number: int, _: FrameType | None) -> None:
        if not cancellation.requested:
            notes.put(_INTERRUPTING)
        elif not cancellation.is_urgent:
            notes.put("killing the runs in progress")
        cancellation.request()

    def print_notes() -> None:
        while (text := notes.get()) is not None:
            display.note(text)

    printer = threading.Thread(target=print_notes, name="signals", daemon=True)
    printer.start()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)  # Under nohup it is ignored: the campaign outlives its terminal.
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        notes.put(None)
        printer.join()
    if cancellation.requested:
        display.note(
            "interrupted: the runs in progress are recorded as failed\nhint: the same command continues from here"
        )


def _print_result(result: Result, session: Session, output: Output) -> None:
    from ....orchestrator.planning.repetitions import repetitions_of
    from .summary import report, write_step_summary

    if not output.as_json and not output.quiet:
        report(result, session.ledger.look(lambda history: repetitions_of(history, session.plan)))
    file = os.environ.get(SUMMARY_VARIABLE)
    if file and os.environ.get("GITHUB_ACTIONS") == "true":
        try:
            write_step_summary(Path(file), result)
        except OSError as problem:
            note(f"{SUMMARY_VARIABLE} {file} cannot be written: {problem.strerror}")
