"""`query`: one SELECT over the history."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from ...adapters.regular_file import read_regular
from ...ledger.past import Past
from ...ledger.store import EventReader
from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...projections.analytics.query import run_query
from ...projections.analytics.sandbox import Limits, QueryResult
from ...projections.analytics.views import View, describe
from ...projections.render.visible import spreadsheet_cell
from ..context import Place, as_of_option, in_place, json_option, limit_of, note, print_json
from ..printing import print_table
from ..ranges import Number, Whole

_MAX_CELL = 60
_MAX_ROW = 240
"""How many characters of one value a table shows, and of all values of a row if they are few."""
_DEFAULTS = Limits()
_BATCH_ROWS = 50
"""Rows in one INSERT: ten times as fast as one by one. With more, parsing the statement takes longer."""
_MAX = {"seconds": 86_400, "rows": 10**9, "mib": 1 << 20}
"""The largest limits that the operating system accepts."""


@click.command()
@click.argument("sql", required=False)
@click.option("--file", metavar="FILE", help="Read the SQL from FILE; - is stdin.")
@click.option("--list", "listed", is_flag=True, help="List the views; with a view instead of SQL, its columns.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--parquet", metavar="FILE", help="Write the rows to FILE as Parquet.")
@click.option(
    "--rows",
    metavar="N",
    type=Whole(1, _MAX["rows"]),
    default=_DEFAULTS.rows,
    show_default=True,
    help="Maximum number of rows.",
)
@click.option(
    "--timeout",
    type=Number(0, _MAX["seconds"], min_open=True),
    default=_DEFAULTS.seconds,
    show_default=True,
    metavar="SECONDS",
    help="Maximum time.",
)
@click.option(
    "--memory",
    type=Whole(64, _MAX["mib"]),
    default=_DEFAULTS.memory_mb,
    show_default=True,
    metavar="MIB",
    help="Maximum memory.",
)
@click.option(
    "--max-answer",
    type=Whole(1, _MAX["mib"]),
    default=_DEFAULTS.answer_mb,
    show_default=True,
    metavar="MIB",
    help="Maximum size of the answer.",
)
@as_of_option("Query the history as it was at that time.")
@json_option
@in_place
def command(
    place: Place,
    sql: str | None,
    file: str | None,
    listed: bool,
    as_csv: bool,
    parquet: str | None,
    rows: int,
    timeout: float,
    memory: int,
    max_answer: int,
    as_of: str | None,
    as_json: bool,
) -> None:
    """Query the history with one SELECT, such as "SELECT model, mean FROM leaderboard".

    The query runs in a separate process that can only read the history, for a limited time. Other DuckDB clients can
    open analytics.duckdb in the results, which holds the same views.
    """
    if [as_csv, as_json, parquet is not None].count(True) > 1:
        raise UsageError("--json, --csv and --parquet exclude each other")
    if listed:
        _list(sql, as_json=as_json)
        return
    limits = Limits(seconds=timeout, memory_mb=memory, rows=rows, answer_mb=max_answer)
    store: EventReader = place.store()
    if as_of is not None:
        store = Past(store, limit_of(as_of))
    result = run_query(place.workspace, store, _sql_text(sql, file), limits, notice=note)
    if parquet is not None:
        _write_parquet(result, Path(parquet))
    elif as_json:
        print_json(_as_json(result))
    elif as_csv:
        _print_csv(result)
    else:
        _print_table(result)
    if result.truncated and not as_json:
        note(f"these are the first {rows} rows only\nhint: --rows raises the maximum")


_MAX_SQL_BYTES = 4 * 1024 * 1024


def _sql_text(sql: str | None, file: str | None) -> str:
    if (sql is None) == (file is None):
        raise UsageError(
            "SQL and --file exclude each other" if sql is not None else "no SQL given",
            "give the SQL or --file; --list shows the views",
        )
    if file is None:
        return sql or ""
    try:
        return sys.stdin.read() if file == "-" else read_regular(Path(file), most=_MAX_SQL_BYTES).decode()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{file} cannot be read: {getattr(problem, 'strerror', None) or 'not UTF-8'}") from problem


def _list(name: str | None, *, as_json: bool) -> None:
    views = {view.name: view for view in describe()}
    if name is not None and name not in views:
        raise UsageError(f"unknown view '{name}'", did_you_mean(name, views, f"the views are {', '.join(views)}"))
    if as_json:
        print_json([views[name]] if name else list(views.values()))
    elif name:
        _print_columns(views[name])
    else:
        print_table(["view", "a row is"], [[view.name, view.about] for view in views.values()])
        print("\nbenchmarks query --list VIEW shows the columns of a view")


def _print_columns(view: View) -> None:
    print(f"{view.name}: {view.about}\n")
    print_table(["column", "type", "content"], [msgspec.structs.astuple(column) for column in view.columns])


def _as_json(result: QueryResult) -> dict[str, Any]:
    return {
        "columns": [{"name": name, "type": kind} for name, kind in result.columns],
        "rows": result.rows,
        "truncated": result.truncated,
    }


def _print_csv(result: QueryResult) -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(spreadsheet_cell(name) for name, _ in result.columns)
    table.writerows([_csv_text(value) for value in row] for row in result.rows)


def _print_table(result: QueryResult) -> None:
    names = [name for name, _ in result.columns]
    numbers = [
        name
        for index, name in enumerate(names)
        if any(isinstance(row[index], int | float) for row in result.rows)
        and all(row[index] is None or isinstance(row[index], int | float) for row in result.rows)
    ]
    if not result.rows:
        print(f"0 rows of {', '.join(names)}")
        return
    widest = max(_MAX_CELL, _MAX_ROW // len(names))
    print_table(names, [[_short(value, widest) for value in row] for row in result.rows], right=numbers)


def _csv_text(value: Any) -> object:
    # A spreadsheet must not take text for a formula; a negative number is not one.
    return spreadsheet_cell(value) if isinstance(value, str) else _text(value)


def _short(value: Any, widest: int) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else _text(value)
    text = " ".join(text.split())
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def _write_parquet(result: QueryResult, file: Path) -> None:
    """Write the rows with the types of the answer. Raises UsageError if the file cannot be written."""
    import duckdb

    with contextlib.closing(duckdb.connect()) as connection, _write_errors(file):
        typed = ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}" {kind}' for name, kind in result.columns)
        connection.execute(f"CREATE TABLE answer ({typed})")
        marks = f"({', '.join(f'CAST(? AS {kind})' for _, kind in result.columns)})"
        for begin in range(0, len(result.rows), _BATCH_ROWS):
            rows = result.rows[begin : begin + _BATCH_ROWS]
            values = [_typed(value, kind) for row in rows for value, (_, kind) in zip(row, result.columns, strict=True)]
            connection.execute(f"INSERT INTO answer VALUES {', '.join([marks] * len(rows))}", values)  # noqa: S608 - marks
        connection.table("answer").write_parquet(str(file))
    note(f"wrote {len(result.rows)} rows to {file}")


def _typed(value: Any, kind: str) -> Any:
    """A plain value in the form that DuckDB accepts for a column of that type."""
    if kind == "JSON" and value is not None:
        return msgspec.json.encode(value).decode()
    return value.removesuffix("Z") if isinstance(value, str) and kind.startswith("TIMESTAMP") else value


@contextlib.contextmanager
def _write_errors(file: Path) -> Iterator[None]:
    import duckdb

    try:
        yield
    except (duckdb.Error, OSError) as problem:
        raise UsageError(f"{file} cannot be written: {problem}") from problem
