"""`/api/campaigns`: every `run` command; and one of them: each cell of its matrix, its progress and what it spent."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any, Literal

import falcon
import msgspec

from ...ledger.events import REPEAT, Counts, GroupClosed, Incompatible, Json, Skipped
from ...ledger.fold import Group
from ...ledger.identity import parse_utc
from ...projections.scores.counting import task_config
from ...projections.sqlite.database import read_groups
from ..api.parameters import AS_OF, OFFSET, Form, Parameter, limit
from ..api.site import Site
from ..index.archive import Head, View
from ..index.commands import retry_commands
from ..index.row import RunRow
from ..index.run_table import RunTable

_LIMITS = ("max_cost", "max_tokens", "max_minutes")
State = Literal["succeeded", "failed", "running", "skipped", "incompatible"]


class CampaignRow(msgspec.Struct, frozen=True, kw_only=True):
    """A `run` command. `finished_at` is None while it is open; `reason` says why it ended, `notes` explain it.

    `counts` are cells: a cell that failed and then succeeded has succeeded. `runs` counts attempts, and `cost_usd` is
    what they cost, as far as it is known. `limits` are those that were given: max_cost (US dollars), max_tokens,
    max_minutes.
    """

    run_group_id: str
    name: str
    created_at: str
    finished_at: str | None
    created_by: str
    reason: str | None
    benchmarks: list[str]
    models: list[str]
    runs: int
    running: int
    counts: Counts
    cost_usd: float | None
    tokens: int | None
    unpriced: int
    limits: dict[str, float]
    is_imported: bool


class CampaignList(msgspec.Struct, frozen=True):
    """A page of campaigns, the newest first; `total` counts all."""

    campaigns: list[CampaignRow]
    total: int
    head: Head


class CampaignCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of the matrix: a benchmark with options, for a contender. `why` explains what was not run, or failed.

    `run_ids` are its attempts in this campaign, the newest last; for a skipped cell, the run that made it needless.
    `options` are those of its runs; None if no run says.
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


class CampaignAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign. `planned` is the number of its cells, None if that is not known while it is open.

    `eta_seconds` is how long it may still take: by the progress of its running runs and the usual time of work that has
    not begun; None if nothing is known. `commands` run its failed cells again. `request` is what was asked for.
    """

    campaign: CampaignRow
    cells: list[CampaignCell]
    planned: int | None
    eta_seconds: float | None
    commands: list[str]
    request: Json
    notes: list[str]
    first_at: str
    last_at: str
    head: Head


class Campaigns:
    """All campaigns."""

    about = "Campaigns (`run` commands), the newest first: counts, spend, limits"
    parameters = Form(
        Parameter("state", "only these", "choice", choices=("open", "closed")), limit(50, 500), OFFSET, AS_OF
    )
    answer = CampaignList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """A page of them."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], lambda view: self._list(asked, view))

    on_head = on_get

    def _list(self, asked: dict[str, Any], view: View) -> CampaignList:
        head = view.head
        is_closed = "(finished_at IS NOT NULL AND finished_at <= :at)"
        wanted = {"open": f"AND NOT {is_closed}", "closed": f"AND {is_closed}", None: ""}[asked["state"]]
        where = f"WHERE created_at <= :at {wanted}"
        with self._site.archive.database() as connection:
            query = f"SELECT count(*) FROM run_groups {where}"  # noqa: S608
            (total,) = connection.execute(query, {"at": head.at}).fetchone()
            page = f"{where} ORDER BY created_at DESC, rowid DESC LIMIT :limit OFFSET :offset"
            values: Any = {"at": head.at, "limit": asked["limit"], "offset": asked["offset"]}
            groups = list(read_groups(connection, page, values))
        return CampaignList([_row(group, view) for group in groups], total, head)


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
        if group is None or group.created_at > view.head.at:
            text = f"the ledger has no campaign '{run_group_id}'"
            raise falcon.HTTPNotFound(title="no such campaign", description=text)
        rows = _rows(view.table, run_group_id)
        cells = _cells(group, rows)
        row = _row(group, view)
        is_open = row.finished_at is None
        planned = _planned(group) if is_open else len(cells)
        times = [one.ended_at or view.head.at for one in rows]
        return CampaignAnswer(
            campaign=row,
            cells=cells,
            planned=max(planned, len(cells)) if planned is not None else None,
            eta_seconds=_eta(view, group, rows, cells, planned) if is_open else None,
            commands=retry_commands(one for one in _last(rows).values() if one.status == "failed"),
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


_CellKey = tuple[str, bytes, str, str, str, str]


def _rows(table: RunTable, run_group_id: str) -> list[RunRow]:
    return sorted(table.having("group", run_group_id), key=lambda row: row.first_seq)


def _key(row: RunRow) -> _CellKey:
    options = msgspec.json.encode(task_config(row), order="sorted")
    repeat = str(row.extra_config.get(REPEAT, 1))
    return row.benchmark_id, options, row.agent, row.provider, row.model, repeat


def _last(rows: Iterable[RunRow]) -> dict[_CellKey, RunRow]:
    """The newest attempt of each cell."""
    return {_key(row): row for row in rows}


def _row(group: Group, view: View) -> CampaignRow:
    rows = _rows(view.table, group.run_group_id)
    last = list(_last(rows).values())
    flags = group.request.flags
    campaign = flags.get("campaign")
    named = campaign.get("name") if isinstance(campaign, dict) else None
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    tokens = [row.total_tokens for row in rows if row.total_tokens is not None]
    closed = group.finished_at if group.finished_at and group.finished_at <= view.head.at else None
    models = list(dict.fromkeys(f"{row.provider}:{row.model}" for row in rows))
    return CampaignRow(
        run_group_id=group.run_group_id,
        name=named if isinstance(named, str) else "",
        created_at=group.created_at,
        finished_at=closed,
        created_by=group.created_by,
        reason=group.reason if closed else None,
        benchmarks=group.benchmarks,
        models=models or [group.request.model],
        runs=len(rows),
        running=sum(row.status == "running" for row in rows),
        counts=Counts(
            succeeded=sum(row.status == "succeeded" for row in last),
            failed=sum(row.status == "failed" for row in last),
            skipped=len(group.skipped),
            incompatible=len(group.incompatible),
        ),
        cost_usd=round(math.fsum(costs), 9) if costs else None,
        tokens=sum(tokens) if tokens else None,
        unpriced=sum(row.cost_usd is None and row.status != "running" for row in rows),
        limits={
            name: float(value)
            for name in _LIMITS
            if isinstance(value := flags.get(name), int | float) and not isinstance(value, bool)
        },
        is_imported=group.imported is not None,
    )


def _cells(group: Group, rows: Sequence[RunRow]) -> list[CampaignCell]:
    attempts: dict[_CellKey, list[RunRow]] = defaultdict(list)
    for row in rows:
        attempts[_key(row)].append(row)
    cells = [_run_cell(key, some) for key, some in attempts.items()]
    undone: list[Skipped | Incompatible] = [*group.skipped, *group.incompatible]
    cells += [_undone_cell(group, event) for event in undone]
    return sorted(cells, key=lambda cell: (cell.benchmark_id, str(cell.options), cell.model, cell.agent, cell.repeat))


def _run_cell(key: _CellKey, rows: Sequence[RunRow]) -> CampaignCell:
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


def _planned(group: Group) -> int | None:
    """The number of cells of an open campaign; None if its request does not say it."""
    flags = group.request.flags
    repeats = flags.get("repeats", 1)
    repeats = repeats if isinstance(repeats, int) and repeats > 0 else 1
    campaign = flags.get("campaign")
    if not isinstance(campaign, dict):
        agents = len((group.request.agent or "").split(", "))
        return len(group.benchmarks) * agents * repeats
    content = campaign.get("content")
    matrix = content.get("matrix") if isinstance(content, dict) else None
    if not isinstance(matrix, dict) or (isinstance(content, dict) and content.get("exclude")):
        return None
    sizes = [len(value) for name in ("models", "agents", "options") if isinstance(value := matrix.get(name), list)]
    return len(group.benchmarks) * math.prod(sizes or [1]) * repeats if matrix.get("models") else None


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
