"""Whoever comes from the first orchestrator brings the history along, and loses none of it on the way."""

from __future__ import annotations

import json
import sqlite3

import pytest

RUN = {
    "run_id": "run_osworld_20260101T000000Z_1_aaaaaaaa",
    "run_group_id": "rg_20260101T000000Z_bbbbbbbb",
    "benchmark_id": "osworld",
    "benchmark_directory": "OSWorld",
    "signature": "old-signature",
    "status": "succeeded",
    "attempt": 1,
    "agent": "eliza",
    "provider": "groq",
    "model": "qwen3",
    "extra_config_json": '{"max_tasks": 1, "groq_api_key": "gsk-very-secret"}',
    "started_at": "2026-01-01T00:00:00+00:00",
    "ended_at": "2026-01-01T00:10:00+00:00",
    "duration_seconds": 600.0,
    "command_json": '["python", "run.py", "--key", "gsk-very-secret"]',
    "cwd": "/old",
    "stdout_path": "/old/stdout.log",
    "stderr_path": "/old/stderr.log",
    "score": 0.25,
    "unit": "ratio",
    "higher_is_better": 1,
    "metrics_json": '{"overall": 0.25, "odd": NaN}',
    "artifacts_json": '["/old/output"]',
    "error": None,
    "high_score_label": None,
    "created_at": "2026-01-01T00:00:00+00:00",
    "total_prompt_tokens": 100,
    "llm_call_count": 3,
}


def make_database(path, rows, *, journal="WAL"):
    """A database of the first orchestrator's shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute("CREATE TABLE run_groups (run_group_id TEXT PRIMARY KEY)")
    connection.execute(f"CREATE TABLE benchmark_runs ({', '.join(RUN)})")
    connection.executemany(
        f"INSERT INTO benchmark_runs VALUES ({', '.join('?' * len(RUN))})",
        [tuple({**RUN, **row}.values()) for row in rows],
    )
    connection.commit()
    return connection


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_its_runs_become_events_once(bench, tmp_path, journal):
    rows = [
        {},
        {"run_id": "run_2", "status": "failed", "score": None, "error": "it broke", "metrics_json": "no json"},
        {"run_id": "run_3", "status": "running", "ended_at": None, "score": None},
        {"run_id": "skip_4", "status": "skipped", "score": None},
        {"run_id": "incompat_5", "status": "incompatible", "score": None},
    ]
    rows = [{**row, "started_at": f"2026-01-0{day}T00:00:00+00:00"} for day, row in enumerate(rows, 1)]
    database = tmp_path / "old.sqlite"
    make_database(database, rows, journal=journal).close()
    before = database.read_bytes()
    done = bench("ledger", "import-sqlite", str(database))
    assert "3 runs imported, 0 were there already; 2 rows" in done.stdout
    assert "0 runs imported, 3 were there already" in bench("ledger", "import-sqlite", str(database)).stdout
    good, failed, unfinished = bench.runs()
    assert (good["run_id"], good["score"], good["started_at"]) == (RUN["run_id"], 0.25, RUN["started_at"])
    assert (good["unit"], good["higher_is_better"], good["metrics"]) == ("ratio", True, {"overall": 0.25, "odd": None})
    assert good["usage"] == {"input_tokens": 100, "calls": 3}
    assert good["imported"]["kind"] == "elizaos-orchestrator-sqlite"
    assert good["provenance"]["artifacts"] == ["/old/output"]
    assert (failed["status"], failed["error"], failed["metrics"]) == ("failed", "it broke", {})
    assert (unfinished["status"], unfinished["reason"]) == ("failed", "unfinished")
    assert "gsk-very-secret" not in bench.text()
    assert good["extra_config"] == {"max_tasks": 1, "groq_api_key": "[redacted:groq_api_key]"}
    assert database.read_bytes() == before
    summary = json.loads((bench.results / "viewer_data.json").read_text())["benchmark_summary"]
    assert (summary[0]["runs"], summary[0]["best_score"]) == (3, None), "an imported run is no record"


def test_a_database_in_our_place_is_never_overwritten(bench):
    bench.add("good")
    database = bench.results / "orchestrator.sqlite"
    connection = make_database(database, [{}])
    assert connection.execute("SELECT count(*) FROM benchmark_runs").fetchone() == (1,)
    assert bench.runs() == [], "a reader leaves it alone, and answers from the ledger"
    assert database.exists() and not list(bench.results.glob("*.first*"))
    connection.close()
    told = bench.run("good")
    kept = bench.results / "orchestrator.first.sqlite"
    assert f"is kept as {kept}" in told and "ledger import-sqlite" in told
    assert "1 runs imported" in bench("ledger", "import-sqlite", str(kept)).stdout
    assert [run["benchmark_id"] for run in bench.runs()] == ["good", "osworld"]
    bench("export-viewer-data")
    with sqlite3.connect(kept) as connection:
        assert connection.execute("SELECT run_id FROM benchmark_runs").fetchall() == [(RUN["run_id"],)]


def test_what_is_no_such_database_is_told(bench, tmp_path):
    bench.add("good")
    bench.run("good")
    text = tmp_path / "text"
    text.write_text("no database")
    empty = tmp_path / "empty.sqlite"
    sqlite3.connect(empty).execute("CREATE TABLE x (y)").connection.close()
    for path, told in (
        (text, "cannot be read as a database"),
        (empty, "no table benchmark_runs"),
        (bench.results / "orchestrator.sqlite", "copy the ledger instead"),
        (tmp_path / "nothing", "does not exist"),
    ):
        assert told in bench("ledger", "import-sqlite", str(path), code=2).stderr
    assert len(bench.runs()) == 1
