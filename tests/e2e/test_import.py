"""Results from elsewhere are imported once and marked as imported; a broken file does not stop the others."""

from __future__ import annotations

import csv
import io
import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks.ledger.events import Imported, ImportSource, NewEvent
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore

SAMPLES = Path(__file__).parent.parent / "samples"
DATA = Path(__file__).parent.parent / "adapters" / "imports" / "data"


def test_everything_is_imported_once_and_marked(bench, tmp_path):
    files = shutil.copytree(SAMPLES, tmp_path / "files")
    done = bench("import", str(files))
    assert "17 runs imported, 0 were already in the ledger" in done.stdout and done.stderr == ""
    runs = {run["run_id"]: run for run in bench.runs()}
    assert len(runs) == 17 and all(run["imported"] for run in runs.values())
    kinds = {run["imported"]["kind"] for run in runs.values()}
    assert kinds == {
        "asv-results", "every-eval-ever", "harbor-job", "helm-run", "hyperfine", "inspect-log", "lm-eval-results",
        "pytest-benchmark",
    }  # fmt: skip
    [killed] = [run for run in runs.values() if run["benchmark_id"] == "slow"]
    assert (killed["status"], killed["reason"]) == ("failed", "unfinished")
    assert "succeeded (imported)" in bench("show-runs").stdout
    moved = shutil.move(files, tmp_path / "moved")
    assert (
        "0 runs imported, 17 were already in the ledger"
        in bench("import", str(moved), str(moved / "inspect.eval")).stdout
    )
    assert len(bench.events("imported")) == 17
    summary = json.loads((bench.results / "viewer_data.json").read_text())["benchmark_summary"]
    assert all(row["best_score"] is None for row in summary), "an imported run cannot be a record"


def test_the_event_has_the_source_its_digest_and_the_original_times(bench, tmp_path):
    file = tmp_path / "mine.eval"
    shutil.copy(SAMPLES / "inspect.eval", file)
    bench("import", str(file))
    [event] = bench.events("imported")
    digest = sha256(file.read_bytes()).hexdigest()
    assert event["data"]["source"] == {"kind": "inspect-log", "path": str(file), "sha256": digest}
    assert event["data"]["run"]["started_at"].startswith("2026-11-23T20:35:0")
    [run] = bench.runs()
    assert run["started_at"] == event["data"]["run"]["started_at"] and run["created_at"] == event["at"]


def test_a_broken_file_is_reported_and_the_others_are_imported(bench, tmp_path):
    (tmp_path / "broken.eval").write_bytes((SAMPLES / "inspect.eval").read_bytes()[:5000])
    (tmp_path / "cut.json").write_text((SAMPLES / "lm-eval-results.json").read_text()[:900])
    shutil.copy(SAMPLES / "hyperfine.json", tmp_path)
    done = bench("import", str(tmp_path), code=1)
    assert "1 runs imported" in done.stdout
    assert "broken.eval: not a whole Inspect log" in done.stderr and "cut.json: is not JSON" in done.stderr
    shown = json.loads(bench("import", "--json", str(tmp_path), code=1).stdout)
    assert [row["new"] for row in shown["runs"]] == [False] and len(shown["problems"]) == 2


def test_a_dry_run_writes_nothing(bench, tmp_path):
    done = bench("import", "--dry-run", str(SAMPLES / "hyperfine.json"))
    assert "sleep_0_01" in done.stdout and "1 runs would be imported" in done.stdout
    assert not bench.results.exists()


def test_a_csv_needs_its_columns_named(bench, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("task,who,acc\ngsm8k,m1,0.5\n")
    assert "--map benchmark=COLUMN" in bench("import", str(table), code=1).stderr
    mapping = ("--map", "benchmark=task", "--map", "model=who", "--map", "score=acc", "--set", "unit=ratio")
    bench("import", str(table), *mapping)
    [run] = bench.runs()
    assert (run["benchmark_id"], run["model"], run["score"], run["unit"]) == ("gsm8k", "m1", 0.5, "ratio")


def test_importing_a_file_with_other_options_is_reported_and_changes_nothing(bench, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("benchmark,model,score,acc\ngsm8k,m1,0.5,0.7\n")
    assert bench("import", str(table)).stderr == "" and bench("import", str(table)).stderr == ""
    for change in (["--map", "score=acc"], ["--set", "unit=ratio"], ["--set", "config.shots=5"], ["--set", "agent=a"]):
        for dry in ([], ["--dry-run"]):
            printed = bench("import", str(table), *change, *dry).stderr
            assert "1 runs that were imported before have another score, unit or option" in printed
    [run] = bench.runs()
    assert (run["score"], run["unit"], run["agent"]) == (0.5, "score", "")


def test_secrets_of_an_imported_file_stay_out(bench, tmp_path):
    header = json.loads((SAMPLES / "inspect-header.json").read_text())
    header["eval"]["task_args"] = {"judge_api_key": "sk-very-secret", "note": "with gsk-also-secret in it"}
    (tmp_path / "log.json").write_text(json.dumps(header))
    bench("import", str(tmp_path / "log.json"), GROQ_API_KEY="gsk-also-secret")
    assert "very-secret" not in bench.text() and "also-secret" not in bench.text()
    assert bench.runs()[0]["extra_config"]["task_args"]["judge_api_key"] == "[redacted:judge_api_key]"


def test_bad_usage_is_an_error(bench, tmp_path):
    assert "does not exist" in bench("import", str(tmp_path / "nothing"), code=2).stderr
    (tmp_path / "empty").mkdir()
    assert "nothing to import" in bench("import", str(tmp_path / "empty"), code=2).stderr
    assert "does not have the form FIELD=" in bench("import", str(tmp_path), "--map", "score", code=2).stderr
    printed = bench("import", str(tmp_path), "--set", "unti=ratio", code=2).stderr
    assert "--set: unknown field 'unti'\nhint: did you mean unit?" in printed
    assert "--map names score twice" in bench("import", str(tmp_path), *["--map", "score=a"] * 2, code=2).stderr


def standings(bench):
    return json.loads(bench("leaderboard", "--include", "imported", "--json").stdout)["standings"]


def test_two_names_are_two_benchmarks_and_are_shown(bench):
    bench("import", str(DATA / "names.csv"))
    assert len({row["task"]["benchmark_id"] for row in standings(bench)}) == 4
    shown = bench("leaderboard", "--include", "imported").stdout
    assert all(name in shown for name in ("数学推理", "历史知识", "C++", "C#"))
    assert all(run["extra_config"]["benchmark_name"] in shown for run in bench.runs())
    assert "C++" in bench("import", "--dry-run", str(DATA / "names.csv")).stdout
    for command in ("leaderboard", "show-runs"):
        include = ("--include", "imported") if command == "leaderboard" else ()
        found = bench(command, *include, "--benchmark", "C++").stdout
        assert "C++" in found and "C#" not in found, "a benchmark is found by its name"
        assert "C++" in bench(command, *include, "--benchmark", "c-f1deb75fa2").stdout, "and by its id"


def test_models_and_directions_of_older_results_make_rows_of_their_own(bench):
    bench("import", str(DATA / "lm-eval-0.4.2-base-1b.json"), str(DATA / "lm-eval-0.4.2-other-7b.json"))
    rows = [row for row in standings(bench) if row["task"]["benchmark_id"] == "ppl_task"]
    assert [(row["model"], row["best_score"], row["rank"]) for row in rows] == [
        ("org/base-1b", pytest.approx(1.6169, abs=1e-4), 1),
        ("org/other-7b", 9.0, 2),
    ]


def test_machines_and_environments_are_rows_of_their_own(bench):
    bench("import", str(DATA / "asv-machines"))
    assert sorted(row["score"]["mean"] for row in standings(bench)) == [0.1, 0.7, 0.9]
    shown = bench("leaderboard", "--include", "imported").stdout
    assert "slow" in shown and "3.13" in shown


@pytest.mark.parametrize("order", [["new.csv", "old.csv"], ["old.csv", "new.csv"]])
def test_each_run_keeps_its_own_times(bench, order):
    for name in order:
        bench("import", str(DATA / name))
    times = {run["score"]: (run["started_at"], run["ended_at"]) for run in bench.runs()}
    assert times[0.9] == ("2026-06-01T10:00:00.000000Z", "2026-06-01T11:00:00.000000Z")
    assert times[0.2] == ("2025-01-01T10:00:00.000000Z", "2025-01-01T11:00:00.000000Z")


def test_notes_about_a_score_are_shown_and_recorded(bench):
    done = bench("import", str(DATA / "inspect-errors.json"))
    assert "2 of 4 samples have no score" in done.stderr
    [run] = bench.runs()
    assert run["notes"] == ["2 of 4 samples have no score, and the score is of the others"]
    assert "2 of 4 samples have no score" in bench("show-run", run["run_id"]).stdout
    done = bench("import", "--metric", "f1", str(DATA / "lm-eval-percent.json"))
    assert "45.2" in done.stdout and "ratio" not in done.stdout
    assert "is not a ratio between 0 and 1; its unit may be percent" in done.stderr


def test_the_cost_of_imported_runs_is_recorded(bench):
    bench("import", str(DATA / "inspect-cost.json"), str(SAMPLES / "harbor-job"))
    assert {run["usage"]["cost_usd"] for run in bench.runs()} == {1.0, 0.04}
    shown = bench("query", "select usage_json from runs").stdout
    assert '"cost_usd":1.0' in shown and '"cost_usd":0.04' in shown, "a lone column is not cut short"


def test_tasks_without_the_metric_are_reported_and_the_others_imported(bench):
    done = bench("import", str(DATA / "lm-eval-mixed.json"), "--metric", "acc_norm")
    assert "1 runs imported" in done.stdout and "mc_alpha" in done.stdout
    assert "ppl_task: it has no metric acc_norm" in done.stderr and "gen_two" in done.stderr


def test_older_formats_are_reported_and_other_json_is_counted(bench, tmp_path):
    folder = shutil.copytree(DATA / "older-formats", tmp_path / "results")
    (folder / "settings.json").write_text("{}")
    done = bench("import", str(folder), code=1)
    assert "1 runs imported, 0 were already in the ledger; 1 JSON file of unknown format ignored" in done.stdout
    assert "lm-eval-0.3.json: these are results of lm-eval 0.3" in done.stderr
    assert "bbbbbbbb-py3.6.json: these are results of asv in version 1" in done.stderr
    assert json.loads(bench("import", "--json", str(folder), code=1).stdout)["passed_over"] == [
        f"{folder}/settings.json"
    ]


def test_a_run_of_an_earlier_version_keeps_its_id_and_differences_are_reported(bench):
    digest = sha256((DATA / "names.csv").read_bytes()).hexdigest()
    [first, *_] = earlier = [
        f"run_{slug}_imported_{sha256(f'{digest}{chr(10)}line {line}'.encode()).hexdigest()[:16]}"
        for slug, line in [("c", 5), ("c", 4), ("unnamed", 2), ("unnamed", 3)]
    ]
    # As an earlier version recorded it, by another name and without its options.
    source = ImportSource("csv", str(DATA / "names.csv"), digest)
    run = {"benchmark_id": "c", "status": "succeeded", "score": 0.2, "unit": "ratio", "higher_is_better": True}
    store = JsonlStore(bench.results / "ledger", notice=print)
    Ledger(store).decide(lambda history: [NewEvent(first, Imported(source=source, run=run))])
    store.close()
    done = bench("import", str(DATA / "names.csv"))
    assert "3 runs imported, 1 were already in the ledger" in done.stdout
    assert "1 runs that were imported before have another score, unit or option" in done.stderr
    assert "by the version of this program at that time" in done.stderr
    assert {run["run_id"] for run in bench.runs()} == set(earlier)
    assert "0 runs imported, 4 were already in the ledger" in bench("import", str(DATA / "names.csv")).stdout


def test_formulas_and_markup_stay_text(bench, tmp_path):
    table = tmp_path / "table.csv"
    name = "=cmd|' /C calc'!A0<script>alert(1)</script>"
    table.write_text(f'benchmark,model,score\n"{name}","{name}",0.5\n')
    bench("import", str(table))
    exported = bench("export", "--format", "csv", "--include", "imported").stdout
    assert name.removeprefix("=") in exported and not any(
        cell.startswith("=") for row in csv.reader(io.StringIO(exported)) for cell in row
    )
    html = tmp_path / "report.html"
    bench("report", "--include", "imported", "--output", str(html))
    assert "<script>alert(1)</script>" not in html.read_text()


def test_four_imports_at_once_import_each_run_once(bench, tmp_path):
    for number in range(4):
        lines = "".join(f"b{line},m{number},0.5\n" for line in range(50))
        (tmp_path / f"{number}.csv").write_text(f"benchmark,model,score\n{lines}")
    files = [str(tmp_path / f"{number}.csv") for number in range(4)]
    running = [bench.start("import", *files) for _ in range(4)]
    reported = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0]
    imported = sum(int(line.split()[0]) for text in reported for line in text.splitlines() if " runs imported" in line)
    assert imported == 200 and len(bench.events("imported")) == 200
