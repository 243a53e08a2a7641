"""The sandbox: what people ask is answered; what reaches out, goes on for ever or grows without end is refused."""

from __future__ import annotations

import os
import subprocess

import duckdb
import msgspec
import pytest

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.analytics.build import open_analytics
from benchmarks.projections.analytics.child import open_sealed
from benchmarks.projections.analytics.sandbox import BadQuery, LimitExceeded, Limits, ask
from benchmarks.projections.analytics.views import describe
from benchmarks.projections.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(histories, tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("place"))
    workspace.results.mkdir()
    store = JsonlStore(workspace.ledger, notice=pytest.fail)
    events = [NewEvent("rg_1", histories.opened())]
    for number in range(3):
        name = f"run_{number}"
        events += [NewEvent(name, histories.started(name)), NewEvent(name, histories.finished(number / 4))]
    histories.append_anyway(store, events)
    with open_analytics(workspace, store) as database:
        yield database


@pytest.fixture
def query(database):
    def query(sql, **limits):
        return ask(database, sql, Limits(**limits))

    return query


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT run_id, score FROM runs ORDER BY score DESC LIMIT 1", [["run_2", 0.5]]),
        ("FROM runs SELECT count(*);", [[3]]),
        ("WITH x AS (SELECT 1 AS a) SELECT a FROM x; -- a remark; with a semicolon\n;", [[1]]),
        ("VALUES (1, 'a', true, NULL)", [[1, "a", True, None]]),
        (
            "SELECT [1, 2] AS list, {'a': 1} AS object, 1.5::DECIMAL(4, 2), DATE '2026-01-02'",
            [[[1, 2], {"a": 1}, 1.5, "2026-01-02"]],
        ),
        ("SELECT extra_config_json FROM runs LIMIT 1", [[{"seed": 42}]]),
        ("SELECT TIMESTAMP '2026-01-02 03:04:05'", [["2026-01-02T03:04:05.000000Z"]]),
        ("SELECT 'a;b' AS \"x;\" -- ;", [["a;b"]]),
        ("SELECT 9223372036854775807, 'ä€'", [[9223372036854775807, "ä€"]]),
    ],
)
def test_a_select_is_answered_in_plain_values(query, sql, rows):
    assert query(sql).rows == rows


def test_each_view_has_the_columns_that_are_described(query):
    for view in describe():
        found = [row[:2] for row in query(f"DESCRIBE {view.name}").rows]
        assert found == [[column.name, column.type] for column in view.columns], view.name
        assert all(column.about for column in view.columns)
    described = {view.name for view in describe()}
    there = {row[0] for row in query("SHOW TABLES").rows}
    assert there - described == {"run_groups", "void"}


def test_an_answer_is_cut_at_its_limit_and_says_so(query):
    result = query("SELECT * FROM range(100)", rows=7)
    assert ([row[0] for row in result.rows], result.truncated) == (list(range(7)), True)
    assert query("SELECT * FROM range(7)", rows=7).truncated is False


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELEC 1", 'Parser Error: syntax error at or near "SELEC" (line 1, column 1)'),
        ("SELECT 'ä',\n  1 2", 'Parser Error: syntax error at or near "2" (line 2, column 5)'),
        (
            "SELECT run_id,\n  scor FROM (SELECT run_id, score FROM runs)",
            'Binder Error: Referenced column "scor" not found in FROM clause! '
            'Candidate bindings: "score" (line 2, column 3)',
        ),
        (
            f"SELECT {', '.join(f'{n} AS a{n}' for n in range(80))}, nosuch(1)",
            'Catalog Error: Scalar Function with name nosuch does not exist! Did you mean "cosh"? '
            f"(line 1, column {len(', '.join(f'{n} AS a{n}' for n in range(80))) + 10})",
        ),
        ("FROM rnus", 'Catalog Error: Table with name rnus does not exist! Did you mean "runs"? (line 1, column 6)'),
        ("SELECT 1, 'x'::INT", "Conversion Error: Could not convert string 'x' to INT32 (line 1, column 14)"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_its_place(query, sql, told):
    with pytest.raises(BadQuery) as problem:
        query(sql)
    assert str(problem.value) == told


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("", "only one SELECT"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT 1; DROP TABLE runs", "only one SELECT"),
        ("DROP TABLE runs", "only one SELECT"),
        ("INSERT INTO runs SELECT * FROM runs", "only one SELECT"),
        ("CREATE TEMP TABLE x AS SELECT 1", "only one SELECT"),
        ("SET memory_limit = '100GB'", "only one SELECT"),
        ("RESET memory_limit", "only one SELECT"),
        ("PRAGMA database_list", "only one SELECT"),
        ("ATTACH 'x.duckdb'", "only one SELECT"),
        ("INSTALL httpfs", "only one SELECT"),
        ("LOAD httpfs", "only one SELECT"),
        ("COPY runs TO '/tmp/x'", "only one SELECT"),
        ("EXPORT DATABASE '/tmp/x'", "only one SELECT"),
        ("CHECKPOINT", "only one SELECT"),
        ("EXPLAIN ANALYZE SELECT 1", "only one SELECT"),
        ("CALL enable_logging()", "only one SELECT"),
        ("FROM enable_logging(storage_path = '/tmp/x')", "enable_logging is not allowed"),
        ("FROM truncate_duckdb_logs()", "truncate_duckdb_logs is not allowed"),
        ("SELECT * FROM read_text('/etc/passwd')", "read_text is not allowed"),
        ("SELECT * FROM '/etc/passwd'", "does not exist"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv is not allowed"),
        ("SELECT (SELECT content FROM read_blob('/etc/passwd'))", "read_blob is not allowed"),
        ("SELECT * FROM glob('/*')", "glob is not allowed"),
        ("SELECT * FROM read_json('https://example.org/x')", "read_json is not allowed"),
        ("SELECT getenv('HOME')", "getenv does not exist"),
        ("SELECT * FROM request", "does not exist"),
        ("SELECT * FROM duckdb_settings()", "duckdb_settings is not allowed"),
        ('SELECT * FROM system.main."DuckDB_Settings"()', "duckdb_settings is not allowed"),
        ("SELECT * FROM duckdb_databases", "duckdb_databases is not allowed"),
        ("SELECT * FROM duckdb_databases()", "duckdb_databases is not allowed"),
        ("SELECT * FROM pg_catalog.pg_settings", "pg_settings is not allowed"),
        ("SELECT current_setting('home_directory')", "current_setting is not allowed"),
        ("SELECT * FROM query('SELECT * FROM duckdb_databases()')", "query is not allowed"),
        (
            "FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM duckdb_databases()'))",
            "json_execute_serialized_sql is not allowed",
        ),
        ("SELECT json_serialize_plan('FROM duckdb_databases()')", "json_serialize_plan is not allowed"),
        ("SELECT * FROM pragma_database_list()", "pragma_database_list is not allowed"),
        ("SELECT file FROM pragma_database_list", "pragma_database_list is not allowed"),
        ("WITH x AS (SELECT path FROM duckdb_databases()) SELECT * FROM x", "duckdb_databases is not allowed"),
        ("DESCRIBE SELECT * FROM duckdb_databases()", "duckdb_databases is not allowed"),
    ],
)
def test_what_reaches_out_is_refused(query, sql, told):
    with pytest.raises(BadQuery) as problem:
        query(sql)
    assert told in str(problem.value)
    assert "root:" not in str(problem.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "COPY runs TO '/tmp/x'",
        "EXPORT DATABASE '/tmp/x'",
        "ATTACH '/tmp/x.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
        "CALL enable_logging(storage_path = '/tmp/x')",
        "DELETE FROM runs",
        "CREATE TABLE x (a INT)",
    ],
)
def test_what_would_pass_the_look_at_its_names_meets_a_sealed_database(database, sql):
    with open_sealed(str(database), msgspec.to_builtins(Limits())) as sealed, pytest.raises(duckdb.Error):
        sealed.execute(sql).fetchall()


def test_a_column_type_of_any_kind_becomes_plain_json(query):
    result = query(
        "SELECT * EXCLUDE (varint) FROM (SELECT {'a': 'NaN'::DOUBLE} AS s, [1e999, 2.5] AS l, 'inf'::FLOAT AS f,"
        " '\\x00'::BLOB AS b, map {'k': [1]} AS m, INTERVAL 3 DAY AS i, 1 AS varint)"
    )
    assert result.rows == [[{"a": None}, [None, 2.5], None, "\\x00", {"k": [1]}, "3 days"]]


@pytest.mark.parametrize(
    ("sql", "limit"),
    [
        ("SELECT count(*) FROM range(1000000) a, range(1000000) b", "seconds"),
        ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r", "seconds"),
        ("SELECT list(a.range) FROM range(100000) a, range(10000) b", "memory_mb"),
        ("SELECT length(repeat('x', 2000000000) || repeat('y', 2000000000))", "memory_mb"),
        ("SELECT repeat('x', 2000) FROM range(2000)", "answer_mb"),
    ],
)
def test_what_takes_too_much_is_ended(query, sql, limit):
    with pytest.raises(LimitExceeded) as problem:
        query(sql, seconds=3.0, memory_mb=128, answer_mb=1)
    assert problem.value.limit == limit
    assert "--" in str(problem.value), "it says which option raises it"


def test_no_process_and_no_file_is_left(query, database):
    before = {path: path.stat().st_mtime_ns for path in database.parent.rglob("*")}
    with pytest.raises(LimitExceeded):
        query("SELECT count(*) FROM range(1000000) a, range(1000000) b", seconds=0.5)
    assert {path: path.stat().st_mtime_ns for path in database.parent.rglob("*")} == before
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True).stdout
    assert "child.py" not in children


def test_the_child_knows_no_key_of_ours(query, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "gsk-secret")
    for sql in ("SELECT getenv('GROQ_API_KEY')", "SELECT getvariable('GROQ_API_KEY')"):
        try:
            assert "gsk-secret" not in str(query(sql).rows)
        except BadQuery as problem:
            assert "gsk-secret" not in str(problem)
