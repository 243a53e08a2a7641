"""Benchmarks that call no model, and required options."""

from __future__ import annotations

REQUIRED = """
[options.path]
type = "str"
required = true
env = "GIVEN"
help = "what to measure"
"""
TELLS = """
result = {"score": 0.5, "n": 1, "metrics": {"given": os.environ["GIVEN"], "key": "GROQ_API_KEY" in os.environ}}
output.joinpath("result.json").write_text(json.dumps(result))
"""


def test_a_benchmark_without_a_model_needs_no_key_and_says_so(bench):
    bench.add("timing", more="[requires]\nmodel = false")
    bench("run", "--benchmarks", "timing", "--provider", "groq", "--model", "qwen3")
    [run] = bench.runs()
    assert (run["status"], run["provider"], run["model"]) == ("succeeded", "none", "none")
    assert "skipped: run_timing" in bench("run", "--benchmarks", "timing", "--provider", "openai").stderr, (
        "the same work"
    )
    bench("run", "--again", run["run_id"])
    assert [run["attempt"] for run in bench.runs()] == [1, 2]


def test_a_benchmark_without_a_model_costs_nothing_and_needs_no_price(bench):
    bench.add("timing", more="[requires]\nmodel = false")
    bench("run", "--benchmarks", "timing", "--max-cost", "1")
    assert [run["status"] for run in bench.runs()] == ["succeeded"]


def test_a_benchmark_without_a_model_gets_no_providers_key(bench):
    bench.add("timing", TELLS, result='metrics = { seen = "metrics" }', more="[requires]\nmodel = false" + REQUIRED)
    bench("run", "--benchmarks", "timing", "--extra", '{"path": "x"}', GROQ_API_KEY="gsk-very-secret")
    assert bench.runs()[0]["metrics"] == {"seen": {"given": "x", "key": False}}


def test_without_a_required_option_a_benchmark_is_incompatible_with_a_hint(bench):
    bench.add("timing", more=REQUIRED)
    printed = bench.run("timing")
    assert "incompatible, missing: option path (--extra '{\"path\": …}'): what to measure" in printed
    assert "missing: option path" in bench("list-benchmarks").stdout
    bench.run("timing", more=("--extra", '{"path": "x"}'))
    assert [run["status"] for run in bench.runs()] == ["succeeded"]
