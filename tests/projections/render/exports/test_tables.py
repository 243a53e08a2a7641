"""CSV, JSON and Parquet: the same rows in each, and nothing in them that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json

import duckdb
import pytest

from benchmarks.projections.render.exports.tabular import COLUMNS, csv_table, json_table, parquet_table
from benchmarks.projections.sqlite.rows import run_row

TRICKY = 'said: "no",\nand went'


@pytest.fixture
def runs(make_run):
    return [
        make_run(0.25, higher_is_better=False, metrics={"a": [1]}, usage={"input_tokens": 3, "output_tokens": 4}),
        make_run(None, status="failed", error=TRICKY, model="=cmd|' /C calc'!A0", higher_is_better=None, unit=None),
        make_run(-0.5, model="ünïcode 🎉", command=["x" * 20_000]),
    ]


def test_csv_has_a_row_for_each_run_and_no_formula(runs):
    rows = list(csv.DictReader(io.StringIO(csv_table(runs).decode(), newline="")))
    assert list(rows[0]) == COLUMNS
    assert [row["score"] for row in rows] == ["0.25", "", "-0.5"]
    assert rows[1]["model"] == "'=cmd|' /C calc'!A0" and rows[1]["error"] == TRICKY
    assert json.loads(rows[0]["metrics_json"]) == {"a": [1]} and rows[0]["total_tokens"] == "7"


def test_json_has_the_rows_of_the_dataset_and_the_intervals(runs):
    rows = [json.loads(json.dumps(run_row(run))) for run in runs]
    assert json.loads(json_table(runs)) == [row | {"score_low": None, "score_high": None} for row in rows]


def test_the_interval_of_a_score_stands_in_every_table(make_run, tmp_path):
    run = make_run(0.0, samples=10, stderr=0.0)
    [row] = json.loads(json_table([run]))
    [cells] = csv.DictReader(io.StringIO(csv_table([run]).decode(), newline=""))
    path = tmp_path / "runs.parquet"
    path.write_bytes(parquet_table([run]))
    stored = duckdb.sql(f"SELECT score_low, score_high FROM '{path}'").fetchall()[0]
    assert (row["score_low"], row["score_high"]) == stored == (float(cells["score_low"]), float(cells["score_high"]))
    assert (stored[0], round(stored[1], 2)) == (0.0, 0.28)


@pytest.mark.parametrize("count", [0, 3])
def test_parquet_has_the_same_values_with_their_types(runs, tmp_path, count):
    path = tmp_path / "runs.parquet"
    path.write_bytes(parquet_table(runs[:count]))
    table = duckdb.sql(f"SELECT * FROM '{path}'")
    assert table.columns == COLUMNS
    kinds = dict(zip(table.columns, map(str, table.types), strict=True))
    names = ("score", "attempt", "higher_is_better", "synthetic", "model", "metrics_json")
    assert [kinds[name] for name in names] == ["DOUBLE", "BIGINT", "BOOLEAN", "BOOLEAN", "VARCHAR", "VARCHAR"]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in table.fetchall()]
    assert [row["score"] for row in rows] == [0.25, None, -0.5][:count]
    if rows:
        assert [row["higher_is_better"] for row in rows] == [False, None, True]
        assert [row["model"] for row in rows] == [run.model for run in runs]
        assert rows[1]["error"] == TRICKY and len(json.loads(rows[2]["command_json"])[0]) == 20_000
        assert rows[0]["total_tokens"] == 7
