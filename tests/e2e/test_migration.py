"""The whole history of the first orchestrator can be imported."""

from __future__ import annotations

import json
import shutil
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
    "mean_latency_ms": 250.5,
    "token_metrics_json": "{}",
}

GROUP = {
    "run_group_id": RUN["run_group_id"],
    "created_at": "2026-01-01T01:00:00+01:00",
    "finished_at": "2026-01-01T00:11:00+00:00",
    "request_json": json.dumps(
        {
            "benchmarks": ["osworld"],
            "agent": "eliza",
            "provider": "groq",
            "model": "qwen3",
            "extra_config": {"max_tasks": 1, "groq_api_key": "gsk-very-secret"},
            "force": True,
            "rerun_failed": False,
            "resume": False,
        }
    ),
    "benchmarks_json": '["osworld"]',
    "repo_meta_json": '{"benchmarks_commit": "abc", "eliza_commit": null, "eliza_version": "2.0"}',
    "created_by": "benchmarks.orchestrator",
    "cohort_status": "succeeded",
    "pause_reason": None,
}
CALLS = "run_id, trajectory_file, turn_index, prompt_tokens, completion_tokens, latency_ms"


def make_database(path, rows, *, journal="WAL", groups=({},), calls=()):
    """A database of the first orchestrator's shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute(f"CREATE TABLE run_groups ({', '.join(GROUP)})")
    connection.executemany(
        f"INSERT INTO run_groups VALUES ({', '.join('?' * len(GROUP))})",
        [tuple({**GROUP, **group}.values()) for group in groups],
    )
    connection.execute(f"CREATE TABLE benchmark_run_trajectories ({CALLS})")
    connection.executemany("INSERT INTO benchmark_run_trajectories VALUES (?, ?, ?, ?, ?, ?)", calls)
    connection.execute(f"CREATE TABLE benchmark_runs ({', '.join(RUN)})")
    connection.executemany(
        f"INSERT INTO benchmark_runs VALUES ({', '.join('?' * len(RUN))})",
        [tuple({**RUN, **row}.values()) for row in rows],
    )
    connection.commit()
    return connection


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_each_run_of_the_database_becomes_events_once(bench, tmp_path, journal):
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
    assert (
        "3 runs imported, 0 were already in the ledger; 1 run groups imported, 0 were already in the ledger; 2 rows"
        in done.stdout
    )
    again = bench("ledger", "import-sqlite", str(database)).stdout
    assert "0 runs imported, 3 were already in the ledger; 0 run groups imported, 1 were already in the ledger" in again
    good, failed, unfinished = bench.runs()
    assert (good["run_id"], good["score"], good["started_at"]) == (RUN["run_id"], 0.25, RUN["started_at"])
    assert (good["unit"], good["higher_is_better"], good["metrics"]) == ("ratio", True, {"overall": 0.25, "odd": None})
    assert good["usage"] == {"input_tokens": 100, "calls": 3, "latency_mean_ms": 250.5}
    assert good["imported"]["kind"] == "elizaos-orchestrator-sqlite"
    assert good["provenance"]["artifacts"] == ["/old/output"]
    assert (failed["status"], failed["error"], failed["metrics"]) == ("failed", "it broke", {})
    assert (unfinished["status"], unfinished["reason"]) == ("failed", "unfinished")
    assert "gsk-very-secret" not in bench.text()
    assert good["extra_config"] == {"max_tasks": 1, "groq_api_key": "[redacted:groq_api_key]"}
    assert database.read_bytes() == before
    summary = json.loads((bench.results / "viewer_data.json").read_text())["benchmark_summary"]
    assert (summary[0]["runs"], summary[0]["best_score"]) == (3, None), "an imported run cannot be a record"


def bring(bench, path, rows, code=0, **more):
    make_database(path, rows, **more).close()
    return bench("ledger", "import-sqlite", str(path), code=code)


def test_a_group_keeps_its_request_and_what_it_did_not_run(bench, tmp_path):
    skip = '{"reason": "already_succeeded", "existing_succeeded_run_id": "run_0"}'
    rows = [
        {},
        {"run_id": "skip_1", "status": "skipped", "benchmark_id": "mmlu", "metrics_json": skip},
        {"run_id": "incompat_1", "status": "incompatible", "agent": "hermes", "error": "docker is missing"},
    ]
    paused = {"run_group_id": "rg_paused", "finished_at": None, "cohort_status": "paused", "pause_reason": "quota"}
    left = {"run_group_id": "rg_left", "finished_at": None, "cohort_status": "running", "request_json": "no json"}
    bring(bench, tmp_path / "old.sqlite", rows, groups=[{}, paused, left])
    dataset = json.loads((bench.results / "viewer_data.json").read_text())
    groups = {group["run_group_id"]: group for group in dataset["run_groups"]}
    group = groups[GROUP["run_group_id"]]
    assert (group["created_at"], group["finished_at"]) == ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:11:00.000000Z")
    request = group["request"]
    assert (request["benchmarks"], request["provider"], request["model"]) == (["osworld"], "groq", "qwen3")
    assert request["agent"] == "eliza, hermes"
    assert request["extra"] == {"max_tasks": 1, "groq_api_key": "[redacted:groq_api_key]"}
    assert {name: request["flags"][name] for name in ("force", "rerun_failed", "resume")} == {
        "force": True,
        "rerun_failed": False,
        "resume": False,
    }
    assert group["repo_meta"]["benchmarks"] == {"commit": "abc"} and group["repo_meta"]["eliza_version"] == "2.0"
    assert group["counts"] == {"succeeded": 1, "failed": 0, "skipped": 1, "incompatible": 1}
    assert group["imported"]["kind"] == "elizaos-orchestrator-sqlite"
    [skipped] = json.loads(bench("show-runs", "--status", "skipped", "--json").stdout)
    assert (skipped["benchmark_id"], skipped["reason"], skipped["existing_run_id"]) == (
        "mmlu",
        "already_succeeded",
        "run_0",
    )
    [lacking] = json.loads(bench("show-runs", "--status", "incompatible", "--json").stdout)
    assert (lacking["agent"], lacking["missing"]) == ("hermes", ["docker is missing"])
    assert (groups["rg_paused"]["reason"], groups["rg_left"]["reason"]) == ("paused", "unfinished")
    assert all(one["finished_at"] for one in groups.values()), "no process is left to close them"
    assert groups["rg_paused"]["request"]["flags"]["first_orchestrator"]["pause_reason"] == "quota"


def test_the_files_and_model_calls_of_a_run_are_imported(bench, tmp_path):
    folder = tmp_path / "results" / RUN["run_group_id"] / "OSWorld__osworld" / RUN["run_id"]
    (folder / "output" / "traces").mkdir(parents=True)
    (folder / "output" / "result.json").write_text("{}")
    (folder / "output" / "traces" / "one").write_text("1")
    printed = json.dumps([str(folder / "output"), str(folder / "process-progress.ndjson")])
    gone = {"run_id": "run_gone", "artifacts_json": '["/nowhere/run_gone/output"]'}
    evil = {"run_id": "run_evil", "artifacts_json": json.dumps([str(tmp_path / "secret" / "output")])}
    (tmp_path / "secret" / "output").mkdir(parents=True)
    (tmp_path / "secret" / "output" / "key").write_text("not of a run")
    calls = [(RUN["run_id"], "output/t.jsonl", turn, 10 * turn, 5, 1.5) for turn in range(3)]
    bring(bench, tmp_path / "results" / "old.sqlite", [{"artifacts_json": printed}, gone, evil], calls=calls)
    runs = {run["run_id"]: run for run in bench.runs()}
    files = [(file["path"], file["bytes"]) for file in runs[RUN["run_id"]]["artifacts"]]
    assert files == [("output/result.json", 2), ("output/traces/one", 1)]
    assert runs["run_gone"]["artifacts"] == runs["run_evil"]["artifacts"] == []
    assert "its files were not found" in runs["run_gone"]["notes"][0]
    assert runs[RUN["run_id"]]["provenance"]["trajectories"][2] == {
        "trajectory_file": "output/t.jsonl",
        "turn_index": 2,
        "prompt_tokens": 20,
        "completion_tokens": 5,
        "latency_ms": 1.5,
    }


def test_a_moved_folder_is_found_beside_its_database(bench, tmp_path):
    folder = tmp_path / "moved" / RUN["run_group_id"] / "OSWorld__osworld" / RUN["run_id"]
    (folder / "output").mkdir(parents=True)
    (folder / "output" / "result.json").write_text("{}")
    bring(bench, tmp_path / "moved" / "orchestrator.sqlite", [{"artifacts_json": '["/elsewhere/output"]'}])
    assert [file["path"] for file in bench.runs()[0]["artifacts"]] == ["output/result.json"]


def test_agents_of_one_benchmark_are_one_task(bench, tmp_path):
    """Their labels stood among the options, so that no two of them could be compared."""
    rows = [
        {
            "run_id": f"run_{agent}",
            "agent": agent,
            "extra_config_json": json.dumps({"max_tasks": 1, "agent": agent, "harness": agent}),
        }
        for agent in ("eliza", "hermes", "openclaw")
    ]
    bring(bench, tmp_path / "old.sqlite", rows)
    runs = bench.runs()
    assert len({run["comparison_key"] for run in runs}) == 1
    assert all(run["extra_config"] == {"max_tasks": 1} for run in runs)
    assert [run["provenance"]["labels"]["harness"] for run in runs] == ["eliza", "hermes", "openclaw"]


@pytest.mark.parametrize(
    ("row", "is_synthetic"),
    [
        ({}, False),
        ({"agent": "perfect_v1"}, True),
        ({"agent": "half_v2"}, True),
        ({"agent": "perfectionist"}, False),
        ({"provider": "mock"}, True),
        ({"extra_config_json": '{"dry_run": true}'}, True),
        ({"extra_config_json": '{"mock": false}'}, False),
        ({"benchmark_id": "trust", "extra_config_json": '{"handler": "oracle"}'}, True),
        ({"benchmark_id": "trust", "extra_config_json": '{"handler": "eliza"}'}, False),
        ({"metrics_json": '{"synthetic_harness": "half_v1"}'}, True),
    ],
)
def test_a_run_without_a_model_is_synthetic(bench, tmp_path, row, is_synthetic):
    bring(bench, tmp_path / "old.sqlite", [row])
    assert [run["synthetic"] for run in bench.runs()] == [is_synthetic]


def test_runs_imported_by_an_earlier_version_are_not_doubled_and_differences_are_reported(bench, tmp_path):
    from benchmarks.ledger.events import Imported, ImportSource, NewEvent
    from benchmarks.ledger.storage.jsonl import JsonlStore

    database = tmp_path / "old.sqlite"
    same = {"run_id": "run_same", "extra_config_json": "{}"}
    make_database(database, [{"agent": "perfect_v1"}, same]).close()
    bench("ledger", "import-sqlite", str(database))
    keys = {run["run_id"]: run["comparison_key"] for run in bench.runs()}
    shutil.rmtree(bench.results)
    earlier = JsonlStore(bench.results / "ledger", notice=pytest.fail)
    fields = ("benchmark_id", "status", "agent", "provider", "model", "score", "unit")
    events = [
        NewEvent(
            run_id,
            Imported(
                source=ImportSource("elizaos-orchestrator-sqlite", "old.sqlite", "0" * 64),
                run={**{name: RUN[name] for name in fields}, "agent": agent, "comparison_key": key},
            ),
        )
        for run_id, agent, key in (
            (RUN["run_id"], "perfect_v1", "of its own"),
            ("run_same", "eliza", keys["run_same"]),
        )
    ]
    earlier.append(lambda _: events, lambda _: None)
    earlier.close()
    done = bench("ledger", "import-sqlite", str(database))
    assert "0 runs imported, 2 were already in the ledger; 1 run groups imported" in done.stdout
    assert (
        "this version reads 1 runs that were already in the ledger differently (comparison_key, synthetic)"
        in done.stderr
    )
    assert len(bench.runs()) == 2


def test_an_invalid_row_does_not_stop_the_others(bench, tmp_path):
    rows = [
        {},
        {"run_id": None},
        {"run_id": "run_text", "score": "much", "attempt": "first"},
        {"run_id": "run_inf", "score": float("inf"), "metrics_json": "[" * 100_000},
        {"run_id": "run_blob", "model": b"\xff\xfe", "extra_config_json": b"\x00"},
    ]
    done = bring(bench, tmp_path / "old.sqlite", rows, groups=[{}, {"run_group_id": None}], code=1)
    assert "the id of a run is missing or not unique: None" in done.stderr and "run_text" in done.stderr
    assert {run["run_id"] for run in bench.runs()} >= {RUN["run_id"], "run_inf"}


def test_a_database_in_our_place_is_never_overwritten(bench):
    bench.add("good")
    database = bench.results / "orchestrator.sqlite"
    connection = make_database(database, [{}])
    assert connection.execute("SELECT count(*) FROM benchmark_runs").fetchone() == (1,)
    assert bench.runs() == [], "a reader leaves it alone, and answers from the ledger"
    assert database.exists() and not list(bench.results.glob("*.first*"))
    connection.close()
    printed = bench.run("good")
    kept = bench.results / "orchestrator.first.sqlite"
    assert f"is kept as {kept}" in printed and "ledger import-sqlite" in printed
    assert "1 runs imported" in bench("ledger", "import-sqlite", str(kept)).stdout
    assert [run["benchmark_id"] for run in bench.runs()] == ["good", "osworld"]
    bench("export-viewer-data")
    with sqlite3.connect(kept) as connection:
        assert connection.execute("SELECT run_id FROM benchmark_runs").fetchall() == [(RUN["run_id"],)]


def test_another_database_is_an_error(bench, tmp_path):
    bench.add("good")
    bench.run("good")
    text = tmp_path / "text"
    text.write_text("no database")
    empty = tmp_path / "empty.sqlite"
    sqlite3.connect(empty).execute("CREATE TABLE x (y)").connection.close()
    for path, message in (
        (text, "cannot be read as a database"),
        (empty, "no table benchmark_runs"),
        (bench.results / "orchestrator.sqlite", "copy the ledger instead"),
        (tmp_path / "nothing", "does not exist"),
    ):
        assert message in bench("ledger", "import-sqlite", str(path), code=2).stderr
    assert len(bench.runs()) == 1


def test_a_run_named_by_a_key_is_left_out_and_reported(bench, tmp_path):
    key = "sk-proj-abcdefghijklmnop1234567890"
    make_database(tmp_path / "old.sqlite", [{}, {"run_id": "run_2", "model": key}]).close()
    done = bench("ledger", "import-sqlite", str(tmp_path / "old.sqlite"), code=None)
    assert "1 runs imported" in done.stdout
    printed = done.stdout + done.stderr
    assert "run_2: its model holds what looks like a key" in printed and key not in printed
    assert key not in bench.text()
