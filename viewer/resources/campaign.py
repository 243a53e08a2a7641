"""`/api/campaigns/{id}`: a campaign with each cell of its matrix: progress, failures, spend, and what was not run."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Literal

import falcon
import msgspec

from ...ledger.events import GroupClosed, Incompatible, Json, Skipped
from ...ledger.fold import Group
from ...ledger.identity import parse_utc
from ...projections.scores.attempts import FAILURES, Attempts, count, ending
from ...projections.scores.counting import task_config
from ...projections.sqlite.database import read_groups
from ..api.parameters import AS_OF, Form
from ..api.site import Site
from ..index.archive import Head, View
from ..index.commands import retry_commands
from ..index.row import RunRow
from .campaigns import CampaignRow, CellKey, cell_of, newest_attempts, row_of_group, rows_of_group

State = Literal["succeeded", "failed", "running", "skipped", "incompatible"]


class CampaignCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of the matrix: a benchmark with options, for a contender. `why` explains what was not run, or failed.

    `run_ids` are its attempts in this campaign, the newest last; for a skipped cell, the run that made it needless.
    `options` are those of its runs; None if no run says. `attempts` count how they ended (None: it was not run), and
    `failures` their reasons. `cost_usd` is what all of them cost, as far as it is known, and `unpriced` counts those
    whose cost is not. From the score a person `excluded` that many samples.
    """

    benchmark_id: str
    options: Json | None
    agent: str
    provider: str
    model: str
    state: State
    run_ids: list[str]
    repeat: str = "1"
    score: float | None = None
    unit: str | None = None
    why: str = ""
    done: float | None = None
    total: float | None = None
    attempts: Attempts | None = None
    failures: dict[str, int] = {}
    cost_usd: float | None = None
    unpriced: int = 0
    excluded: int = 0


class CampaignFailures(msgspec.Struct, frozen=True, kw_only=True):
    """The attempts that failed for one reason, and what they took. `kind` says by whose fault (`scores.attempts`).

    `open_cells` counts the cells whose newest attempt is one of them. Seconds, and US dollars as far as they are known;
    `unpriced` counts the attempts whose cost is not.
    """

    reason: str
    kind: Literal["own", "infrastructure"]
    runs: int
    open_cells: int
    seconds: float
    cost_usd: float | None
    unpriced: int


class CampaignAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign. `attempts` count how its runs ended; `failures` are those that failed, most frequent reason first.

    `eta_seconds` is how long it may still take: by the progress of its running runs and the usual time of work that has
    not begun; None if nothing is known. `commands` run its failed cells again. `request` is what was asked for.
    """

    campaign: CampaignRow
    cells: list[CampaignCell]
    attempts: Attempts
    failures: list[CampaignFailures]
    eta_seconds: float | None
    commands: list[str]
    request: Json
    notes: list[str]
    first_at: str
    last_at: str
    head: Head


class OneCampaign:
    """A campaign."""

    about = "A campaign: each cell of its matrix, also those that were skipped or are incompatible, progress, spend"
    parameters = Form(AS_OF)
    answer = CampaignAnswer

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_group_id: str) -> None:
        """All its cells. Raises HTTPNotFound."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], lambda view: self._one(run_group_id, view))

    on_head = on_get

    def _one(self, run_group_id: str, view: View) -> CampaignAnswer:
        with self._site.archive.database() as connection:
            group = next(read_groups(connection, "WHERE run_group_id = ?", (run_group_id,)), None)
            corrected = "run_group_id = ? AND excluded_json <> '[]' AND last_seq <= ?"
            query = f"SELECT run_id, json_array_length(excluded_json) FROM benchmark_runs WHERE {corrected}"  # noqa: S608
            excluded = dict(connection.execute(query, (run_group_id, view.head.position)))
        if group is None or group.created_at > view.head.at:
            text = f"the ledger has no campaign '{run_group_id}'"
            raise falcon.HTTPNotFound(title="no such campaign", description=text)
        rows = rows_of_group(view.table, run_group_id)
        cells = _cells(group, rows, excluded)
        row = row_of_group(group, view)
        is_open = row.finished_at is None
        times = [one.ended_at or view.head.at for one in rows]
        return CampaignAnswer(
            campaign=row,
            cells=cells,
            attempts=_attempts(rows),
            failures=_failures(rows),
            eta_seconds=_eta(view, group, rows, cells, row.planned) if is_open else None,
            commands=retry_commands(one for one in newest_attempts(rows).values() if one.status == "failed"),
            request=msgspec.to_builtins(group.request),
            notes=[] if is_open else self._notes(group, rows),
            first_at=group.created_at,
            last_at=max([*times, row.finished_at or group.created_at]),
            head=view.head,
        )

    def _notes(self, group: Group, rows: Sequence[RunRow]) -> list[str]:
        """What the event that closed a group says about it."""
        after = rows[0].first_seq - 1 if rows else 0
        for record in self._site.archive.store.read(after=after, stream=group.run_group_id):
            if isinstance(record.data, GroupClosed):
                return list(record.data.notes)
        return []


def _cells(group: Group, rows: Sequence[RunRow], excluded: Mapping[str, int]) -> list[CampaignCell]:
    attempts: dict[CellKey, list[RunRow]] = defaultdict(list)
    for row in rows:
        attempts[cell_of(row)].append(row)
    cells = [_run_cell(key, some, excluded.get(some[-1].run_id, 0)) for key, some in attempts.items()]
    undone: list[Skipped | Incompatible] = [*group.skipped, *group.incompatible]
    cells += [_undone_cell(group, event) for event in undone]
    return sorted(cells, key=lambda cell: (cell.benchmark_id, str(cell.options), cell.model, cell.agent, cell.repeat))


def _attempts(rows: Sequence[RunRow]) -> Attempts:
    return count((ending(row), row.duration_seconds, row.cost_usd) for row in rows)


def _failures(rows: Sequence[RunRow]) -> list[CampaignFailures]:
    of: dict[tuple[str, Literal["own", "infrastructure"]], list[RunRow]] = defaultdict(list)
    for row in rows:
        if (how := ending(row)) == "own" or how == "infrastructure":
            of[row.reason or "", how].append(row)
    newest = {row.run_id for row in newest_attempts(rows).values()}
    found = [
        CampaignFailures(
            reason=reason,
            kind=kind,
            runs=len(some),
            open_cells=sum(row.run_id in newest for row in some),
            seconds=round(math.fsum(row.duration_seconds or 0.0 for row in some), 6),
            cost_usd=_cost(some),
            unpriced=sum(row.cost_usd is None for row in some),
        )
        for (reason, kind), some in of.items()
    ]
    return sorted(found, key=lambda one: (-one.runs, one.kind, one.reason))


def _cost(rows: Sequence[RunRow]) -> float | None:
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    return round(math.fsum(known), 9) if known else None


def _run_cell(key: CellKey, rows: Sequence[RunRow], excluded: int) -> CampaignCell:
    row = rows[-1]
    progress = row.progress if row.status == "running" else None
    state: State = "succeeded" if row.status == "succeeded" else "running" if row.status == "running" else "failed"
    return CampaignCell(
        benchmark_id=row.benchmark_id,
        options=task_config(row),
        agent=row.agent,
        provider=row.provider,
        model=row.model,
        state=state,
        run_ids=[one.run_id for one in rows],
        repeat=key[-1],
        score=row.score,
        unit=row.unit,
        why=(row.error or row.reason or "") if state == "failed" else "",
        done=progress.done if progress else None,
        total=progress.total if progress else None,
        attempts=_attempts(rows),
        failures=dict(Counter(one.reason or "" for one in rows if ending(one) in FAILURES)),
        cost_usd=_cost(rows),
        unpriced=sum(one.cost_usd is None and one.status != "running" for one in rows),
        excluded=excluded,
    )


def _undone_cell(group: Group, event: Skipped | Incompatible) -> CampaignCell:
    is_skipped = isinstance(event, Skipped)
    existing = event.existing_run_id if isinstance(event, Skipped) else None
    why = event.reason.replace("_", " ") if isinstance(event, Skipped) else "missing: " + "; ".join(event.missing)
    return CampaignCell(
        benchmark_id=event.benchmark_id,
        options=None,
        agent=event.agent or group.request.agent or "",
        provider=event.provider or group.request.provider,
        model=event.model or group.request.model,
        state="skipped" if is_skipped else "incompatible",
        run_ids=[existing] if existing else [],
        why=why,
    )


def _eta(
    view: View, group: Group, rows: Sequence[RunRow], cells: Sequence[CampaignCell], planned: int | None
) -> float | None:
    """By the progress of the running runs, and the usual time of the benchmarks that have not begun."""
    running = [left for row in rows if row.status == "running" and (left := _left(view, row)) is not None]
    waiting = max(0, planned - len(cells)) if planned is not None else 0
    usual = [row.duration_seconds for row in rows if row.status == "succeeded" and row.duration_seconds is not None]
    if not running and not (waiting and usual):
        return None
    jobs = group.request.flags.get("jobs", 1)
    jobs = jobs if isinstance(jobs, int) and jobs > 0 else 1
    work = math.fsum(running) + (waiting * median(usual) if usual else 0.0)
    return round(max([*running, work / jobs]), 1)


def _left(view: View, row: RunRow) -> float | None:
    """The seconds that a running run may still take: by its progress, else by the usual time of its work."""
    now = datetime.now(UTC) if not view.head.past else parse_utc(view.head.at)
    elapsed = max(0.0, (now - parse_utc(row.started_at)).total_seconds())
    if row.progress and row.progress.total and row.progress.done:
        seen = max(1.0, (parse_utc(row.last_seen_at) - parse_utc(row.started_at)).total_seconds())
        whole = seen * row.progress.total / row.progress.done
        return max(0.0, whole - elapsed)
    earlier = [
        one.duration_seconds
        for one in view.table.having("benchmark", row.benchmark_id)
        if one.status == "succeeded" and one.model == row.model and one.duration_seconds is not None
    ]
    return max(0.0, median(earlier) - elapsed) if earlier else None
