"""Runs as CSV, JSON and Parquet: a row for each run, with the columns of `benchmark_runs`."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ....ledger.fold import Run
from ...scores.uncertainty import uncertainty
from ...sqlite.rows import RUN_COLUMNS, TOKEN_COLUMNS, run_row, run_values
from ..visible import spreadsheet_cell

INTERVAL_COLUMNS = ("score_low", "score_high")
"""The 95% interval of the score, after the other columns: empty if nothing is known of its noise."""

COLUMNS = [*(column.name for column in RUN_COLUMNS), *TOKEN_COLUMNS, *INTERVAL_COLUMNS]

_OF_SQLITE = {"TEXT": "VARCHAR", "REAL": "DOUBLE", "INTEGER": "BIGINT"}
_KINDS = {
    column.name: "BOOLEAN" if "bool" in Run.__annotations__[column.field] else _OF_SQLITE[column.kind]
    for column in RUN_COLUMNS
}
_KINDS |= dict.fromkeys(TOKEN_COLUMNS, "BIGINT") | dict.fromkeys(INTERVAL_COLUMNS, "DOUBLE")


def _values(run: Run) -> list[Any]:
    return [*run_values(run), *_interval(run)]


def _interval(run: Run) -> tuple[float | None, float | None]:
    if run.score is None:
        return None, None
    found = uncertainty([run])
    return found.low, found.high


def json_table(runs: Iterable[Run]) -> bytes:
    """The runs as a JSON array, each as in `viewer_data.json`, with INTERVAL_COLUMNS."""
    rows = [run_row(run) | dict(zip(INTERVAL_COLUMNS, _interval(run), strict=True)) for run in runs]
    return msgspec.json.encode(rows) + b"\n"


def csv_table(runs: Iterable[Run]) -> bytes:
    """The runs as CSV (RFC 4180, UTF-8). What has structure is JSON text; what is not known is empty.

    Text that a spreadsheet would take for a formula has an apostrophe before it: a model's name or an error may be
    anything, and must not run when somebody opens the file (OWASP, "CSV Injection").
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([spreadsheet_cell(value) for value in _values(run)] for run in runs)
    return text.getvalue().encode()


def parquet_table(runs: Sequence[Run]) -> bytes:
    """The runs as Parquet; what has structure is JSON text."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        lines, table = Path(folder) / "runs.jsonl", Path(folder) / "runs.parquet"
        with lines.open("wb") as file:
            for run in runs:
                file.write(msgspec.json.encode(dict(zip(COLUMNS, _values(run), strict=True))) + b"\n")
        rows = connection.sql(
            "SELECT * FROM read_json($lines, format = 'newline_delimited', columns = $columns, "
            "maximum_object_size = $largest)",
            # A command may have thousands of arguments: a line is as long as it is.
            params={"lines": str(lines), "columns": _KINDS, "largest": max(1 << 24, lines.stat().st_size + 1)},
        )
        rows.write_parquet(str(table), compression="zstd")
        return table.read_bytes()
