"""Performs an order of `run` and returns its result, for the command line and for Python programs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

import msgspec

from ..adapters.adapter import Adapter
from ..adapters.discovery import WORKSPACE_FILE, discover, endpoint_limits
from ..adapters.manifest import Resources
from ..ledger.events import Record, Request
from ..ledger.fold import Run
from ..ledger.history import History
from ..ledger.ledger import Ledger
from ..ledger.storage.postgres_address import without_secrets
from ..ledger.store import EventStore
from ..projections.sqlite.keeping import ProjectionError
from ..projections.sqlite.refresh import update_all
from .errors import UsageError
from .executors.choice import executor_of
from .executors.names import LOCAL
from .location import Location
from .machine.capacity import UNRATIONED, Capacity, this_machine
from .models.concurrency import Concurrency, parse_concurrency
from .models.prices import FILE_NAME, Prices, own_prices
from .models.providers import NO_MODEL
from .order import Order
from .planning.again import find_original, repetition_of, the_same
from .planning.changes import find_changes
from .planning.claim import Rules
from .planning.naming import names_in, refuse_keys_in_names, secrets_of_plan
from .planning.plan import Cell, PlannedRun, make_plan
from .redaction import Redactor
from .running.campaign import Campaign
from .running.conducting import Result, conduct
from .running.copying import COPY_SECONDS, copy_run, first_store
from .running.display import Display, LogDisplay
from .running.execution import Cancellation
from .running.patience import Patience
from .running.provenance import repository
from .running.recovery import IsLost, lost_to, recover

Note = Callable[[str], None]
"""Shows one sentence to the user."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is ready to be performed: its plan, and everything that is needed for it."""

    place: Location
    order: Order
    ledger: Ledger
    redactor: Redactor
    adapters: dict[str, Adapter]
    request: Request
    plan: list[PlannedRun]
    capacity: Capacity | None
    rules: Rules
    prices: Prices
    environ: Mapping[str, str]
    concurrency: Concurrency


def prepare(
    place: Location,
    order: Order,
    *,
    environ: Mapping[str, str],
    note: Note,
    store: EventStore | None = None,
    on_append: Callable[[list[Record]], None] = lambda _: None,
) -> Session:
    """Make the plan of an order. Nothing is recorded yet. `on_append` is called with the records of each append.

    Raises UsageError and LedgerDamaged.
    """
    place = place.copying_to(order.artifacts)
    # A benchmark could print the password of the ledger, or use it.
    environ = without_secrets(environ, place.ledger_url)
    ledger, redactor = place.ledger(store, on_append=on_append)
    original = find_original(ledger, order.again) if order.again else None
    found = discover(place.workspace.root)
    for problem in found.problems:
        note(f"broken manifest: {problem}")
    cells = order.cells(original, found, environ, note)
    redactor.learn(identities=names_in(cells, place.workspace.root))
    refuse_keys_in_names(cells, place.workspace.root, redactor)
    capacity = _capacity_for(cells, environ) if order.executor == LOCAL else None
    plan = make_plan(
        cells,
        known=found.adapters,
        broken=found.broken,
        repeats=repetition_of(original) if original else order.repeats,
        environ=environ,
        capacity=capacity,
        hide=redactor.value,
        source=str(order.campaign.path) if order.campaign else "--extra",
    )
    redactor.learn(*secrets_of_plan(plan))
    if original:
        plan = [the_same(original, plan)]
    if order.reproduces:
        plan = [msgspec.structs.replace(planned, reproduces=order.reproduces) for planned in plan]
    prices = own_prices(place.workspace.root, order.prices, environ)
    rules = Rules(order.policy)
    if order.rerun_changed:
        rules = Rules(order.policy, find_changes(ledger, plan, repository(place.workspace.root)))
    if order.allowance.max_cost is not None:
        _refuse_unpriced(ledger.look(lambda history: _due(history, plan, rules)), prices)
    return Session(
        place=place,
        order=order,
        ledger=ledger,
        redactor=redactor,
        adapters=found.adapters,
        request=order.request(cells, plan),
        plan=plan,
        capacity=capacity,
        rules=rules,
        prices=prices,
        environ=dict(environ),
        concurrency=_concurrency(place, order),
    )


def perform(session: Session, *, display: Display, cancellation: Cancellation) -> Result:
    """Recover the runs that a dead orchestrator left open, then run the work of the plan that is due.

    Every transition is in the ledger when this returns or raises. Raises StoreRefused if files could not be copied to
    the store, before anything runs, and what `Ledger.decide` raises.
    """
    order = session.order
    _check_store(session)
    if ignored := session.redactor.ignored:
        display.note(
            f"not hidden: the value of {', '.join(ignored)}, because it is a plain word or a name in this campaign"
        )
    chosen = executor_of(order.executor, jobs=order.jobs, ray_address=order.ray_address)
    with contextlib.closing(chosen) as executor:
        executor.begin(session.place, session.ledger, session.plan)
        for run in recover_runs(
            session.place, session.ledger, lost_to(session.ledger), session.adapters, session.prices
        ):
            what = "its result was adopted" if run.status == "succeeded" else "it has failed"
            display.note(f"{run.run_id}: its orchestrator is gone; {what}")
        campaign = Campaign(
            workspace=session.place.workspace,
            request=session.request,
            plan=session.plan,
            rules=session.rules,
            environ=session.environ,
            capacity=session.capacity,
            explain=order.explained,
            limits=order.limits,
            retries=order.tries,
            prices=session.prices,
            allowance=order.allowance,
            concurrency=session.concurrency,
        )
        return conduct(
            campaign,
            session.ledger,
            executor,
            redactor=session.redactor,
            display=display,
            cancellation=cancellation,
        )


def conduct_here(place: Location, order: Order) -> Result:
    """Prepare and perform an order for a Python program, and bring the projections up to date.

    The campaign runs in its own thread, so that it ends in order after an interrupt: running benchmarks are recorded as
    failed, and KeyboardInterrupt is raised again. A second interrupt kills the benchmarks that still run.
    """
    display = LogDisplay()
    session = prepare(place, order, environ=os.environ, note=display.note)
    was_interrupted = False
    with contextlib.closing(Cancellation()) as cancellation, ThreadPoolExecutor(1, "campaign") as pool:
        session.ledger.give_up_if(lambda: cancellation.is_urgent)
        future = pool.submit(perform, session, display=display, cancellation=cancellation)
        while not future.done():
            try:
                wait([future])
            except KeyboardInterrupt:
                was_interrupted = True
                cancellation.request()
        result = future.result()
    refresh_projections(place, session.ledger.store, note=place.notice)
    if was_interrupted:
        raise KeyboardInterrupt
    return result


def recover_runs(
    place: Location, ledger: Ledger, is_lost: IsLost, adapters: Mapping[str, Adapter], prices: Prices
) -> list[Run]:
    """Close the lost runs of a place, and the groups whose owner is gone. Returns the recovered runs.

    Their files are copied to the place's store.
    """
    recovered = recover(ledger, is_lost, workspace=place.workspace, adapters=adapters, prices=prices)
    for run in ledger.detailed(recovered):
        if problem := copy_run(place.workspace, run, is_over=Patience(seconds=COPY_SECONDS).is_over):
            place.notice(f"{run.run_id}: {problem}")
    return recovered


def refresh_projections(place: Location, store: EventStore, *, note: Note) -> None:
    """Bring `orchestrator.sqlite` and `viewer_data.json` up to date.

    A failure is printed as a note, since the ledger already holds the data.
    """
    try:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    except (ProjectionError, OSError, sqlite3.Error) as problem:
        text = str(problem).rstrip(".")
        note(f"{text}. Every run is recorded\nhint: repair that, and then run benchmarks export-viewer-data")


def _capacity_for(cells: list[Cell], environ: Mapping[str, str]) -> Capacity:
    """This machine's capacity if a benchmark needs a part of it."""
    is_rationed = any(cell.adapter.manifest.resources != Resources() for cell in cells)
    return this_machine(environ) if is_rationed else UNRATIONED


def _concurrency(place: Location, order: Order) -> Concurrency:
    """The limits of calls in flight: those of the campaign file, then those of the workspace's. Raises UsageError."""
    file = parse_concurrency(endpoint_limits(place.workspace.root), str(place.workspace.root / WORKSPACE_FILE))
    if order.campaign is None:
        return file
    return parse_concurrency(order.campaign.file.endpoints, str(order.campaign.path)).over(file)


def _due(history: History, plan: list[PlannedRun], rules: Rules) -> list[PlannedRun]:
    """Work that may have to be run, including work that another process runs now, since that process may be dead."""
    due = []
    for planned in plan:
        if not planned.missing:
            verdict = rules.judge(history, planned)
            if verdict.run or verdict.reason == "running_elsewhere":
                due.append(planned)
    return due


def _check_store(session: Session) -> None:
    """Try the store before anything runs, unless all work is done. Raises StoreRefused."""
    store = first_store(session.place.workspace)
    if store and session.ledger.look(lambda history: _due(history, session.plan, session.rules)):
        store.check_writable()


def _refuse_unpriced(due: list[PlannedRun], prices: Prices) -> None:
    """Raises UsageError if a limit on the cost could not be enforced because a price is unknown."""
    unknown = dict.fromkeys(
        str(one.target) for one in due if one.provider != NO_MODEL and prices.find(one.provider, one.model) is None
    )
    if unknown:
        raise UsageError(
            f"--max-cost: the price of {', '.join(unknown)} is unknown\n"
            f"hint: give one in {FILE_NAME} of the workspace or with --prices (docs/campaigns.md shows how)"
        )
