"""Harnesses run for real, on real input. Those that need a model or minutes do so only with HARNESSES=1."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

heavy = pytest.mark.skipif("HARNESSES" not in os.environ, reason="takes minutes; HARNESSES=1 runs it")

INSPECT_TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

@task
def capitals(countries: int = 3):
    pairs = [("France", "Paris"), ("Japan", "Tokyo"), ("Peru", "Lima")]
    samples = [Sample(input=f"What is the capital of {a}?", target=b) for a, b in pairs[:countries]]
    return Task(dataset=samples, solver=generate(max_tokens=32), scorer=includes())
"""

LM_EVAL_TASK = """
task: own_capitals
dataset_path: json
dataset_kwargs:
  data_files:
    test: tasks/capitals.jsonl
test_split: test
output_type: generate_until
doc_to_text: "What is the capital of {{q}}?"
doc_to_target: "{{a}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 32, temperature: 0}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
metadata: {version: 1.0}
"""


def run(bench, id: str, options: dict, *, model: bool = False, code: int = 0) -> dict:
    """Run a benchmark with those options, and give its row."""
    local = ("--provider", "local", "--model", "smollm2-135m") if model else ()
    # pytest-benchmark refuses to measure if it runs in a worker of pytest-xdist.
    environ = {name: value for name, value in bench.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        bench.command("run", "--benchmarks", id, "--extra", json.dumps(options), *local),
        capture_output=True,
        text=True,
        env=environ,
        timeout=900,  # The first run of a harness builds its environment.
    )
    assert done.returncode == code, done.stdout + done.stderr
    return bench.runs("--benchmark", id)[-1]


def samples_of(bench, row: dict) -> list[tuple[str, float | None]]:
    """The samples that a run recorded, which must average to its score: then comparisons pair them."""
    assert [one["path"] for one in row["artifacts"] if one["path"].endswith("/samples.jsonl")] == [
        "output/samples.jsonl"
    ]
    [file] = bench.results.glob(f"rg_*/*/{row['run_id']}/output/samples.jsonl")
    found = [(one["id"], one.get("score")) for one in map(json.loads, file.read_text().splitlines())]
    scores = [score for _, score in found if score is not None]
    assert sum(scores) / len(scores) == pytest.approx(row["score"])
    return found


def tokens_of(row: dict) -> dict:
    """The usage that the harness counted: the price of a model is not in its files."""
    return {name: value for name, value in row["usage"].items() if name not in ("cost_usd", "price")}


def test_pytest_benchmark(bench):
    (bench.root / "speed").mkdir()
    (bench.root / "speed" / "test_sum.py").write_text(
        "def test_sum(benchmark): benchmark(sum, range(100))\ndef test_max(benchmark): benchmark(max, range(100))\n"
    )
    row = run(bench, "pytest_benchmark", {"path": "speed", "max_time": 0.05})
    assert (row["status"], row["unit"], row["higher_is_better"]) == ("succeeded", "s", False)
    assert 0 < row["score"] < 0.1 and row["samples"] >= 10 and len(row["metrics"]["tests"]) == 2
    [file] = bench.results.glob("rg_*/*/*/output/pytest-benchmark.json")
    assert "2 runs imported" in bench("import", str(file)).stdout
    (bench.root / "speed" / "test_sum.py").write_text("def test_sum(benchmark): assert False\n")
    row = run(bench, "pytest_benchmark", {"path": "speed"}, code=1)
    assert (row["status"], row["reason"]) == ("failed", "exit_code")


@pytest.mark.skipif(shutil.which("hyperfine") is None, reason="hyperfine is not installed")
def test_hyperfine(bench):
    row = run(bench, "hyperfine", {"command": "sleep 0.01", "runs": 3, "warmup": 0})
    assert (row["status"], row["samples"], row["provider"]) == ("succeeded", 3, "none") and row["score"] > 0
    row = run(bench, "hyperfine", {"command": "false", "runs": 2}, code=1)
    assert (row["status"], row["reason"]) == ("failed", "exit_code")


def test_asv(bench):
    project = bench.root / "project"
    (project / "benchmarks").mkdir(parents=True)
    (project / "asv.conf.json").write_text(
        '{"version": 1, "project": "p", "repo": ".", "branches": ["HEAD"], "environment_type": "virtualenv"} // mine\n'
    )
    (project / "benchmarks" / "__init__.py").touch()
    (project / "benchmarks" / "speed.py").write_text(
        "def time_sum(n): sum(range(n))\ntime_sum.params = [10, 100]\ntime_sum.repeat = (1, 2, 0.1)\n"
        "def track_length(): return 7\n"
    )
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(project)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    row = run(bench, "asv", {"project": "project", "existing": True})
    assert (row["status"], row["unit"], row["samples"]) == ("succeeded", "s", 2) and row["score"] > 0
    values = {entry["name"]: entry["value"] for entry in row["metrics"]["benchmarks"]}
    assert values["speed.track_length"] == 7 and {"speed.time_sum(10)", "speed.time_sum(100)"} < set(values)
    (project / "benchmarks" / "speed.py").write_text("def time_it(): raise OSError\n")
    row = run(bench, "asv", {"project": "project", "existing": True, "bench": "time_it"}, code=1)
    assert "1 of 1 benchmarks failed: speed.time_it" in row["error"]


GOOGLE = """
#include <benchmark/benchmark.h>
#include <string>
static void copy(benchmark::State& state) {
  for (auto _ : state) { std::string s(64, 'x'); benchmark::DoNotOptimize(s); }
}
BENCHMARK(copy);
BENCHMARK_MAIN();
"""


@heavy
def test_google_benchmark(bench):
    source, program = bench.root / "copy.cc", bench.root / "copy"
    source.write_text(GOOGLE)
    built = subprocess.run(["g++", "-O1", str(source), "-o", str(program), "-lbenchmark", "-lpthread"])
    if built.returncode:
        pytest.skip("Google Benchmark's library is not installed (libbenchmark-dev)")
    row = run(bench, "google_benchmark", {"program": "copy", "min_time": "0.01", "repetitions": 2})
    assert (row["status"], row["unit"], row["model"]) == ("succeeded", "ns", "none") and 0 < row["score"] < 1e6


@heavy
@pytest.mark.model
def test_inspect_ai(bench):
    (bench.root / "tasks").mkdir()
    (bench.root / "tasks" / "capitals.py").write_text(INSPECT_TASK)
    options = {"task": "tasks/capitals.py", "task_args": {"countries": 2}, "temperature": 0}
    row = run(bench, "inspect_ai", options, model=True)
    assert (row["status"], row["samples"], row["metrics"]["reported_model"]) == (
        "succeeded",
        2,
        "openai-api/local/smollm2-135m",
    )
    assert 0 <= row["score"] <= 1 and row["usage"]["output_tokens"] > 0
    assert [id for id, _ in samples_of(bench, row)] == ["1", "2"]
    [log] = bench.results.glob("rg_*/*/*/output/logs/*.eval")
    bench("import", str(log))
    imported = bench.runs("--benchmark", "capitals")[0]
    assert (imported["score"], imported["usage"]) == (row["score"], tokens_of(row))
    row = run(bench, "inspect_ai", {"task": "tasks/nothing.py"}, model=True, code=1)
    assert "Inspect left no *.eval" in row["error"]


@heavy
@pytest.mark.model
def test_lm_eval(bench):
    (bench.root / "tasks").mkdir()
    (bench.root / "tasks" / "own.yaml").write_text(LM_EVAL_TASK)
    (bench.root / "tasks" / "capitals.jsonl").write_text('{"q": "France", "a": "Paris"}\n{"q": "Peru", "a": "Lima"}\n')
    for api in ("chat", "completions"):
        options = {"task": "own_capitals", "include_path": "tasks", "offline": True, "api": api}
        row = run(bench, "lm_eval", options, model=True)
        assert (row["status"], row["samples"], row["metrics"]["reported_model"]) == ("succeeded", 2, "smollm2-135m")
        assert [id for id, _ in samples_of(bench, row)] == ["0", "1"]
    row = run(bench, "lm_eval", {"task": "own_capitls", "include_path": "tasks"}, model=True, code=1)
    assert row["reason"] == "exit_code"


@heavy
@pytest.mark.model
def test_agentdojo(bench):
    options = {"suite": "banking", "max_samples": 1, "max_tokens": 48}
    row = run(bench, "agentdojo", options, model=True)
    assert (row["status"], row["samples"]) == ("succeeded", 1) and row["usage"]["calls"] >= 1
    assert row["metrics"]["refused_requests"] == 0
    attacked = run(bench, "agentdojo", {**options, "attack": "direct"}, model=True)
    assert set(attacked["metrics"]["by_group"]) == {"security"}


@heavy
def test_a_server_that_is_gone_is_a_failure_and_not_a_score_of_zero(bench):
    endpoint = ("--provider", "openai-compatible", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    bench("run", "--benchmarks", "agentdojo", "--extra", '{"max_samples": 1}', *endpoint, code=1)
    [row] = bench.runs()
    assert row["score"] is None and "the model could not be asked" in row["error"]


@heavy
@pytest.mark.model
def test_helm(bench):
    row = run(bench, "helm", {"run_entry": "simple_mcqa", "max_eval_instances": 2}, model=True)
    assert (row["status"], row["samples"], row["metrics"]["metric"]) == ("succeeded", 2, "exact_match")
    assert len(samples_of(bench, row)) == 2
    [folder] = bench.results.glob("rg_*/*/*/output/helm/runs/run/simple_mcqa*")
    bench("import", str(folder))
    imported = bench.runs("--benchmark", "simple_mcqa")[0]
    assert (imported["score"], imported["usage"]) == (row["score"], tokens_of(row))


@heavy
@pytest.mark.model
def test_bfcl_labels_results_with_the_model_that_answered(bench):
    row = run(bench, "bfcl_eval", {"max_samples": 2}, model=True)
    assert (row["status"], row["samples"], row["metrics"]["reported_model"]) == ("succeeded", 2, "smollm2-135m")
    assert list(bench.results.glob("rg_*/*/*/output/score/smollm2-135m/*/*_simple_python_score.json"))


@heavy
@pytest.mark.model
def test_evalplus(bench, tmp_path):
    problems = tmp_path / "problems.jsonl"
    problem = {
        "task_id": "HumanEval/0",
        "prompt": 'def add(a, b):\n    """Return the sum of a and b."""\n',
        "entry_point": "add",
        "canonical_solution": "    return a + b\n",
        "test": "def check(f):\n    assert f(1, 2) == 3\n",
        "contract": "",
        "base_input": [[1, 2]],
        "plus_input": [[10, -3]],
        "atol": 0,
    }
    problems.write_text(json.dumps(problem) + "\n")
    bench.environ["HUMANEVAL_OVERRIDE_PATH"] = str(problems)
    row = run(bench, "evalplus", {"offline": True}, model=True)
    assert (row["status"], row["samples"]) == ("succeeded", 1) and row["score"] in (0, 1)


PROMPTFOO = """
prompts: ["What is the capital of {{country}}?"]
providers: [{id: "openai:chat:{{env.MODEL_NAME}}", config: {temperature: 0, max_tokens: 32}}]
tests:
  - {vars: {country: France}, assert: [{type: icontains, value: Paris}]}
  - {vars: {country: Chad}, assert: [{type: icontains, value: "no such text"}]}
"""


@heavy
@pytest.mark.model
@pytest.mark.skipif(shutil.which("npx") is None, reason="npx is not installed")
def test_promptfoo(bench):
    (bench.root / "prompts.yaml").write_text(PROMPTFOO)
    row = run(bench, "promptfoo", {"config": "prompts.yaml"}, model=True)
    assert (row["status"], row["samples"], row["metrics"]["failed"] >= 1) == ("succeeded", 2, True)
    assert row["metrics"]["providers"] == ["openai:chat:smollm2-135m"] and row["usage"]["total_tokens"] > 0


DEEPEVAL = """
import os
import openai
import pytest
from deepeval import assert_test
from deepeval.metrics import ExactMatchMetric
from deepeval.test_case import LLMTestCase

@pytest.mark.parametrize("expected", ["no such text", "nor this"])
def test_capital(expected):
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    answer = openai.OpenAI().chat.completions.create(model=os.environ["MODEL_NAME"], messages=asked, max_tokens=16)
    case = LLMTestCase(input="?", actual_output=answer.choices[0].message.content, expected_output=expected)
    assert_test(case, [ExactMatchMetric()], run_async=False)
"""


@heavy
@pytest.mark.model
def test_deepeval(bench):
    (bench.root / "test_answers.py").write_text(DEEPEVAL)
    row = run(bench, "deepeval", {"path": "test_answers.py"}, model=True)
    assert (row["status"], row["score"], row["samples"]) == ("succeeded", 0.0, 2)
