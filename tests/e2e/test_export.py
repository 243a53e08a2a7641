"""`export`: every format from a real history, to stdout or to a file."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from xml.etree import ElementTree

import duckdb
import pytest


@pytest.fixture
def history(bench):
    bench.add("good")
    bench.add("bad", "sys.exit(1)")
    bench.run("good", "bad", code=1)
    bench.run("good", more=("--model", "other"))
    return bench


def test_each_format_has_every_run(history, tmp_path):
    runs = history.runs()
    exported = json.loads(history("export", "--format", "json").stdout)
    assert all({"score_low", "score_high"} <= row.keys() for row in exported)
    assert [{name: row[name] for name in run} for row, run in zip(exported, runs, strict=True)] == runs
    rows = list(csv.DictReader(io.StringIO(history("export", "--format", "csv").stdout)))
    assert [row["run_id"] for row in rows] == [run["run_id"] for run in runs]
    events = [json.loads(line) for line in history("export", "--format", "openlineage").stdout.splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE", "START", "FAIL", "START", "COMPLETE"]
    suites = ElementTree.fromstring(history("export", "--format", "junit").stdout)
    assert [suite.get("failures") for suite in suites] == ["1", "0"]
    parquet = tmp_path / "runs.parquet"
    assert "wrote 3 runs to" in history("export", "--format", "parquet", "--output", str(parquet)).stderr
    assert duckdb.sql(f"SELECT run_id FROM '{parquet}'").fetchall() == [(run["run_id"],) for run in runs]
    piped = subprocess.run(history.command("export", "--format", "parquet"), capture_output=True, check=True).stdout
    assert piped[:4] == piped[-4:] == b"PAR1"


def test_every_eval_ever_has_the_scores_that_count(history, tmp_path):
    shown = json.loads(history("export", "--format", "every-eval-ever", "--organization", "us").stdout)
    assert [document["evaluation_results"][0]["score_details"]["score"] for document in shown] == [0.5, 0.5]
    history("export", "--format", "every-eval-ever", "--output", str(tmp_path / "store"))
    assert len(list((tmp_path / "store" / "data" / "good").rglob("*.json"))) == 2


def test_a_part_of_the_history_can_be_exported(history):
    runs = history.runs()
    then = history.events("group_closed")[0]["seq"]

    def exported(*arguments):
        return [run["run_id"] for run in json.loads(history("export", "--format", "json", *arguments).stdout)]

    assert exported(runs[0]["run_group_id"]) == [run["run_id"] for run in runs[:2]]
    assert exported("--as-of", str(then)) == exported(f"as-of:{then}") == [run["run_id"] for run in runs[:2]]
    assert exported("other") == [runs[2]["run_id"]]
    assert "exclude each other" in history("export", "other", "--as-of", "1", "--format", "json", code=2).stderr
    assert "unknown run, group, model or agent 'othr'" in history("export", "othr", "--format", "json", code=2).stderr
    nowhere = history("export", "--format", "csv", "--output", str(history.root / "no" / "x.csv"), code=2)
    assert "No such file" in nowhere.stderr
