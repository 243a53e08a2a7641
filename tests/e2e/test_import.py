"""Results from elsewhere come into the ledger once, marked as what they are, and broken files stop no other."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "samples"


def test_everything_is_imported_once_and_marked(bench, tmp_path):
    files = shutil.copytree(SAMPLES, tmp_path / "files")
    done = bench("import", str(files))
    assert "17 runs imported, 0 were there already" in done.stdout and done.stderr == ""
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
    assert "0 runs imported, 17 were there already" in bench("import", str(moved), str(moved / "inspect.eval")).stdout
    assert len(bench.events("imported")) == 17
    summary = json.loads((bench.results / "viewer_data.json").read_text())["benchmark_summary"]
    assert all(row["best_score"] is None for row in summary), "an imported run is no record"


def test_the_event_tells_where_from_with_the_digest_and_the_original_times(bench, tmp_path):
    file = tmp_path / "mine.eval"
    shutil.copy(SAMPLES / "inspect.eval", file)
    bench("import", str(file))
    [event] = bench.events("imported")
    digest = sha256(file.read_bytes()).hexdigest()
    assert event["data"]["source"] == {"kind": "inspect-log", "path": str(file), "sha256": digest}
    assert event["data"]["run"]["started_at"].startswith("2026-11-23T20:35:0")
    [run] = bench.runs()
    assert run["started_at"] == event["data"]["run"]["started_at"] and run["created_at"] == event["at"]


def test_a_broken_file_is_told_and_the_rest_goes_on(bench, tmp_path):
    (tmp_path / "broken.eval").write_bytes((SAMPLES / "inspect.eval").read_bytes()[:5000])
    (tmp_path / "cut.json").write_text((SAMPLES / "lm-eval-results.json").read_text()[:900])
    shutil.copy(SAMPLES / "hyperfine.json", tmp_path)
    done = bench("import", str(tmp_path), code=1)
    assert "1 runs imported" in done.stdout
    assert "broken.eval: no whole Inspect log" in done.stderr and "cut.json: no JSON" in done.stderr
    told = json.loads(bench("import", "--json", str(tmp_path), code=1).stdout)
    assert [row["new"] for row in told["runs"]] == [False] and len(told["problems"]) == 2


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


def test_the_same_file_read_otherwise_is_told_and_changes_nothing(bench, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("benchmark,model,score,acc\ngsm8k,m1,0.5,0.7\n")
    assert bench("import", str(table)).stderr == "" and bench("import", str(table)).stderr == ""
    for change in (["--map", "score=acc"], ["--set", "unit=ratio"], ["--set", "config.shots=5"], ["--set", "agent=a"]):
        for dry in ([], ["--dry-run"]):
            told = bench("import", str(table), *change, *dry).stderr
            assert "1 of those that were there already have another score, unit or option" in told
    [run] = bench.runs()
    assert (run["score"], run["unit"], run["agent"]) == (0.5, "score", "")


def test_secrets_of_an_imported_file_stay_out(bench, tmp_path):
    header = json.loads((SAMPLES / "inspect-header.json").read_text())
    header["eval"]["task_args"] = {"judge_api_key": "sk-very-secret", "note": "with gsk-also-secret in it"}
    (tmp_path / "log.json").write_text(json.dumps(header))
    bench("import", str(tmp_path / "log.json"), GROQ_API_KEY="gsk-also-secret")
    assert "very-secret" not in bench.text() and "also-secret" not in bench.text()
    assert bench.runs()[0]["extra_config"]["task_args"]["judge_api_key"] == "[redacted:judge_api_key]"


def test_bad_usage_is_told(bench, tmp_path):
    assert "there is no" in bench("import", str(tmp_path / "nothing"), code=2).stderr
    (tmp_path / "empty").mkdir()
    assert "nothing to import" in bench("import", str(tmp_path / "empty"), code=2).stderr
    assert "no FIELD=" in bench("import", str(tmp_path), "--map", "score", code=2).stderr
    told = bench("import", str(tmp_path), "--set", "unti=ratio", code=2).stderr
    assert "there is no field 'unti'; did you mean unit?; there are benchmark, model" in told
    assert "--map names score twice" in bench("import", str(tmp_path), *["--map", "score=a"] * 2, code=2).stderr
