"""Limits are enforced even if only the trajectories of a suite report its usage."""

from __future__ import annotations

CODE = """
line = {"usage": {"prompt_tokens": 80, "completion_tokens": 20}, "latency_ms": 40}
output.joinpath("trajectories.jsonl").write_text(json.dumps(line) + "\\n")
output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
"""
PRICES = """
[[price]]
provider = "ollama"
model = "*"
input = 1000.0
output = 2000.0
source = "a contract"
date = "2026-11-01"
"""


def test_tokens_and_cost_are_known_and_end_a_campaign(bench, tmp_path):
    for name in "abc":
        bench.add(name, CODE)
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    printed = bench.run("a", "b", "c", more=("--max-tokens", "150", "--prices", str(prices)))
    first, second = bench.runs()
    assert {name: first["usage"][name] for name in ("input_tokens", "output_tokens", "calls", "latency_mean_ms")} == {
        "input_tokens": 80,
        "output_tokens": 20,
        "calls": 1,
        "latency_mean_ms": 40,
    }
    assert first["usage"]["cost_usd"] == second["usage"]["cost_usd"] == 0.12
    assert (first["total_tokens"], first["call_count"]) == (100, 1)
    assert "1" in printed and "200 of 150" in printed
    printed = bench.run("a", "b", "c", more=("--force", "--max-cost", "0.1", "--prices", str(prices)))
    assert len(bench.runs()) == 3, printed


def test_the_usage_that_a_suite_reports_has_priority(bench):
    own = 'open(os.environ["BENCHMARK_TELEMETRY_JSONL"], "w").write(json.dumps({"input_tokens": 7}) + "\\n")'
    bench.add("a", CODE + own)
    bench.run("a")
    usage = bench.runs()[0]["usage"]
    assert (usage["input_tokens"], usage["calls"], usage.get("output_tokens")) == (7, 1, None)
