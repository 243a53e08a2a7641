"""`registration`: what became of registered plans, and how they are amended."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import click

from ...adapters.discovery import discover
from ...ledger.identity import utc_now
from ...ledger.registrations import Registration
from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...orchestrator.planning.registration_file import differences, load_plan_file, registered
from ...orchestrator.recording import corrections
from ...orchestrator.recording.registrations import amend as record_amendment
from ...projections.render.text import format_score
from ...projections.scores.registered import Status, Tested
from ...projections.scores.samples import sample_reader
from ...projections.sqlite.following import read_registrations
from ...projections.sqlite.registrations import registrations_beginning_with, status_in
from ..context import Place, as_of_option, in_place, json_option, print_json
from ..correcting import author_option, report
from ..group import Group
from ..printing import print_facts, print_table


@click.group(cls=Group)
def command() -> None:
    """Show registered plans and what became of them; amend one."""


@command.command("list")
@json_option
@in_place
def list_plans(place: Place, as_json: bool) -> None:
    """List the registered plans, in the order of their registration."""
    with place.history() as history:
        plans = list(read_registrations(history))
    if as_json:
        print_json({"registrations": [_summary(one) for one in plans]})
        return
    if plans:
        rows = [[one.id, one.at[:19], str(len(one.amendments)), one.first.hypothesis] for one in plans]
        print_table(["registration", "registered at", "amendments", "hypothesis"], rows)
    print(f"{len(plans)} registered")


def _summary(one: Registration) -> dict[str, object]:
    return {
        "registration_id": one.id,
        "registered_at": one.at,
        "author": one.first.author,
        "hypothesis": one.first.hypothesis,
        "amendments": len(one.amendments),
    }


@command.command()
@click.argument("name", metavar="ID")
@as_of_option("Show what was known then: a time, or a position in the ledger.")
@json_option
@in_place
def show(place: Place, name: str, as_of: str | None, as_json: bool) -> None:
    """Show what became of the plan ID: its runs, every deviation from it, and the verdict of the registered test.

    Every run of the registered work counts, whether or not it names the plan. The verdict uses the first success of
    each planned repetition. A result is confirmatory if the plan was carried out as registered, else exploratory.
    """
    with place.history(as_of) as history:
        one = _find(history, name)
        last = history.execute("SELECT at FROM projection_state").fetchone()
        now = str(last[0]) if as_of is not None and last else utc_now()
        status = status_in(history, one, sample_reader(place.workspace), now=now)
    if as_json:
        print_json(status)
    else:
        _print(status)


@command.command()
@click.argument("name", metavar="ID")
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@click.option("--reason", required=True, help="Why the plan changes.")
@author_option
@json_option
@in_place
def amend(place: Place, name: str, plan_file: Path, reason: str, author: str | None, as_json: bool) -> None:
    """Change the plan ID to the one in the file PLAN. The change is an event, and the first plan stays visible.

    An amendment after runs of the plan have ended makes its result exploratory.
    """
    with place.history() as history:
        one = _find(history, name)
    found = discover(place.workspace.root)
    by = author or corrections.default_author(place.workspace.root)
    new = registered(load_plan_file(plan_file), found.adapters, author=by, environ=os.environ, broken=found.broken)
    changes = differences(one.plan, new)
    store = place.store()
    record = record_amendment(place.ledger(store)[0], one.id, changes, author=by, reason=reason)
    report(place, store, record, f"amended {one.id}: {', '.join(sorted(changes))}, by {by}", as_json=as_json)


def _find(history: sqlite3.Connection, name: str) -> Registration:
    """The registered plan that a name means, also by the beginning of its id. Raises UsageError."""
    found = registrations_beginning_with(history, name)
    if len(found) > 1:
        raise UsageError(f"several plans begin with '{name}', such as {found[0]}", "give more of the id")
    plans = {one.id: one for one in read_registrations(history)}
    if not found:
        hint = did_you_mean(name, plans, "benchmarks registration list lists the plans")
        raise UsageError(f"no plan is registered as '{name}'", hint)
    return plans[found[0]]


_STANDINGS = {
    "open": "open: the runs of the plan have not all succeeded yet",
    "confirmatory": "confirmatory: carried out as registered",
    "exploratory": "exploratory: a deviation may have moved the result",
}
_OUTCOMES = {"open": "not tested yet", "supported": "supported", "not_supported": "not supported"}


def _print(status: Status) -> None:
    plan = status.plan
    print_facts(
        {
            "registration": status.registration_id,
            "registered": f"{status.registered_at[:19]} by {plan.author}",
            "hypothesis": plan.hypothesis,
            "test": f"{plan.test.contender} {plan.test.kind} {plan.test.baseline}, p < {plan.threshold:g}"
            + (f", margin {plan.test.margin:g}" if plan.test.margin is not None else ""),
            "stopping rule": plan.stopping_rule,
            "state": status.state.replace("_", " "),
            "standing": _STANDINGS[status.standing],
            "verdict": _OUTCOMES[status.outcome],
        }
    )
    print()
    has_seeds = bool(plan.seeds)
    print_table(
        ["benchmark", *(["seed"] if has_seeds else []), "contender", "done", "attempts", "failed", "score"],
        [
            [
                cell.benchmark_id,
                *([str(cell.seed)] if has_seeds else []),
                cell.contender,
                f"{len(cell.counted)} of {cell.planned}",
                str(cell.attempts),
                _failures(cell.own_failures, cell.infrastructure_failures),
                format_score(cell.score.mean) if cell.score else "",
            ]
            for cell in status.cells
        ],
    )
    for one in status.deviations:
        print(f"{'deviation' if one.matters else 'note'}: {one.text}")
    for test in status.tests:
        print(_tested(test))


def _failures(own: int, infrastructure: int) -> str:
    return f"{own + infrastructure} ({infrastructure} infrastructure)" if infrastructure else str(own)


def _tested(one: Tested) -> str:
    found = one.contrast
    interval = "" if found.low is None or found.high is None else f" [{found.low:+.3f}, {found.high:+.3f}]"
    p_value = "unknown noise" if one.adjusted_p is None else f"p = {one.adjusted_p:.3g}"
    method = f", {found.method}" if found.method else ""
    return f"{one.benchmark_id}: {found.delta:+.3f}{interval}, {p_value}{method}: {'passes' if one.passes else 'fails'}"
