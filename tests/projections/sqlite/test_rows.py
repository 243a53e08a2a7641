"""Rows: the names and types that older tools know, and the way back from a row to its run."""

from __future__ import annotations

import json
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.events import Artifact, Imported, ImportSource, NewEvent
from benchmarks.ledger.history import History
from benchmarks.projections.sqlite.database import open_readonly, read_runs, rebuild, refresh
from benchmarks.projections.sqlite.rows import (
    FIRST_COLUMNS,
    GROUP_COLUMNS,
    RUN_COLUMNS,
    TOKEN_COLUMNS,
    group_row,
    group_values,
    load_group,
    load_run,
    run_row,
    run_values,
    token_counts,
)

RUN_CONTRACT = """
run_id run_group_id benchmark_id benchmark_directory signature status attempt agent provider model extra_config_json
started_at ended_at duration_seconds command_json cwd stdout_path stderr_path result_json_path score unit
higher_is_better metrics_json artifacts_json error high_score_label high_score_value delta_to_high_score
benchmark_version benchmarks_commit eliza_commit eliza_version created_at
""".split()
GROUP_CONTRACT = """
run_group_id created_at finished_at request_json benchmarks_json repo_meta_json created_by
""".split()


@pytest.fixture
def run(store, histories):
    files = [Artifact("output/result.json", 2, "0" * 64)]
    usage = {"input_tokens": 10, "output_tokens": 5, "calls": 2}
    finished = histories.finished(0.5, metrics={"a": [1, {"b": None}]}, artifacts=files, usage=usage)
    histories.append_anyway(store, [NewEvent("run_1", histories.started()), NewEvent("run_1", finished)])
    return History().read(store.read()).runs["run_1"]


@pytest.mark.parametrize(("table", "contract"), [("benchmark_runs", RUN_CONTRACT), ("run_groups", GROUP_CONTRACT)])
def test_the_columns_of_the_contract_come_first_and_in_their_order(store, tmp_path, table, contract):
    rebuild(tmp_path / "db.sqlite", store)
    with open_readonly(tmp_path / "db.sqlite") as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    assert columns[: len(contract)] == contract
    assert len(columns) == len(set(columns))


def test_a_row_has_the_names_of_the_columns_without_json_and_its_values_decoded(run):
    row = run_row(run)
    assert list(row) == [column.field for column in RUN_COLUMNS] + [*TOKEN_COLUMNS, *FIRST_COLUMNS]
    assert not [name for name in row if name.endswith("_json") and name not in ("result_json",)]
    assert row["metrics"] == {"a": [1, {"b": None}]}
    assert row["artifacts"] == [{"path": "output/result.json", "bytes": 2, "sha256": "0" * 64}]
    assert json.loads(json.dumps(row)) == row, "nothing in it but JSON"


def test_values_are_of_the_types_that_the_table_declares(run):
    values = dict(zip([column.name for column in RUN_COLUMNS], run_values(run), strict=False))
    assert (values["score"], values["higher_is_better"], values["attempt"]) == (0.5, True, 1)
    assert json.loads(values["metrics_json"]) == {"a": [1, {"b": None}]}
    for column in RUN_COLUMNS:
        kinds = {"REAL": float, "INTEGER": int, "TEXT": str}
        assert values[column.name] is None or isinstance(values[column.name], kinds[column.kind]), column.name


@settings(max_examples=settings.default.max_examples // 2)  # Each takes long.
@given(data=st.data())
def test_a_run_and_a_group_come_back_from_their_rows_as_they_were(histories, data):
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from benchmarks.ledger.storage.jsonl import JsonlStore

    with TemporaryDirectory() as folder:
        store = JsonlStore(Path(folder), notice=print)
        histories.append_anyway(store, data.draw(histories.events()))
        history = History().read(store.read())
        store.close()
    for run in history.runs.values():
        assert load_run(tuple(run_values(run)[: len(RUN_COLUMNS)])) == run
    for group in history.groups.values():
        assert load_group(tuple(group_values(group))) == group
        assert list(group_row(group)) == [column.field for column in GROUP_COLUMNS]


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({}, [None, None, None, None, None]),
        ({"input_tokens": 10, "output_tokens": 5}, [10, 5, 15, None, None]),
        ({"input_tokens": 10, "output_tokens": 5, "total_tokens": 99, "cached_tokens": 1}, [10, 5, 99, 1, None]),
        ({"calls": 3, "input_tokens": 10}, [10, None, None, None, 3]),
        ({"call_count": 3.0}, [None, None, None, None, 3]),
        ({"input_tokens": "10", "output_tokens": 5}, [None, 5, None, None, None]),
        ({"input_tokens": {"text": 10}, "calls": [1], "total_tokens": True}, [None, None, None, None, None]),
        ({"input_tokens": 1.5, "calls": None}, [None, None, None, None, None]),
    ],
)
def test_tokens_are_counted_where_the_usage_says_a_number(run, usage, counts):
    from msgspec.structs import replace

    assert token_counts(replace(run, usage=usage)) == counts


@pytest.mark.parametrize(
    "odd",
    [
        {"usage": {"input_tokens": {"a": 1}, "calls": "many"}},
        {"usage": {"input_tokens": 10**30, "output_tokens": -(10**30)}},
        {"samples": 10**30},
        {"return_code": -(2**63)},
        {"error": "a\x00b"},
    ],
)
def test_no_result_however_odd_stops_the_projection(store, histories, tmp_path, odd):
    source = ImportSource("json", "x.json", "0" * 64)
    row = {"benchmark_id": "b", "status": "succeeded", "score": 0.5, **odd}
    histories.append_anyway(store, [NewEvent("run_odd", Imported(source=source, run=row))])
    rebuild(tmp_path / "built.sqlite", store)
    refresh(tmp_path / "followed.sqlite", store)
    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    refresh(tmp_path / "followed.sqlite", store)
    with sqlite3.connect(tmp_path / "followed.sqlite") as connection:
        assert [run.run_id for run in read_runs(connection)] == ["run_odd", "run_1"]
        [usage] = connection.execute("SELECT usage_json FROM benchmark_runs WHERE run_id = 'run_odd'").fetchone()
    assert json.loads(usage) == odd.get("usage", {}), "what was said stays to be seen"


def test_the_names_of_the_first_orchestrator_say_the_same_in_the_table_and_in_a_row(store, histories, tmp_path):
    odd = [None, True, "5", 5, 5.0, 5.5, -1, [1], 10**30]
    used = [{name: value} for _, name in FIRST_COLUMNS.values() for value in odd]
    for number, usage in enumerate(used):
        end = NewEvent(f"run_{number}", histories.finished(usage=usage))
        histories.append_anyway(store, [NewEvent(f"run_{number}", histories.started(str(number))), end])
    rebuild(tmp_path / "db.sqlite", store)
    with open_readonly(tmp_path / "db.sqlite") as connection:
        table = connection.execute(f"SELECT {', '.join(FIRST_COLUMNS)} FROM benchmark_runs ORDER BY rowid").fetchall()
        rows = [run_row(run) for run in read_runs(connection)]
    for usage, told, row in zip(used, table, rows, strict=True):
        if 10**30 not in usage.values():  # SQLite holds the nearest number of 64 bits.
            assert list(told) == [row[name] for name in FIRST_COLUMNS], usage
    assert any(row["mean_latency_ms"] == 5.5 for row in rows) and any(row["trajectory_count"] == 5 for row in rows)
