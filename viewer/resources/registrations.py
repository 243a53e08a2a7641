"""`/api/registrations`: registered plans and what became of them, and published tables with theirs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import falcon
import msgspec

from ...ledger.identity import utc_now
from ...ledger.registrations import Registration
from ...projections.published.document import publications
from ...projections.scores.registered import Status, status_of
from ...projections.scores.samples import sample_reader
from ...projections.sqlite.following import read_registrations
from ...projections.sqlite.registrations import status_in
from ...projections.sqlite.reproductions import reproductions_of
from ..api.parameters import AS_OF, Form
from ..api.site import Site
from ..index.archive import Head
from ..index.row import RunRow


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A registered plan in a list; `runs` counts those that name it."""

    registration_id: str
    registered_at: str
    author: str
    hypothesis: str
    amendments: int
    runs: int


class PublishedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a published table, and what became of the runs behind it.

    `retracted` counts those that are retracted, `reproduced` the runs that repeated one of them as a check.
    """

    name: str
    version: int
    title: str
    published_at: str
    author: str
    rows: int
    registration_id: str | None
    retracted: int
    reproduced: int


class RegistrationList(msgspec.Struct, frozen=True):
    """Plans and tables, the newest first."""

    registrations: list[Plan]
    tables: list[PublishedTable]
    head: Head


class RegistrationAnswer(msgspec.Struct, frozen=True):
    """What became of a plan, as `registration show --json` says it, and its amendments with their reasons."""

    status: Status
    author: str
    amended: list[AmendedPlan]
    head: Head


class AmendedPlan(msgspec.Struct, frozen=True):
    """An amendment: when, by whom, why, and the names of the changed fields."""

    at: str
    author: str
    reason: str
    fields: list[str]


class Registrations:
    """All registered plans and published tables."""

    about = "Registered plans, and published tables with what became of their runs"
    parameters = Form(AS_OF)
    answer = RegistrationList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The newest first."""
        asked = self.parameters.read(req)
        self._site.answer_slowly(req, resp, asked["as_of"], self._list)

    on_head = on_get

    def _list(self, rows: Sequence[RunRow], head: Head) -> RegistrationList:
        with self._site.archive.database() as connection:
            plans = [_plan(one, rows) for one in _plans(connection, head.position)]
            return RegistrationList(plans[::-1], _tables(connection, rows, head.position)[::-1], head)


class OneRegistration:
    """One registered plan."""

    about = "What became of a registered plan: its runs, every deviation from it, and the verdict of its test"
    parameters = Form(AS_OF)
    answer = RegistrationAnswer

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, registration_id: str) -> None:
        """The plan with this id. Its deadline may pass without an event, so an answer holds for a minute at most."""
        as_of = self.parameters.read(req)["as_of"]

        def build(rows: list[RunRow], head: Head) -> RegistrationAnswer:
            return self._answer(registration_id, rows, head, as_of)

        self._site.answer_in_two(req, resp, as_of, lambda view: list(view.table.rows), build, lambda: [utc_now()[:16]])

    on_head = on_get

    def _answer(self, registration_id: str, rows: list[RunRow], head: Head, as_of: str | None) -> RegistrationAnswer:
        archive = self._site.archive
        read_samples = sample_reader(archive.workspace)
        with archive.database() as connection:
            found = [one for one in _plans(connection, head.position) if one.id == registration_id]
            if not found:
                raise falcon.HTTPNotFound(
                    title="no such plan", description=f"the ledger has no registered plan '{registration_id}'"
                )
            [plan] = found
            if as_of is None:
                status = status_in(connection, plan, read_samples, now=utc_now())
        if as_of is not None:
            works = {(task.id, task.comparison_key) for version in plan.versions for task in version.benchmarks}
            ids = [row.run_id for row in rows if (row.benchmark_id, row.options_key) in works]
            runs = [run for one in ids if (run := archive.find_run(one, as_of)) is not None]
            status = status_of(plan, runs, read_samples, now=head.at)
        amended = [AmendedPlan(one.at, one.author, one.reason, sorted(one.changes)) for one in plan.amendments]
        return RegistrationAnswer(status, plan.first.author, amended, head)


def _plans(connection: sqlite3.Connection, position: int) -> Iterable[Registration]:
    """The plans as they were after that event."""
    for one in read_registrations(connection):
        if one.seq <= position:
            known = [amendment for amendment in one.amendments if amendment.seq <= position]
            yield msgspec.structs.replace(one, amendments=known, plan=one.versions[len(known)])


def _plan(one: Registration, rows: Sequence[RunRow]) -> Plan:
    return Plan(
        registration_id=one.id,
        registered_at=one.at,
        author=one.first.author,
        hypothesis=one.plan.hypothesis,
        amendments=len(one.amendments),
        runs=sum(row.registration == one.id for row in rows),
    )


def _tables(connection: sqlite3.Connection, rows: Sequence[RunRow], position: int) -> list[PublishedTable]:
    retracted = {row.run_id for row in rows if row.retracted is not None}
    tables = []
    for one in publications(connection):
        if one.seq > position:
            continue
        event = one.event
        ids = [run.run_id for row in event.rows for run in row.runs]
        checks = reproductions_of(connection, ids)
        tables.append(
            PublishedTable(
                name=event.name,
                version=event.version,
                title=str(event.rules.get("title") or ""),
                published_at=one.at,
                author=event.author,
                rows=len(event.rows),
                registration_id=str(event.registration["id"]) if event.registration else None,
                retracted=sum(run_id in retracted for run_id in ids),
                reproduced=sum(check.seq <= position and check.run_id not in retracted for check in checks),
            )
        )
    return tables
