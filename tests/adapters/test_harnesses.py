"""The manifests of harnesses read results that the harnesses themselves wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.adapters.discovery import discover
from benchmarks.adapters.options import effective_config
from benchmarks.adapters.requirements.missing import missing
from benchmarks.adapters.result import Reading, read_result

SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    return discover(tmp_path_factory.mktemp("workspace")).adapters


@pytest.fixture
def read(adapters, tmp_path):
    """Reads a file as the result of a run of that benchmark."""

    def read(id: str, name: str, document: object) -> Reading:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(document, Path):
            shutil.copy(document, file)
        else:
            file.write_text(json.dumps(document))
        return read_result(adapters[id].manifest, output_dir=tmp_path, cwd=tmp_path, started_at=0)

    return read


def sample(name: str):
    return json.loads((SAMPLES / name).read_text())


def test_inspect(read):
    reading = read("inspect_ai", "result.json", SAMPLES / "inspect-header.json")
    assert (reading.score, reading.samples, reading.reason) == (0.4, 5, None)
    assert reading.stderr == pytest.approx(0.245, abs=1e-3)
    assert reading.metrics["reported_model"] == "openai-api/local/smollm2-135m"
    [usage] = sample("inspect-header.json")["stats"]["model_usage"].values()
    assert reading.usage["input_tokens"] == usage["input_tokens"] + usage.get("input_tokens_cache_read", 0)
    assert reading.usage["input_tokens"] + reading.usage["output_tokens"] == usage["total_tokens"]


def test_cached_tokens_of_inspect_are_input_tokens(read):
    header = sample("inspect-header.json")
    cached = {"input_tokens": 67, "output_tokens": 156, "total_tokens": 336, "input_tokens_cache_read": 113}
    header["stats"]["model_usage"] = {"m": cached}
    usage = read("inspect_ai", "result.json", header).usage
    assert usage == {"input_tokens": 180, "output_tokens": 156, "total_tokens": 336, "cached_tokens": 113}


def test_inspect_reports_its_cost_and_nothing_if_no_model_was_asked(read):
    header = sample("inspect-header.json")
    header["stats"]["model_usage"] = {"a": {"input_tokens": 1, "total_cost": 0.25}, "b": {"total_cost": 0.5}}
    assert read("inspect_ai", "result.json", header).usage["cost_usd"] == 0.75
    header["stats"]["model_usage"] = {"a": {"input_tokens": 1, "output_tokens": 1}}
    assert "cost_usd" not in read("inspect_ai", "result.json", header).usage
    header["stats"]["model_usage"] = {}
    assert read("inspect_ai", "result.json", header).usage == {}


@pytest.mark.parametrize("change", [{"status": "error"}, {"status": "started"}, {"invalidated": True}])
def test_an_inspect_log_that_did_not_succeed_is_not_a_result(read, change):
    assert read("inspect_ai", "result.json", {**sample("inspect-header.json"), **change}).reason == "invalid_result"


def test_hyperfine(read):
    document = sample("hyperfine.json")
    reading = read("hyperfine", "hyperfine.json", document)
    assert (reading.score, reading.samples, reading.reason) == (document["results"][0]["mean"], 5, None)
    document["results"][0]["exit_codes"][1] = 2
    assert read("hyperfine", "hyperfine.json", document).reason == "invalid_result"


def test_pytest_benchmark_adds_up_its_tests(read):
    document = sample("pytest-benchmark.json")
    reading = read("pytest_benchmark", "pytest-benchmark.json", document)
    means = [test["stats"]["mean"] for test in document["benchmarks"]]
    assert len(means) == 3 and reading.score == pytest.approx(sum(means)) and reading.reason is None
    assert [test["name"] for test in reading.metrics["tests"]][1:] == [
        "pb/test_b.py::test_sort[10]",
        "pb/test_b.py::test_sort[100]",
    ]
    assert reading.metrics["machine"]["node"] == "host" and reading.metrics["machine"]["python"] == "3.11.7"
    assert read("pytest_benchmark", "pytest-benchmark.json", {"benchmarks": []}).reason == "invalid_result"


def test_google_benchmark_takes_the_means_of_repetitions(read):
    document = sample("google-benchmark.json")
    means = [row["real_time"] for row in document["benchmarks"] if row.get("aggregate_name") == "mean"]
    reading = read("google_benchmark", "google-benchmark.json", document)
    assert len(means) == 3 and reading.score == pytest.approx(sum(means)) and reading.reason is None
    document["benchmarks"] = [row for row in document["benchmarks"] if row["run_type"] == "iteration"]
    lost = read("google_benchmark", "google-benchmark.json", document)
    assert lost.reason == "invalid_result", "repetitions without their mean would be added up"
    for row in document["benchmarks"]:
        row["repetitions"], row["repetition_index"] = 1, 0
    once = read("google_benchmark", "google-benchmark.json", document)
    assert once.score == pytest.approx(sum(row["real_time"] for row in document["benchmarks"])) and once.reason is None


def test_google_benchmark_reads_means_alone_and_complexities(read):
    document = sample("google-benchmark.json")
    document["benchmarks"] = [row for row in document["benchmarks"] if row["run_type"] == "aggregate"]
    means = read("google_benchmark", "google-benchmark.json", document)
    assert (means.reason, means.samples) == (None, 2 * 3), "of three benchmarks, the two repetitions of each"
    row = {"name": "B/8", "run_type": "iteration", "repetitions": 1, "iterations": 9, "real_time": 4, "time_unit": "ns"}
    fit = {"name": "B_BigO", "run_type": "aggregate", "aggregate_name": "BigO", "real_coefficient": 2, "big_o": "N"}
    rms = {"name": "B_RMS", "run_type": "aggregate", "aggregate_name": "RMS", "aggregate_unit": "percentage"}
    read_once = read("google_benchmark", "google-benchmark.json", {"benchmarks": [row, fit, rms]})
    assert (read_once.score, read_once.samples, read_once.reason) == (4, 9, None)


@pytest.mark.parametrize(
    "change", [{"real_time": None}, {"real_time": "nan"}, {"iterations": 0, "real_time": 0}, {"run_type": None}]
)
def test_a_google_benchmark_without_a_time_or_of_an_old_version_is_not_left_out_of_a_sum(read, change):
    row = {"name": "B", "run_type": "iteration", "repetitions": 1, "iterations": 9, "real_time": 4, "time_unit": "ns"}
    reading = read("google_benchmark", "google-benchmark.json", {"benchmarks": [row, {**row, **change}]})
    assert reading.reason == "invalid_result"


def test_google_benchmark_counts_what_was_repeated_and_what_was_not(read):
    document = sample("google-benchmark.json")
    once = {"name": "BM_once", "run_name": "BM_once", "run_type": "iteration", "repetitions": 1, "time_unit": "ns"}
    document["benchmarks"].append({**once, "iterations": 7, "real_time": 1000.0, "cpu_time": 1.0})
    means = [row["real_time"] for row in document["benchmarks"] if row.get("aggregate_name") == "mean"]
    reading = read("google_benchmark", "google-benchmark.json", document)
    assert reading.score == pytest.approx(sum(means) + 1000) and reading.reason is None
    assert (reading.metrics["host"], reading.metrics["cpus"]) == ("host", 2)
    del document["benchmarks"][-1]["repetitions"]
    odd = read("google_benchmark", "google-benchmark.json", document)
    assert odd.reason == "invalid_result", "an old version does not say what was repeated"


@pytest.mark.parametrize("change", [{"time_unit": "ms"}, {"error_occurred": True}, {"skipped": True}])
def test_google_benchmark_in_another_unit_with_an_error_or_a_skip_is_not_a_result(read, change):
    document = sample("google-benchmark.json")
    document["benchmarks"][0].update(change)
    reading = read("google_benchmark", "google-benchmark.json", document)
    assert reading.reason == "invalid_result" and "json: a benchmark " in reading.error, "it says what is wrong"


@pytest.mark.parametrize("id", ["hermes_swe_env", "hermes_tblite", "hermes_terminalbench_2", "hermes_yc_bench"])
def test_a_hermes_environment_counts_if_a_rollout_was_completed_and_it_holds_no_place(adapters, read, id):
    document = {"score": 0.5, "metrics": {"sample_rows": 4, "incomplete_rollouts": 1}}
    name = adapters[id].manifest.result.files[0].replace("*", "1")
    assert read(id, name, document).reason is None
    for change in ({"placeholder": True}, {"incomplete_rollouts": 4}):
        odd = {**document, "metrics": {**document["metrics"], **change}}
        assert read(id, name, odd).reason == "invalid_result"


@pytest.mark.parametrize("id", ["hyperfine", "pytest_benchmark", "google_benchmark"])
def test_performance_is_better_the_lower_and_asks_no_model(adapters, id):
    manifest = adapters[id].manifest
    assert not manifest.result.higher_is_better and not manifest.requires.model


def test_a_harness_without_its_task_says_what_it_needs(adapters):
    inspect_ai = adapters["inspect_ai"]
    config = effective_config("inspect_ai", inspect_ai.manifest.options, {}).config
    [reported] = missing(inspect_ai, agent="bare-model", environ={}, config=config)
    assert reported.startswith("option task (--extra '{\"task\": …}'): a task file")
    assert missing(inspect_ai, agent="bare-model", environ={}, config={**config, "task": "task.py"}) == []


def test_a_harness_of_the_catalogue_works_in_the_workspace_and_covers_nothing(tmp_path):
    (tmp_path / "hyperfine").mkdir()
    found = discover(tmp_path)
    assert found.adapters["hyperfine"].root == tmp_path
    assert found.uncovered == ["hyperfine"]


def test_evalplus_counts_what_passed_both_sets_of_tests(read):
    document = sample("evalplus_eval_results.json")
    reading = read("evalplus", "humaneval/m_openai_temp_0.0_eval_results.json", document)
    assert (reading.score, reading.samples, reading.reason) == (0.5, 2, None)
    document["eval"]["HumanEval/0"][0]["plus_status"] = "fail"
    reading = read("evalplus", "humaneval/m_openai_temp_0.0_eval_results.json", document)
    assert (reading.score, reading.metrics["passed_base"], reading.metrics["passed_both"]) == (0.0, 1, 0)


def test_promptfoo(read):
    document = sample("promptfoo.json")
    reading = read("promptfoo", "results.json", document)
    assert (reading.score, reading.samples, reading.reason) == (pytest.approx(2 / 3), 3, None)
    assert (reading.metrics["passed"], reading.usage["total_tokens"], reading.synthetic) == (2, 153, False)
    assert "cost_usd" not in reading.usage, "0 means that no price was known"
    for number, row in enumerate(document["results"]["results"]):
        row["cost"] = number * 0.25
    assert read("promptfoo", "results.json", document).usage["cost_usd"] == 0.75
    document["results"]["stats"]["errors"] = 1
    assert read("promptfoo", "results.json", document).reason == "invalid_result"


def test_deepeval(read):
    document = sample("deepeval.json")
    reading = read("deepeval", "test_run_20261123_212045.json", document)
    assert (reading.score, reading.samples, reading.reason) == (pytest.approx(1 / 3), 3, None)
    assert read("deepeval", "test_run_20261123_212045.json", {**document, "testCases": []}).reason == "no_score"
    document["metricsScores"][0]["errors"] = 1
    assert read("deepeval", "test_run_20261123_212045.json", document).reason == "invalid_result"


def test_harbor(read):
    document = json.loads((SAMPLES / "harbor-job" / "result.json").read_text())
    # As Harbor writes it with its mean metric, which is every dataset's unless it names others.
    [key] = document["stats"]["evals"]
    document["stats"]["evals"][key]["metrics"] = [{"mean": 0.5}]
    reading = read("harbor", "job/result.json", document)
    assert (reading.score, reading.samples, reading.reason) == (0.5, 4, None)
    assert reading.metrics["exceptions"] == {"AgentTimeoutError": ["build-kernel__a1b2c32"]}
    assert reading.usage == {"input_tokens": 4006, "output_tokens": 400, "cached_tokens": 40, "cost_usd": 0.04}
    document["stats"]["n_pending_trials"] = 1
    assert read("harbor", "job/result.json", document).reason == "invalid_result"


def test_an_environment_that_needs_a_later_python_says_so(adapters, monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.adapters.environment.sys.version_info", (3, 11))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    reported = missing(adapters["harbor"], agent="terminus-2", environ={}, config={})
    assert "Python 3.12 or later, for its environment (uv python install 3.12)" in reported


def test_swebench_takes_what_was_submitted(read):
    document = sample("swebench-report.json")
    reading = read("swebench", "my__agent.run_1.json", document)
    assert (reading.score, reading.samples, reading.reason) == (0.25, 4, None)
    assert (reading.metrics["empty_patches"], reading.metrics["errors"], reading.metrics["total"]) == (1, 1, 5)
    nothing = {**document, "submitted_instances": 0}
    assert read("swebench", "my__agent.run_1.json", nothing).reason == "invalid_result"


def test_tau2(read):
    document = sample("tau2.json")
    reading = read("tau2", "simulation/results.json", document)
    assert (reading.score, reading.samples, reading.reason) == (0.0, 1, None)
    assert (reading.metrics["domain"], reading.metrics["agent_llm"]) == ("mock", "openai/smollm2-135m")
    document["simulations"][0] |= {"agent_cost": 0.25, "user_cost": 0.125}
    assert read("tau2", "simulation/results.json", document).usage == {"cost_usd": 0.375}
    document["simulations"][0] |= {"agent_cost": 0.0, "user_cost": None}
    assert read("tau2", "simulation/results.json", document).usage == {}
    document["simulations"][0]["reward_info"] = None
    assert read("tau2", "simulation/results.json", document).reason == "invalid_result"


@pytest.mark.parametrize("id", ["agentdojo", "asv", "bfcl_eval", "helm", "lm_eval"])
def test_what_a_driver_leaves_is_read_whole(read, adapters, id):
    document = sample(f"drivers/{id}.json")
    reading = read(id, "result.json", document)
    assert (reading.score, reading.samples, reading.reason) == (document["score"], document["n"], None)
    assert reading.stderr == document.get("score_stderr")
    assert set(reading.metrics) == set(adapters[id].manifest.result.metrics), "every metric is there"
    assert set(reading.usage) == set(adapters[id].manifest.result.usage)
