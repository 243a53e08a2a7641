"""`/api/campaigns`: every `run` command: how its cells ended, what it spent, and the limits that it had."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import falcon
import msgspec

from ...ledger.events import REPEAT, Counts
from ...ledger.fold import Group
from ...projections.scores.counting import task_config
from ...projections.sqlite.database import read_groups
from ..api.parameters import AS_OF, OFFSET, Form, Parameter, limit
from ..api.site import Site
from ..index.archive import Head, View
from ..index.row import RunRow
from ..index.run_table import RunTable

_LIMITS = ("max_cost", "max_tokens", "max_minutes")


class CampaignRow(msgspec.Struct, frozen=True, kw_only=True):
    """A `run` command. `finished_at` is None while it is open; `reason` says why it ended, `notes` explain it.

    `counts` are cells: a cell that failed and then succeeded has succeeded. `planned` is the number of all cells, also
    of those that were not begun; None if it is not known. `runs` counts attempts, and `cost_usd` is what they cost, as
    far as it is known. `limits` are those that were given: max_cost (US dollars), max_tokens, max_minutes.
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
    planned: int | None
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
        return CampaignList([row_of_group(group, view) for group in groups], total, head)


CellKey = tuple[str, bytes, str, str, str, str]
"""Benchmark, options, agent, provider, model, and the number of the repeat."""


def rows_of_group(table: RunTable, run_group_id: str) -> list[RunRow]:
    """The runs of a campaign in the order of the ledger."""
    return sorted(table.having("group", run_group_id), key=lambda row: row.first_seq)


def cell_of(row: RunRow) -> CellKey:
    """The cell of a campaign that a run is an attempt at."""
    options = msgspec.json.encode(task_config(row), order="sorted")
    repeat = str(row.extra_config.get(REPEAT, 1))
    return row.benchmark_id, options, row.agent, row.provider, row.model, repeat


def newest_attempts(rows: Iterable[RunRow]) -> dict[CellKey, RunRow]:
    """The newest attempt of each cell."""
    return {cell_of(row): row for row in rows}


def row_of_group(group: Group, view: View) -> CampaignRow:
    """A campaign as a list shows it."""
    rows = rows_of_group(view.table, group.run_group_id)
    last = list(newest_attempts(rows).values())
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
        planned=_planned(group, len(last) + len(group.skipped) + len(group.incompatible), is_open=closed is None),
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


def _planned(group: Group, seen: int, *, is_open: bool) -> int | None:
    """The number of cells that were planned; None if the request does not say it.

    Requests of earlier versions do not have the number. Then it is worked out from what was asked for while the
    campaign is open, which cannot be done if its file leaves cells out; of a closed one it is that of the cells `seen`.
    """
    flags = group.request.flags
    if isinstance(recorded := flags.get("planned"), int) and not isinstance(recorded, bool):
        return max(seen, recorded)
    if not is_open:
        return seen
    repeats = flags.get("repeats", 1)
    repeats = repeats if isinstance(repeats, int) and repeats > 0 else 1
    campaign = flags.get("campaign")
    if not isinstance(campaign, dict):
        agents = len((group.request.agent or "").split(", "))
        return max(seen, len(group.benchmarks) * agents * repeats)
    content = campaign.get("content")
    matrix = content.get("matrix") if isinstance(content, dict) else None
    if not isinstance(matrix, dict) or (isinstance(content, dict) and content.get("exclude")):
        return None
    sizes = [len(value) for name in ("models", "agents", "options") if isinstance(value := matrix.get(name), list)]
    return max(seen, len(group.benchmarks) * math.prod(sizes or [1]) * repeats) if matrix.get("models") else None
