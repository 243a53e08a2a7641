"""Successful work does not run twice, failed work does not count as done, and each decision can be explained."""

from __future__ import annotations

import json

import pytest

FLAKY = """
mark = pathlib.Path(os.environ["MARKS"], "n")
n = int(mark.read_text()) if mark.exists() else 0
mark.write_text(str(n + 1))
if str(n) in os.environ["GOOD_AT"].split(","):
    output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
else:
    sys.exit(3)
"""


def test_a_success_is_skipped_and_the_skip_is_not_an_attempt(bench):
    bench.add("good")
    bench.run("good")
    assert "skipped" in bench.run("good")
    [run] = bench.runs()
    assert (run["status"], run["attempt"], run["score"], run["samples"]) == ("succeeded", 1, 0.5, 4)
    [skip] = bench.events("skipped")
    assert skip["data"]["existing_run_id"] == run["run_id"]
    assert skip["data"]["reason"] == "already_succeeded"


def test_force_runs_again_as_the_next_attempt(bench):
    bench.add("good")
    bench.run("good")
    bench.run("good", more=("--force",))
    assert [run["attempt"] for run in bench.runs()] == [1, 2]


def test_a_failed_run_runs_again_by_default(bench, tmp_path):
    bench.add("flaky", FLAKY)
    bench.run("flaky", code=1, MARKS=str(tmp_path), GOOD_AT="1")
    bench.run("flaky", MARKS=str(tmp_path), GOOD_AT="1")
    assert [(run["attempt"], run["status"]) for run in bench.runs()] == [(1, "failed"), (2, "succeeded")]


def test_rerun_failed_never_repeats_a_success(bench, tmp_path):
    bench.add("good")
    for _ in range(4):
        bench.run("good", more=("--rerun-failed",))
    assert len(bench.runs()) == 1


def test_rerun_failed_repeats_a_last_failure_even_after_a_success(bench, tmp_path):
    environ = {"MARKS": str(tmp_path), "GOOD_AT": "0,2"}
    bench.add("flaky", FLAKY)
    bench.run("flaky", **environ)
    bench.run("flaky", code=1, more=("--force",), **environ)
    bench.run("flaky", **environ)
    assert len(bench.runs()) == 2, "by default any success counts"
    bench.run("flaky", more=("--rerun-failed",), **environ)
    assert [run["status"] for run in bench.runs()] == ["succeeded", "failed", "succeeded"]


def test_other_options_are_other_work_and_per_benchmark_options_win(bench):
    bench.add("one")
    bench.add("two")
    extra = {"seed": 2, "per_benchmark": {"two": {"seed": 3}}}
    bench.run("one", "two", more=("--extra", json.dumps(extra)))
    assert {run["benchmark_id"]: run["extra_config"] for run in bench.runs()} == {
        "one": {"seed": 2},
        "two": {"seed": 3},
    }
    bench.run("one", more=("--extra", '{"seed": 2.0}'))
    assert len(bench.runs()) == 2
    bench.run("one")
    assert len(bench.runs()) == 3


def test_the_letter_case_of_a_provider_makes_no_difference(bench):
    bench.add("good")
    bench.run("good")
    bench("run", "--benchmarks", "good", "--provider", "OLLAMA")
    assert len(bench.runs()) == 1


def test_repetitions_are_separate_work_of_one_task(bench):
    bench.add("good")
    bench.run("good")
    bench.run("good", more=("--repeats", "3"))
    bench.run("good", more=("--repeats", "3"))
    runs = bench.runs()
    assert [run["extra_config"].get("repeat") for run in runs] == [None, 2, 3]
    assert len({run["comparison_key"] for run in runs}) == 1
    assert len({run["signature"] for run in runs}) == 3


def test_a_dry_run_changes_nothing(bench):
    bench.add("good")
    assert (
        "the ledger has no run of this benchmark"
        in bench("run", "--benchmarks", "good", "--provider", "ollama", "--dry-run").stdout
    )
    assert not bench.results.exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "skipped: run_good_"),
        (("--force",), "runs: --force, after run_good_"),
        (("--extra", '{"seed": 9}'), "extra_config.seed: 1 -> 9"),
        (("--model", "other"), "model: qwen3 -> other"),
    ],
)
def test_explain_names_the_deciding_run(bench, more, message):
    bench.add("good")
    bench.run("good")
    assert message in bench.run("good", more=("--explain", *more))


def test_benchmarks_are_named_with_spaces_or_commas(bench):
    for id in ("a", "b", "c"):
        bench.add(id)
    bench("run", "--provider", "ollama", "--benchmarks", "a,b", "c", "--jobs", "2")
    assert {run["benchmark_id"] for run in bench.runs()} == {"a", "b", "c"}


def test_many_jobs_record_one_consistent_group(bench):
    ids = [f"b{number}" for number in range(6)]
    for id in ids:
        bench.add(id)
    bench.run(*ids, more=("--jobs", "4"))
    [closed] = bench.events("group_closed")
    assert closed["data"]["counts"] == {"succeeded": 6, "failed": 0, "skipped": 0, "incompatible": 0}
