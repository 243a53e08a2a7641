"""The commands that read, and projections that can be deleted and rebuilt."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

CONTRACT_COLUMNS = (
    "run_id run_group_id benchmark_id benchmark_directory signature status attempt agent provider model "
    "extra_config_json started_at ended_at duration_seconds command_json cwd stdout_path stderr_path result_json_path "
    "score unit higher_is_better metrics_json artifacts_json error high_score_label high_score_value "
    "delta_to_high_score benchmark_version benchmarks_commit eliza_commit eliza_version created_at"
).split()
CONTRACT_KEYS = "generated_at runs run_groups latest_scores benchmark_summary model_summary agent_summary".split()


def make_history(bench):
    bench.add("good")
    bench.add("bad", "sys.exit(1)")
    bench.add("needy", more='[requires]\nenv = ["NOT_SET_ANYWHERE"]\n')
    bench.run("good", "bad", "needy", code=1)
    bench.run("good", more=("--agent", "zeta"))
    bench.run("good", more=("--agent", "alpha"))


def test_rebuilt_projections_have_the_same_bytes(bench):
    make_history(bench)
    files = [bench.results / "orchestrator.sqlite", bench.results / "viewer_data.json"]
    before = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    assert bench("export-viewer-data").stdout.strip() == str(files[1])
    assert [file.read_bytes() for file in files] == before


def test_the_database_has_the_columns_that_tools_of_the_first_orchestrator_read(bench):
    make_history(bench)
    with sqlite3.connect(bench.results / "orchestrator.sqlite") as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(benchmark_runs)")]
        groups = [row[1] for row in connection.execute("PRAGMA table_info(run_groups)")]
        rows = connection.execute("SELECT status, score, json_extract(extra_config_json, '$.seed') FROM benchmark_runs")
        assert sorted(rows.fetchall(), key=str) == sorted([("succeeded", 0.5, 1)] * 3 + [("failed", None, 1)], key=str)
        state = connection.execute("SELECT name, position, head_hash FROM projection_state").fetchone()
    assert columns[: len(CONTRACT_COLUMNS)] == CONTRACT_COLUMNS
    assert (
        groups[:7]
        == "run_group_id created_at finished_at request_json benchmarks_json repo_meta_json created_by".split()
    )
    last = bench.events()[-1]
    assert state == ("orchestrator", last["seq"], last["hash"])


def test_the_dataset_has_the_keys_that_tools_of_the_first_orchestrator_read(bench):
    make_history(bench)
    data = json.loads((bench.results / "viewer_data.json").read_bytes())
    assert list(data)[: len(CONTRACT_KEYS)] == CONTRACT_KEYS
    assert len(data["runs"]) == 4 and len(data["run_groups"]) == 3
    assert {column.removesuffix("_json") for column in CONTRACT_COLUMNS} <= data["runs"][0].keys()
    assert data["runs"] == sorted(bench.runs(), key=lambda row: row["first_seq"], reverse=True)
    assert data["generated_at"] == bench.events()[-1]["at"]


def test_the_dataset_can_be_rebuilt_as_of_a_time(bench):
    make_history(bench)
    [first_closed, *_] = bench.events("group_closed")
    before = (bench.results / "orchestrator.sqlite").read_bytes()
    for when in (str(first_closed["seq"]), first_closed["at"]):
        path = bench("export-viewer-data", "--as-of", when).stdout.strip()
        data = json.loads(Path(path).read_text())
        assert len(data["runs"]) == 2
        assert data["generated_at"] == first_closed["at"]
    assert (bench.results / "orchestrator.sqlite").read_bytes() == before


def test_show_runs_sorts_by_agent_and_run_id_before_the_limit(bench):
    make_history(bench)
    rows = json.loads(bench("show-runs", "--json").stdout)
    assert [row["agent"] for row in rows] == ["alpha", "bare-model", "bare-model", "zeta"]
    assert rows == sorted(rows, key=lambda row: (row["agent"], row["run_id"]))
    assert json.loads(bench("show-runs", "--json", "--desc").stdout) == rows[::-1]
    assert json.loads(bench("show-runs", "--json", "--limit", "2").stdout) == rows[:2]
    assert json.loads(bench("show-runs", "--json", "--limit", "2", "--desc").stdout) == rows[:1:-1]
    newest = sorted(rows, key=lambda row: row["started_at"], reverse=True)
    assert json.loads(bench("show-runs", "--json", "--limit", "2", "--recent").stdout) == newest[:2]
    assert "2 of 4 runs; --recent shows the newest" in bench("show-runs", "--limit", "2").stdout
    assert "exclude each other" in bench("show-runs", "--recent", "--desc", code=2).stderr
    assert [row["status"] for row in json.loads(bench("show-runs", "--json", "--status", "failed").stdout)] == [
        "failed"
    ]
    assert json.loads(bench("show-runs", "--json", "--benchmark", "unknown").stdout) == []
    table = bench("show-runs").stdout
    assert "failed (exit_code)" in table and "0.500" in table


def test_show_runs_shows_skipped_and_incompatible_work(bench):
    bench.add("good")
    bench.add("never", more='[requires]\nenv = ["NO_SUCH_VARIABLE"]\ncommands = ["no-such-command"]')
    assert json.loads(bench("show-runs", "--json", "--status", "skipped").stdout) == []
    bench.run("good", "never")
    bench.run("good", "never", more=("--agent", "other", "--model", "m"))
    bench.run("good", more=("--agent", "other", "--model", "m"))
    first, second, third = (event["stream"] for event in bench.events("group_opened"))

    def undone(status, *more):
        rows = json.loads(bench("show-runs", "--json", "--status", status, *more).stdout)
        return [(row["run_group_id"], row["benchmark_id"], row["agent"], row["model"], row["status"]) for row in rows]

    assert undone("skipped") == [(third, "good", "other", "m", "skipped")]
    lacking = [
        (first, "never", "bare-model", "qwen3", "incompatible"),
        (second, "never", "other", "m", "incompatible"),
    ]
    assert undone("incompatible") == lacking
    assert undone("incompatible", "--desc") == undone("incompatible", "--recent") == lacking[::-1]
    assert undone("incompatible", "--limit", "1") == lacking[:1]
    assert undone("incompatible", "--benchmark", "good") == []
    [opened, *_] = bench.events("group_opened")
    assert undone("incompatible", "--as-of", str(opened["seq"])) == []
    [row] = json.loads(bench("show-runs", "--json", "--status", "skipped").stdout)
    assert row["reason"] == "already_succeeded" and row["existing_run_id"] == bench.runs()[1]["run_id"]
    table = bench("show-runs", "--status", "incompatible").stdout
    assert "missing: environment variable NO_SUCH_VARIABLE; command no-such-command on PATH" in table
    assert {run["status"] for run in bench.runs()} == {"succeeded"}, "they are not runs"


def test_show_run_finds_a_run_by_the_beginning_of_its_id(bench):
    make_history(bench)
    run = bench.runs()[0]
    shown = json.loads(bench("show-run", run["run_id"][:-4], "--json").stdout)
    assert shown["run"] == run
    assert [event["type"] for event in shown["events"]] == ["started", "finished"]
    assert run["run_id"] in bench("show-run", run["run_id"]).stdout
    assert "runs begin with 'run_'" in bench("show-run", "run_", code=2).stderr


def test_list_benchmarks_shows_what_can_run_and_uncovered_folders(bench):
    make_history(bench)
    bench.add("needy", more='[requires]\nenv = ["NOT_SET_ANYWHERE"]\n')
    document = json.loads(bench("list-benchmarks", "--json").stdout)
    rows = {row["id"]: row for row in document["benchmarks"]}
    assert rows["good"]["runnable"] and rows["good"]["source"] == "workspace"
    assert rows["needy"]["missing"] == ["environment variable NOT_SET_ANYWHERE"]
    assert {"context_recall", "action_calling", "reasoning_gym", "human_eval", "solana", "osworld"} <= rows.keys()
    assert (document["directories"], document["uncovered"]) == (["bad", "good", "needy"], [])
    (bench.root / "new_one").mkdir()
    (bench.root / ".hidden").mkdir()
    assert (
        "directories without a benchmark: new_one\nhint: give each a benchmark.toml"
        in bench("list-benchmarks", code=2).stderr
    )
    (bench.root / "benchmarks.toml").write_text('exclude = ["new*"]\n')
    bench("list-benchmarks")


def test_reading_commands_never_append(bench):
    make_history(bench)
    before = [(path, path.read_bytes()) for path in sorted((bench.results / "ledger").rglob("*"))]
    for arguments in (
        ["show-runs"],
        ["list-benchmarks"],
        ["export-viewer-data"],
        ["ledger", "log"],
        ["ledger", "verify"],
        ["leaderboard"],
        ["compare", "alpha", "zeta"],
        ["check", "alpha", "--baseline", "best", "--across"],
        ["high-scores"],
        ["report", "--json"],
        ["export", "--format", "csv"],
    ):
        bench(*arguments)
    assert [(path, path.read_bytes()) for path in sorted((bench.results / "ledger").rglob("*"))] == before


def test_the_log_as_json_is_the_ledger_itself(bench):
    make_history(bench)
    [segment] = (bench.results / "ledger").glob("*.jsonl")
    assert bench("ledger", "log", "--json").stdout == segment.read_text()
    [line] = bench("ledger", "log", "--json", "--type", "failed").stdout.splitlines()
    assert json.loads(line)["type"] == "failed"
    assert len(bench("ledger", "log", "--limit", "2").stdout.splitlines()) == 2
    run_id = bench.runs()[0]["run_id"]
    assert len(bench("ledger", "log", "--stream", run_id).stdout.splitlines()) == 2


def test_changed_artifacts_are_found(bench):
    make_history(bench)
    [path, *_] = bench.results.rglob("result.json")
    path.write_text("{}")
    done = bench("ledger", "verify", code=1)
    assert "output/result.json is not the file that was recorded" in done.stdout
    path.unlink()
    printed = bench("ledger", "verify", code=1).stdout
    assert "output/result.json" in printed and printed != done.stdout
    bench("ledger", "verify", "--no-artifacts")


def test_providers_show_which_have_a_key_and_never_the_key(bench):
    done = bench("providers", "--json", GROQ_API_KEY="gsk-not-to-be-seen")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["groq"]["has_key"] is True and rows["openai"]["has_key"] is False
    assert "gsk-not-to-be-seen" not in done.stdout + bench("providers", GROQ_API_KEY="gsk-not-to-be-seen").stdout
    expected = "openai groq openrouter anthropic google cerebras together deepseek mistral xai ollama vllm local"
    assert set(expected.split()) <= rows.keys()


def test_a_workspace_can_be_named_before_or_after_the_command_or_by_the_environment(bench, tmp_path):
    make_history(bench)
    expected = bench("show-runs", "--json").stdout
    assert bench("show-runs", "--json", "--workspace", str(bench.root)).stdout == expected
    elsewhere = type(bench)(tmp_path)
    elsewhere.command = lambda *arguments: [*bench.command()[:1], *arguments]
    assert elsewhere("show-runs", "--json", BENCHMARKS_WORKSPACE=str(bench.root)).stdout == expected


def test_the_tests_read_runs_and_events_as_the_commands_show_them(bench):
    """`bench.runs()` and `bench.events()` start no command, so that thousands of tests are quicker."""
    bench.add("good")
    bench.run("good")
    bench.run("good", more=("--force",))
    bench.run("good")
    assert bench.runs() == bench.runs("--limit", "200") != []
    lines = bench("ledger", "log", "--json").stdout.splitlines()
    assert bench.events() == [json.loads(line) for line in lines] != []
