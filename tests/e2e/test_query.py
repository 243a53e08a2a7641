"""`query`: SQL from the command line, in every output format."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import duckdb
import pytest


@pytest.fixture
def asked(bench):
    bench.add("one")
    bench.add("two", 'output.joinpath("result.json").write_text(json.dumps({"score": 0.75, "n": 4}))')
    bench.run("one", "two")
    return bench


SQL = "SELECT benchmark_id, score, extra_config_json, ended_at FROM runs ORDER BY score"


def test_a_table_json_csv_and_parquet_say_the_same(asked, tmp_path):
    table = asked("query", SQL).stdout.splitlines()
    assert table[0].split() == ["benchmark_id", "score", "extra_config_json", "ended_at"]
    assert table[1].split()[:2] == ["one", "0.5"] and len(table) == 3
    shown = json.loads(asked("query", SQL, "--json").stdout)
    assert [column["name"] for column in shown["columns"]] == ["benchmark_id", "score", "extra_config_json", "ended_at"]
    assert [row[:3] for row in shown["rows"]] == [["one", 0.5, {"seed": 1}], ["two", 0.75, {"seed": 1}]]
    rows = list(csv.reader(io.StringIO(asked("query", SQL, "--csv").stdout)))
    assert rows[1][:3] == ["one", "0.5", '{"seed":1}']
    file = tmp_path / "it's.parquet"
    assert "wrote 2 rows to " in asked("query", SQL, "--parquet", str(file)).stderr
    with duckdb.connect() as reader:
        found = reader.read_parquet(str(file))
        assert [str(kind) for kind in found.types] == ["VARCHAR", "DOUBLE", "JSON", "TIMESTAMP"]
        assert found.fetchall()[1][:2] == ("two", 0.75)


def test_parquet_has_every_row_of_a_long_answer(bench, tmp_path):
    file = tmp_path / "long.parquet"
    bench("query", "SELECT i, map {'k' || i: i} AS m, NULL AS n FROM range(120) r(i)", "--parquet", str(file))
    with duckdb.connect() as reader:
        assert reader.read_parquet(str(file)).fetchall() == [(i, {f"k{i}": i}, None) for i in range(120)]


def test_a_csv_cell_is_never_a_formula(bench):
    printed = bench("query", "SELECT '=1+1' AS \"@a\", -1.5 AS b, NULL AS c, [-1] AS d", "--csv").stdout
    assert list(csv.reader(io.StringIO(printed))) == [["'@a", "b", "c", "d"], ["'=1+1", "-1.5", "", "[-1]"]]


def test_a_row_of_a_table_is_one_line_without_control_characters(bench):
    printed = bench("query", "SELECT 'a' || chr(10) || 'b' || chr(27) || '[31m' AS \"x\ny\"").stdout
    assert printed.splitlines() == ["x y", r"a b\u001b[31m"]


def test_sql_from_a_file_and_as_of_a_time(asked, tmp_path):
    file = tmp_path / "question.sql"
    file.write_text("-- how many?\nSELECT count(*) AS n FROM runs;\n")
    assert asked("query", "--file", str(file)).stdout.split() == ["n", "2"]
    first = asked.events("finished")[0]["seq"]
    assert asked("query", "SELECT count(*) AS n FROM runs WHERE counts", "--as-of", str(first)).stdout.split() == [
        "n",
        "1",
    ]


def test_the_views_are_listed(asked):
    views = json.loads(asked("query", "--list", "--json").stdout)
    assert "score_history" in asked("query", "--list").stdout
    for view in views:
        asked("query", f"SELECT * FROM {view['name']} LIMIT 1")
    assert "is_record" in asked("query", "--list", "score_history").stdout
    assert "did you mean runs?" in asked("query", "--list", "rnus", code=2).stderr


def test_any_client_can_open_the_file(asked):
    asked("query", "SELECT 1")
    with duckdb.connect(str(asked.results / "analytics.duckdb"), read_only=True) as client:
        assert client.execute("SELECT count(*) FROM leaderboard").fetchone() == (2,)
        comment = "SELECT comment FROM duckdb_columns() WHERE table_name = 'runs' AND column_name = 'score'"
        assert client.execute(comment).fetchone() == ("the score, in its unit",)


def test_to_learn_that_nothing_is_new_takes_no_duckdb(asked):
    asked("query", SQL)
    program = """
import sys
from pathlib import Path
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.analytics.build import refresh
from benchmarks.projections.workspace import Workspace
root = Path(sys.argv[1])
print(refresh(Workspace(root), JsonlStore(root / "benchmark_results" / "ledger", notice=print)).name)
print("duckdb" in sys.modules)
"""
    argv = [sys.executable, "-c", program, str(asked.root)]

    def loads_duckdb() -> bool:
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        name, loaded = done.stdout.split()
        assert name == "analytics.duckdb"
        return loaded == "True"

    assert not loads_duckdb()
    asked.run("one", more=("--force",))
    assert loads_duckdb()
    assert not loads_duckdb()


def test_a_query_without_runs_is_empty_and_creates_nothing(bench):
    assert bench("query", "SELECT count(*) AS n FROM runs").stdout.split() == ["n", "0"]
    assert not bench.results.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("query",), "no SQL given\nhint: give the SQL or --file"),
        (("query", "SELECT 1", "--file", "x"), "SQL and --file exclude each other"),
        (("query", "--file", "none.sql"), "none.sql cannot be read: No such file"),
        (("query", "SELECT 1", "--json", "--csv"), "--json, --csv and --parquet exclude each other"),
        (("query", "SELECT 1", "--timeout", "nan"), "must be a finite number, got nan"),
        (("query", "SELECT 1", "--timeout", "inf"), "must be a finite number, got inf"),
        (("query", "SELECT 1", "--rows", "9" * 25), "must be "),
        (("query", "SELECT 1", "--memory", "9" * 25), "must be "),
        (("query", "SELEC 1"), 'benchmarks query: Parser Error: syntax error at or near "SELEC" (line 1, column 1)\n'),
        (("query", "SELECT 1", "--parquet", "/no/where/x.parquet"), "cannot be written"),
        (("query", "SELECT 1", "--as-of", "yesterday"), "yesterday"),
        (("query", "SELECT count(*) FROM range(10000000) a, range(10000000)", "--timeout", "0.5"), "--timeout"),
    ],
)
def test_a_bad_query_is_an_error(bench, arguments, message):
    assert message in bench(*arguments, code=2).stderr


def test_a_damaged_ledger_is_an_error(asked):
    asked("query", "SELECT 1")
    asked.is_damaged = True
    [segment] = asked.results.glob("ledger/*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"score":0.5', b'"score":0.9', 1))
    (asked.results / "analytics.duckdb").unlink()
    assert "ledger verify" in asked("query", "SELECT 1", code=3).stderr
