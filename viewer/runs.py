"""`/api/runs`: the table of runs, filtered, sorted and paged in SQL; and the summaries of benchmarks."""

from __future__ import annotations

import sqlite3
from typing import get_args

import falcon

from ..ledger.fold import Status
from ..projections.database import read_runs
from ..projections.rows import Row, run_row
from ..projections.viewer_data import benchmark_summary, build_dataset, read_high_scores
from .answers import Archive, answer, bad_parameter, check_parameters, is_known, whole_number
from .stale import stale_runs

FILTERS = {
    "benchmark": "benchmark_id",
    "status": "status",
    "agent": "agent",
    "provider": "provider",
    "model": "model",
    "group": "run_group_id",
}
FACETS = ("benchmark", "status", "agent", "model")
SORTS = {
    **FILTERS,
    "run_id": "run_id",
    "score": "score",
    "high_score": "high_score_value",
    "delta": "delta_to_high_score",
    "samples": "samples",
    "tokens": "total_tokens",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "calls": "call_count",
    "attempt": "attempt",
    "duration": "duration_seconds",
    "started": "started_at",
}
_SEARCHED = ("run_id", "run_group_id", "benchmark_id", "agent", "provider", "model", "error")
_MOST_ROWS = 1000

LISTED = (
    "run_id run_group_id benchmark_id status reason attempt agent provider model started_at ended_at duration_seconds "
    "score stderr unit higher_is_better samples high_score_label high_score_value delta_to_high_score error synthetic "
    "late recovered retracted imported progress last_seen_at input_tokens output_tokens total_tokens call_count"
).split()
"""The fields of a row in the table; a run's own page has all of them."""


class Runs:
    """The runs, newest first unless asked otherwise."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Parameters: those of FILTERS, `q` (text), `sort`, `desc`, `limit`, `offset`."""
        check_parameters(req, *FILTERS, "q", "sort", "desc", "limit", "offset")
        chosen = {name: value for name in FILTERS if (value := req.get_param(name))}
        if chosen.get("status", "running") not in get_args(Status):
            raise bad_parameter("status", f"'{chosen['status']}' is none of {', '.join(get_args(Status))}")
        search = req.get_param("q") or ""
        order = _order(req)
        limit = whole_number(req, "limit", 100, least=1, most=_MOST_ROWS)
        offset = whole_number(req, "offset", 0, least=0, most=2**53)
        with self._archive.history() as (connection, state):
            stale = stale_runs(connection)
            if is_known(req, resp, state, stale):
                return
            where, values = _where(chosen, search)
            page = read_runs(connection, f"{where} ORDER BY {order} LIMIT ? OFFSET ?", (*values, limit, offset))
            answer(
                resp,
                {
                    "runs": [{**_listed(run_row(run)), "stale": run.run_id in stale} for run in page],
                    "total": _count(connection, where, values),
                    "all": _count(connection, "", ()),
                    "facets": {name: _facet(connection, name, chosen, search) for name in FACETS},
                    "head": {"position": state.position, "hash": state.head_hash, "at": state.at},
                },
            )

    on_head = on_get


class ViewerData:
    """The whole dataset, in the shape that the first orchestrator's tools read."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The same document as `viewer_data.json`."""
        with self._archive.history() as (connection, state):
            if is_known(req, resp, state):
                return
            answer(resp, build_dataset(connection))

    on_head = on_get


class Benchmarks:
    """A row for each benchmark: its runs, the best and the latest."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The summary, with the reference that holds now."""
        with self._archive.history() as (connection, state):
            if is_known(req, resp, state):
                return
            runs = list(read_runs(connection))[::-1]
            references = {row["benchmark_id"]: row for row in read_high_scores(connection)}
        latest = {run.run_id: run for run in runs}
        rows = []
        for row in benchmark_summary(runs):
            run = latest[row["latest_run_id"]]
            rows.append(
                {
                    **row,
                    "latest_status": run.status,
                    "latest_score": run.score,
                    "latest_agent": run.agent,
                    "higher_is_better": run.higher_is_better,
                    "high_score": references.get(row["benchmark_id"]),
                }
            )
        answer(resp, {"benchmarks": rows, "head": {"position": state.position, "hash": state.head_hash}})

    on_head = on_get


def _order(req: falcon.Request) -> str:
    name = req.get_param("sort") or "started"
    if name not in SORTS:
        raise bad_parameter("sort", f"'{name}' is none of {', '.join(sorted(SORTS))}")
    descending = req.get_param("desc") or ("1" if req.get_param("sort") is None else "0")
    if descending not in ("0", "1"):
        raise bad_parameter("desc", f"'{descending}' is neither 0 nor 1")
    column = SORTS[name]
    direction = "DESC" if descending == "1" else "ASC"
    # What is missing stands last in both directions; equals stand newest first.
    return f"{column} IS NULL, {column} {direction}, started_at DESC, rowid DESC"


def _where(chosen: dict[str, str], search: str) -> tuple[str, tuple[str, ...]]:
    conditions = [f"{FILTERS[name]} = ?" for name in chosen]
    values = [*chosen.values()]
    for word in search.split():
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        conditions.append("(" + " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in _SEARCHED) + ")")
        values += [pattern] * len(_SEARCHED)
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), tuple(values)


def _count(connection: sqlite3.Connection, where: str, values: tuple[str, ...]) -> int:
    row: tuple[int] = connection.execute(f"SELECT count(*) FROM benchmark_runs {where}", values).fetchone()  # noqa: S608
    return row[0]


def _facet(connection: sqlite3.Connection, name: str, chosen: dict[str, str], search: str) -> dict[str, int]:
    """The values of a column and how often each occurs, under the other filters."""
    where, values = _where({key: value for key, value in chosen.items() if key != name}, search)
    column = FILTERS[name]
    query = f"SELECT {column}, count(*) FROM benchmark_runs {where} GROUP BY {column} ORDER BY {column}"  # noqa: S608
    return dict(connection.execute(query, values).fetchall())


def _listed(row: Row) -> Row:
    return {name: row[name] for name in LISTED}
