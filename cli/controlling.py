"""What `cancel`, `pause` and `resume` share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import click

from ..adapters.discovery import discover
from ..ledger.events import Record
from ..ledger.fold import Group, Run
from ..ledger.history import History
from ..ledger.identity import liveness
from ..ledger.ledger import Ledger
from ..orchestrator.models.prices import own_prices
from ..orchestrator.recording import corrections
from ..orchestrator.service import recover_runs
from ..projections.sqlite.refresh import update_all
from .context import Place, in_place, json_option, note, print_json
from .correcting import author_option

Command = TypeVar("Command", bound=Callable[..., Any])


def request_for(metavar: str) -> Callable[[Command], Any]:
    """Add what every request takes: an id (`metavar` in the help), `--reason`, `--author`, `--json` and the place."""

    def add(command: Command) -> Any:
        reason = click.option("--reason", default="", help="Why; it is recorded.")
        return click.argument("name", metavar=metavar)(reason(author_option(json_option(in_place(command)))))

    return add


class Ask(Protocol):
    """Appends a request for a run or a group."""

    def __call__(self, ledger: Ledger, name: str, *, author: str, reason: str) -> Record:
        """The record of the request."""
        ...


def ask(place: Place, ask: Ask, name: str, author: str | None, reason: str, *, as_json: bool, done: str) -> None:
    """Append the request, close what no process is left to obey it for, and print the outcome.

    `done` says what the id that is printed was made.
    """
    store = place.store()
    ledger, _ = place.ledger(store)
    by = author or corrections.default_author(place.workspace.root)
    record = ask(ledger, name, author=by, reason=reason)
    closed = _close_if_dead(place, ledger, record.stream)
    update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    if as_json:
        print_json({"seq": record.seq, "id": record.stream, record.type: record.data, "closed": closed})
        return
    print(f"{record.stream}: {done} (event {record.seq})")
    for one in closed:
        print(f"{one}: its process is gone, so it was closed here")
    if not closed and (hint := ledger.look(lambda history: _unknown(history, record.stream))):
        note(hint)


def _close_if_dead(place: Place, ledger: Ledger, name: str) -> list[str]:
    """Recover what belongs to a run or a group if its process is provably gone. Returns the ids of what was closed."""
    owned = ledger.look(lambda history: _owned(history, name))
    if not any(liveness(one.owner, _seen(one)) == "dead" for one in owned):
        return []
    ids = {one.run_id for one in owned if isinstance(one, Run)}
    prices = own_prices(place.workspace.root, None, os.environ)

    def is_lost(run: Run) -> bool:
        return run.run_id in ids and liveness(run.owner, run.last_seen_at) == "dead"

    recover_runs(place, ledger, is_lost, discover(place.workspace.root).adapters, prices)
    still = {_id(one) for one in ledger.look(lambda history: _owned(history, name))}
    return sorted({_id(one) for one in owned} - still)


def _owned(history: History, name: str) -> list[Run | Group]:
    """The open runs and the open group that a request is about."""
    runs: list[Run | Group] = [run for run in history.open_runs() if name in (run.run_id, run.run_group_id)]
    return [*runs, *(group for group in history.open_groups() if group.run_group_id == name)]


def _unknown(history: History, name: str) -> str:
    """A note if it cannot be seen from here that a process obeys; otherwise empty."""
    owners = [one.owner for one in _owned(history, name) if liveness(one.owner, _seen(one)) == "unknown"]
    hosts = ", ".join(sorted({owner.host for owner in owners if owner}))
    if not hosts:
        return ""
    return (
        f"its process on {hosts} cannot be seen from here; if it is alive, it obeys within seconds\n"
        "hint: benchmarks status shows it; benchmarks recover-stale-runs closes what gives no sign of life"
    )


def _seen(one: Run | Group) -> str:
    return one.last_seen_at if isinstance(one, Run) else one.created_at


def _id(one: Run | Group) -> str:
    return one.run_id if isinstance(one, Run) else one.run_group_id
