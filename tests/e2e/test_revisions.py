"""The task revision: what a run measured with is recorded, and only what has changed is run again."""

from __future__ import annotations

import json
import subprocess

import pytest

import benchmarks
from tests.conftest import GOOD

DATA = '[data]\nfiles = ["data/*.jsonl"]\n'
REPORTED = 'output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4, "data": "%s"}))'


def revision_of(bench, index=-1) -> dict:
    return bench.runs()[index]["task_revision"]


def explained(bench, id="quiz") -> str:
    done = bench("run", "--benchmarks", id, "--provider", "ollama", "--rerun-changed", "--dry-run", "--explain")
    return done.stdout + done.stderr


def rerun(bench, id="quiz") -> int:
    """How many runs there are after `run --rerun-changed`."""
    bench.run(id, more=("--rerun-changed",))
    return len(bench.runs())


def test_a_run_records_its_revision_and_another_one_has_the_same(bench):
    bench.add("quiz")
    bench.run("quiz")
    first = revision_of(bench)
    assert len(first["digest"]) == 64 and len(first["driver"]) == 64
    assert (first["version"], first["data"], first["packages"]) == ("", "", "")
    bench.run("quiz", more=("--force",))
    assert revision_of(bench) == first
    started = json.loads(bench("ledger", "log", "--type", "started", "--json").stdout.splitlines()[0])
    assert started["data"]["task_revision"] == first


def test_a_changed_driver_is_run_again_outside_of_git_and_the_part_is_named(bench):
    folder = bench.add("quiz")
    bench.run("quiz")
    assert rerun(bench) == 1
    (folder / "suite.py").write_text((folder / "suite.py").read_text() + "# another way\n")
    assert "succeeded with another benchmark: driver was " in explained(bench)
    assert rerun(bench) == 2
    assert rerun(bench) == 2


@pytest.mark.parametrize(
    "path",
    ["__pycache__/suite.pyc", ".hidden", ".cache_of_a_tool/x", "node_modules/x.js", "suite.pyc", ".venv/lib/x.py"],
)
def test_caches_and_hidden_files_change_nothing(bench, path):
    folder = bench.add("quiz")
    bench.run("quiz")
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    assert rerun(bench) == 1


def test_words_for_people_and_limits_of_time_change_nothing(bench):
    folder = bench.add("quiz")
    bench.run("quiz")
    manifest = folder / "benchmark.toml"
    text = manifest.read_text()
    manifest.write_text(text.replace('name = "quiz"', 'name = "A quiz"').replace("[run]", "[run]\ntimeout_seconds = 9"))
    assert rerun(bench) == 1
    manifest.write_text(text.replace('score = "score"', 'score = "score || `0`"'))
    assert "driver was" in explained(bench)
    manifest.write_text('version = "2"\n' + text)
    assert "version was none and is '2' now" in explained(bench)


def test_in_a_repository_only_what_git_tracks_counts_committed_or_not(bench):
    folder = bench.add("quiz")

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", bench.root, *identity, *arguments], check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    bench.run("quiz")
    (folder / "notes.txt").write_text("not tracked")
    git("commit", "-qm", "two", "--allow-empty")
    assert rerun(bench) == 1, "another commit with the same files is the same revision"
    (folder / "suite.py").write_text((folder / "suite.py").read_text() + "# not committed\n")
    assert rerun(bench) == 2


def test_named_files_count_alone(bench):
    folder = bench.add("quiz", run='files = ["suite.py", "lib"]')
    (folder / "lib").mkdir()
    (folder / "lib" / "a.py").write_text("1")
    bench.run("quiz")
    (folder / "other.py").write_text("x")
    assert rerun(bench) == 1
    (folder / "lib" / "b.py").write_text("2")
    assert rerun(bench) == 2


def test_data_has_a_digest_of_its_own_and_a_result_may_report_its_revision(bench):
    folder = bench.add("quiz", run='files = ["suite.py"]', more=DATA)
    (folder / "data").mkdir()
    (folder / "data" / "a.jsonl").write_text("{}\n")
    bench.run("quiz")
    assert len(revision_of(bench)["data"]) == 64
    (folder / "data" / "a.jsonl").write_text('{"q": 1}\n')
    assert "data was " in explained(bench) and "driver" not in explained(bench)
    assert rerun(bench) == 2

    bench.add("hub", REPORTED % "v1", result='data_revision = "data"')
    bench.run("hub")
    [run] = bench.runs("--benchmark", "hub")
    assert run["task_revision"]["data"] == "v1"
    bench.run("hub", more=("--rerun-changed",))
    assert len(bench.runs("--benchmark", "hub")) == 1, "only a run shows the revision of such data"
    started = json.loads(bench("ledger", "log", "--type", "started", "--stream", run["run_id"], "--json").stdout)
    assert started["data"]["task_revision"]["data"] == ""


def test_the_model_that_answered_is_recorded(bench):
    call = {"served_model": "m-2026-09-01", "system_fingerprint": "fp_1", "input_tokens": 1, "output_tokens": 1}
    code = f"""
    with open(os.environ["BENCHMARK_TELEMETRY_JSONL"], "a") as file:
        file.write(json.dumps({call!r}) + "\\n")
    {GOOD}
    """
    bench.add("quiz", code)
    bench.run("quiz")
    [run] = bench.runs()
    assert run["served_model"] == "m-2026-09-01 (fp_1)"
    assert "m-2026-09-01 (fp_1)" in bench("show-run", run["run_id"]).stdout
    bench.add("other", code.replace("served_model", "model"), result='served_model = "config.model"')
    bench.run("other")
    [run] = bench.runs("--benchmark", "other")
    assert run["served_model"] is None


def two_revisions(bench) -> list[dict]:
    """A score of 0.5 with one driver, and then one of 0.9 with another one."""
    bench.add("quiz")
    bench.run("quiz")
    bench.add("quiz", GOOD.replace("0.5", "0.9"))
    bench.run("quiz", more=("--rerun-changed",))
    return bench.runs()


def test_scores_of_two_revisions_are_not_ranked_together(bench):
    first, second = two_revisions(bench)
    assert first["comparison_key"] != second["comparison_key"] and first["options_key"] == second["options_key"]
    done = bench("leaderboard", "--json")
    [standing] = json.loads(done.stdout)["standings"]
    assert (standing["latest_score"], standing["runs"]) == (0.9, 1)
    assert "quiz: 1 run of 1 earlier revision is not shown\nhint: --revision all" in done.stderr
    both = json.loads(bench("leaderboard", "--json", "--revision", "all").stdout)["standings"]
    assert [(one["rank"], one["latest_score"]) for one in both] == [(1, 0.9), (1, 0.5)]
    asked = "SELECT is_record, delta_to_best, runs_before FROM score_history ORDER BY ended_seq"
    rows = json.loads(bench("query", asked, "--json").stdout)
    assert [list(row.values()) if isinstance(row, dict) else row for row in rows["rows"]] == [[True, None, 0]] * 2


def test_compare_names_the_part_that_differs_and_compares_only_if_asked(bench):
    first, second = two_revisions(bench)
    done = bench("compare", first["run_id"], second["run_id"]).stdout
    assert done.startswith("quiz: several task revisions, of which these parts differ: driver (")
    assert "not compared with" in done and "p < " in done and "0 better, 0 worse" in done
    document = json.loads(bench("compare", first["run_id"], second["run_id"], "--json").stdout)
    assert document["rows"] == [] and "other task revisions: driver (" in document["unlike"][0]["reason"]
    across = ("compare", first["run_id"], second["run_id"], "--across-revisions")
    [row] = json.loads(bench(*across, "--json").stdout)["rows"]
    assert [score["mean"] for score in row["scores"]] == [0.5, 0.9]
    assert bench(*across).stdout.startswith("quiz: several task revisions")


def test_a_gate_does_not_blame_a_model_for_another_driver(bench):
    bench.add("quiz", GOOD.replace("0.5", "0.9"))
    bench.run("quiz")
    bench.add("quiz", GOOD.replace("0.5", "0.1"))
    bench.run("quiz", more=("--rerun-changed",))
    done = bench("check", code=None)
    assert done.returncode != 1, done.stdout
    assert "worse" not in done.stdout


def test_a_model_that_answers_as_another_one_is_named(bench):
    def answering(name):
        line = json.dumps({"served_model": name, "input_tokens": 1, "output_tokens": 1})
        code = f"""
        with open(os.environ["BENCHMARK_TELEMETRY_JSONL"], "a") as file:
            file.write({line!r} + "\\n")
        {GOOD}
        """
        bench.add("quiz", code, run='files = ["benchmark.toml"]')
        bench.run("quiz", more=("--force",))

    answering("m-2026-09-01")
    answering("m-2026-11-01")
    first, second = bench.runs()
    assert first["comparison_key"] == second["comparison_key"]
    shown = bench("compare", first["run_id"], second["run_id"]).stdout
    assert "answered as m-2026-09-01 before, as m-2026-11-01 now" in shown


def test_stale_lists_the_rows_that_a_change_has_made_stale(bench):
    folder = bench.add("quiz")
    bench.add("other")
    bench.run("quiz", "other")
    assert json.loads(bench("stale", "--json").stdout) == {"stale": []}
    (folder / "suite.py").write_text((folder / "suite.py").read_text() + "# changed\n")
    [row] = json.loads(bench("stale", "--json").stdout)["stale"]
    assert (row["benchmark_id"], row["score"]) == ("quiz", 0.5) and row["changed"][0].startswith("driver was ")
    assert "1 stale" in bench("stale").stdout
    bench.run("quiz", "other", more=("--rerun-changed",))
    assert [run["benchmark_id"] for run in bench.runs()].count("quiz") == 2 and len(bench.runs()) == 3
    assert "0 stale" in bench("stale").stdout


def test_equivalent_revisions_are_compared_and_not_run_again(bench):
    first, second = two_revisions(bench)
    one, other = (run["task_revision"]["digest"] for run in (first, second))
    pair = ("equivalent", "quiz", one[:10], other[:10])
    assert "has no revision 'nope'" in bench("equivalent", "quiz", "nope", one, "--reason", "r", code=2).stderr
    assert "no run of the benchmark 'quizz'" in bench("equivalent", "quizz", one, other, "--reason", "r", code=2).stderr
    assert "not declared" in bench(*pair, "--reason", "r", "--withdraw", code=2).stderr
    compared = ("compare", first["run_id"], second["run_id"], "--json")
    assert json.loads(bench(*compared).stdout)["rows"] == []
    bench(*pair, "--reason", "only a comment changed")
    assert "equivalent already" in bench(*pair, "--reason", "again", code=2).stderr
    [row] = json.loads(bench(*compared).stdout)["rows"]
    assert [score["mean"] for score in row["scores"]] == [0.5, 0.9]
    assert "quiz: equivalent task revisions" in bench(*compared[:-1]).stdout
    bench.add("quiz")
    assert rerun(bench) == 2 and "0 stale" in bench("stale").stdout
    bench(*pair, "--reason", "it was not so", "--withdraw")
    assert json.loads(bench(*compared).stdout)["rows"] == []
    bench("ledger", "verify")


def test_revisions_with_other_units_are_not_declared_to_be_equivalent(bench):
    bench.add("quiz")
    bench.run("quiz")
    manifest = bench.add("quiz") / "benchmark.toml"
    text = manifest.read_text()
    assert 'unit = "ratio"' in text
    manifest.write_text(text.replace('unit = "ratio"', 'unit = "s"'))
    bench.run("quiz", more=("--rerun-changed",))
    one, other = (run["task_revision"]["digest"] for run in bench.runs())
    events = json.loads(bench("ledger", "stat", "--json").stdout)["events"]
    refused = bench("equivalent", "quiz", one, other, "--reason", "r", code=2).stderr
    assert "have other units or directions: ratio, higher is better" in refused and "s, higher is better" in refused
    assert json.loads(bench("ledger", "stat", "--json").stdout)["events"] == events


def test_a_baseline_of_an_earlier_time_follows_the_equivalences_of_now(bench):
    """`compare` and `check` have one rule, in Python too: what is compared now meets as it does now."""
    first, second = two_revisions(bench)
    bench.run("quiz", more=("--force",))
    newest = bench.runs()[-1]["run_id"]
    then = f"as-of:{first['last_seq']}"
    assert "nothing to compare with" in bench("check", newest, "--baseline", then, code=2).stderr
    one, other = (run["task_revision"]["digest"] for run in (first, second))
    bench("equivalent", "quiz", one, other, "--reason", "only a comment changed")
    [score] = json.loads(bench("check", newest, "--baseline", then, "--json").stdout)["scores"]
    assert score["baseline"]["mean"] == 0.5
    [row] = json.loads(bench("compare", then, newest, "--json").stdout)["rows"]
    assert [found["mean"] for found in row["scores"]] == [0.5, 0.9]
    place = benchmarks.open(bench.root)
    assert [found.mean for row in place.compare(then, newest).rows for found in row.scores] == [0.5, 0.9]
    assert place.check(newest, baseline=then).passed
