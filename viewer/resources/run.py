"""`/api/runs/{run_id}`: everything about a run, and its events with the proof of their chain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import falcon
import msgspec

from ...ledger.fold import Run
from ...ledger.storage.chain import GENESIS, BadLine, check
from ...ledger.storage.codec import decode
from ...ledger.store import EventReader
from ...projections.scores.served import served_before
from ...projections.scores.uncertainty import uncertainty
from ...projections.sqlite.database import read_groups
from ...projections.sqlite.rows import event_row, run_row
from ..api.answers import answer
from ..api.parameters import AS_OF, Form
from ..api.run_files import log_size
from ..api.site import Site
from ..index.archive import Head, View
from ..index.row import RunRow


class Standing(msgspec.Struct, frozen=True):
    """A run beside the others of its task, when it ended; and how sure its score is (`scores.uncertainty`)."""

    best_so_far: float | None
    previous_best: float | None
    delta_to_best: float | None
    is_record: bool
    cost_usd: float | None
    stderr: float | None = None
    low: float | None = None
    high: float | None = None


class Attempt(msgspec.Struct, frozen=True):
    """Another run of the same signature."""

    run_id: str
    attempt: int
    status: str
    score: float | None
    stderr: float | None
    reason: str | None
    started_at: str


class GroupOfRun(msgspec.Struct, frozen=True):
    """The group that a run belongs to."""

    run_group_id: str
    created_at: str
    finished_at: str | None
    runs: int


class LogSizes(msgspec.Struct, frozen=True):
    """The bytes of the output; None if the file does not exist."""

    stdout: int | None
    stderr: int | None


class AboutRun(msgspec.Struct, frozen=True):
    """A run: all its columns, as in `viewer_data.json`, and its context.

    `served_before` is what answered under the model's name in the last earlier run, if that was something else.
    """

    run: dict[str, Any]
    standing: Standing
    stale: bool
    attempts: list[Attempt]
    logs: LogSizes
    group: GroupOfRun | None
    served_before: str | None
    head: Head


class OneRun:
    """Everything about a run."""

    about = "Everything about a run"
    parameters = Form(AS_OF)
    answer = AboutRun

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """The row of the run, whether it is stale, and the other runs of its signature."""
        as_of = self.parameters.read(req)["as_of"]
        run = find_run(self._site, run_id, as_of)
        folder = self._site.archive.folder(run)
        elsewhere = self._site.archive.workspace.elsewhere
        logs = LogSizes(*(log_size(folder, name, elsewhere) for name in ("stdout.log", "stderr.log")))
        self._site.answer(
            req,
            resp,
            as_of,
            lambda view: self._about(run, logs, view),
            lambda view: [str(run_id in view.stale), str(logs)],
        )

    on_head = on_get

    def _about(self, run: Run, logs: LogSizes, view: View) -> AboutRun:
        row = view.table.find(run.run_id)
        assert row is not None  # noqa: S101 - for the type checker: a run that was found stays
        with self._site.archive.database() as connection:
            query = "SELECT run_id FROM benchmark_runs WHERE signature = ? AND run_id <> ? ORDER BY rowid"
            same = connection.execute(query, (run.signature, run.run_id)).fetchall() if run.signature else []
            before = served_before(connection, run.provider, run.model, run.run_id)
            group = next(read_groups(connection, "WHERE run_group_id = ?", (run.run_group_id,)), None)
        others = [other for (run_id,) in same if (other := view.table.find(run_id))]
        in_group = view.table.names("group").flags([run.run_group_id]).count(1)
        closed = group.finished_at if group and (group.finished_at or "") <= view.head.at else None
        return AboutRun(
            run=run_row(run),
            standing=_standing(row),
            stale=run.run_id in view.stale,
            attempts=[Attempt(*(getattr(other, name) for name in Attempt.__struct_fields__)) for other in others],
            logs=logs,
            group=GroupOfRun(group.run_group_id, group.created_at, closed, in_group) if group else None,
            served_before=before,
            head=view.head,
        )


def _standing(row: RunRow) -> Standing:
    found = uncertainty([row]) if row.score is not None else None
    return Standing(
        best_so_far=row.best_so_far,
        previous_best=row.previous_best,
        delta_to_best=row.delta_to_best,
        is_record=row.is_record,
        cost_usd=row.cost_usd,
        stderr=found.stderr if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
    )


class EventList(msgspec.Struct, frozen=True):
    """The events of a run as the ledger has them, each with `chain_verified`; and whether all are verified."""

    events: list[dict[str, Any]]
    chain_verified: bool
    head: Head


class Events:
    """The events of a run, each with the proof that it is unchanged in the chain."""

    about = "The events of a run, each with the proof of its chain"
    parameters = Form(AS_OF)
    answer = EventList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """`chain_verified`: the line's hash was computed again, and the line follows the one before it."""
        # No ETag: a kept answer does not prove anything.
        as_of = self.parameters.read(req)["as_of"]
        lines, head = lines_as_of(self._site, run_id, as_of)
        events = [
            {**event_row(decode(line)), "chain_verified": _holds(line, seq, before)} for seq, line, before in lines
        ]
        answer(req, resp, EventList(events, all(event["chain_verified"] for event in events), head))

    on_head = on_get


Placed = tuple[int, bytes, bytes | None]
"""The position of an event, its line, and the line before it; None before the first event of the ledger."""


def lines_as_of(site: Site, run_id: str, as_of: str | None) -> tuple[Iterator[Placed], Head]:
    """The events of a run until a moment, and the head of the ledger then. Raises HTTPNotFound."""
    with site.archive.look(as_of) as view:
        row, head = view.table.find(run_id), view.head
    if row is None:
        raise no_such_run(run_id)
    return _lines(site.archive.store, run_id, row.first_seq, min(row.last_seq, head.position)), head


def _lines(store: EventReader, run_id: str, first: int, last: int) -> Iterator[Placed]:
    """The events of a run among those of two positions. Only its own lines are decoded."""
    named = b'"stream":%b,' % msgspec.json.encode(run_id)
    before = None if first == 1 else b""
    for seq, line in enumerate(store.read_lines(after=max(0, first - 2)), max(1, first - 1)):
        if seq > last:
            return
        if seq >= first and named in line and decode(line).stream == run_id:
            yield seq, line, before
        before = line


def _holds(line: bytes, seq: int, before: bytes | None) -> bool:
    try:
        check(line, seq=seq, prev=GENESIS if before is None else decode(before).hash)
    except BadLine:
        return False
    return True


def find_run(site: Site, run_id: str, as_of: str | None = None) -> Run:
    """The run of that id. Raises HTTPNotFound."""
    run = site.archive.find_run(run_id, as_of)
    if run is None:
        raise no_such_run(run_id)
    return run


def no_such_run(run_id: str) -> falcon.HTTPNotFound:
    """The error for a run that the ledger does not have."""
    return falcon.HTTPNotFound(title="no such run", description=f"the ledger has no run '{run_id}'")
