"""What the commands for corrections share: their author, the run that is meant, and the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..ledger.events import Record
from ..ledger.store import EventStore
from ..ledger.suggestions import did_you_mean
from ..orchestrator.errors import UsageError
from ..orchestrator.recording.corrections import default_author
from ..projections.sqlite.refresh import update_all
from .context import Place, in_place, json_option, note, print_json

Command = TypeVar("Command", bound=Callable[..., Any])


def author_option(command: Command) -> Command:
    """Add `--author`."""
    return click.option("--author", help="Your name (default: the user of git, else of the system).")(command)


def of_a_run(command: Command) -> Any:
    """Add what every correction of a run takes: its id, `--author`, `--json` and the place."""
    return click.argument("run_id")(author_option(json_option(in_place(command))))


def find_run_id(place: Place, name: str) -> str:
    """The id of the run that a name means, the beginning of an id too. Raises UsageError with the nearest ids."""
    with place.catalogue(frozenset()) as catalogue:
        found = catalogue.runs_beginning_with(name, 2)
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"several runs begin with '{name}', such as {found[0]}", "give more of the id")
        hint = did_you_mean(name, catalogue.ids(), "benchmarks show-runs lists the runs")
    raise UsageError(f"the ledger has no run '{name}'", hint)


def correct(
    place: Place,
    name: str,
    append: Callable[..., Record],
    done: str,
    author: str | None,
    *,
    as_json: bool,
    **values: object,
) -> None:
    """Append a correction of the run that a name means, and print it.

    `append` is a function of `ledger.corrections`, which takes `values`; `done` says what was done to the run.
    """
    found = find_run_id(place, name)
    store = place.store()
    by = author or default_author(place.workspace.root)
    record = append(place.ledger(store)[0], found, author=by, **values)
    report(place, store, record, f"{found}: {done} by {by}", as_json=as_json)


def report(place: Place, store: EventStore, record: Record, text: str, *, as_json: bool) -> None:
    """Bring the projections up to the correction, and print it."""
    update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    if as_json:
        print_json({"seq": record.seq, "run_id": record.stream, record.type: record.data})
    else:
        print(f"{text} (event {record.seq})")
