"""Real answers of providers, and how the installed command handles them."""

from __future__ import annotations

import json

import pytest

from .imitated_provider import ImitatedProvider

PRICES = """
[[price]]
provider = "openai-compatible"
model = "*"
input = 1000
output = 1000
source = "mine"
date = "2026-11-01"
"""


@pytest.fixture
def provider():
    imitated = ImitatedProvider()
    yield imitated
    imitated.close()


@pytest.fixture
def asked(bench, provider):
    """Runs the suite on a server that answers in this way; returns the row of the run."""

    def asked(way: str, *more: str, code: int = 0) -> dict:
        (bench.root / "prices.toml").write_text(PRICES)
        options = ("--provider", "openai-compatible", "--base-url", provider.url(way), "--model", "m")
        samples = ("--extra", '{"max_samples": 3}')
        asked.done = bench("run", "--benchmarks", "action_calling", *options, *samples, *more, code=code)
        return bench.runs("--benchmark", "action_calling")[-1]

    return asked


def samples(bench, row: dict) -> list[dict]:
    [path] = bench.results.glob(f"*/*/{row['run_id']}/output/samples.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("choice-error", "upstream died (code 502)"),
        ("error-200", "Provider returned error: upstream is overloaded (code 502)"),
    ],
)
def test_an_error_under_http_200_fails_the_run_with_the_message_of_the_provider(asked, provider, way, words):
    row = asked(way, code=1)
    assert (row["status"], row["score"]) == ("failed", None) and words in row["error"]
    assert provider.asked[way] == 5, "each call is tried five times"


def test_an_error_under_http_200_is_retried(bench, asked, provider):
    asked("error-200", "--retries", "1", code=1)
    assert [row["attempt"] for row in bench.runs()] == [1, 2] and provider.asked["error-200"] == 10


def test_retries_do_not_wait_for_credit(bench, asked, provider):
    asked("spent", "--retries", "3", code=1)
    assert len(bench.runs()) == 1 and provider.asked["spent"] == 1


def test_truncated_answers_are_reported(bench, asked):
    row = asked("cut-off")
    assert row["status"] == "succeeded"
    assert (row["metrics"]["cut_off"], row["metrics"]["finish_reasons"]) == (3, {"length": 3})
    assert {sample["finish_reason"] for sample in samples(bench, row)} == {"length"}
    assert "3 of 3 answers cut off (finish_reason length)" in asked.done.stderr
    shown = bench("show-run", row["run_id"]).stdout
    assert "3 of 3 answers cut off (finish_reason length)" in shown and "3 of 3 answers with reasoning" in shown


def test_withheld_answers_are_reported(bench, asked):
    asked("filtered")
    assert "3 of 3 answers withheld by the provider (finish_reason content_filter)" in asked.done.stderr


@pytest.mark.parametrize("way", ["no-usage", "some-usage", "zero-usage"])
@pytest.mark.parametrize("limit", [("--max-cost", "100"), ("--max-tokens", "100000")])
def test_a_limit_that_cannot_be_enforced_ends_the_campaign(bench, asked, way, limit):
    row = asked(way, "--repeats", "4", *limit)
    used = row["usage"]
    assert {used.get(name) for name in ("input_tokens", "output_tokens", "total_tokens", "cost_usd")} == {None}
    assert used["calls"] == 3 and len(bench.runs()) == 1
    assert f"of {row['run_id']} " in asked.done.stderr and "cannot be enforced; 3 runs not started" in asked.done.stderr


def test_a_limit_is_enforced_if_tokens_are_reported(bench, asked):
    asked("well", "--repeats", "4", "--max-cost", "0.3")
    assert [row["usage"]["cost_usd"] for row in bench.runs()] == [0.33]


def test_reasoning_is_a_part_of_the_output(asked):
    used = asked("reasoning")["usage"]
    assert (used["input_tokens"], used["output_tokens"], used["total_tokens"]) == (300, 3030, 3330)
    assert (used["reasoning_tokens"], used["cost_usd"]) == (3000, 3.33)


@pytest.mark.parametrize(
    ("way", "left_out", "renamed"),
    [("newer", ["temperature"], {"max_tokens": "max_completion_tokens"}), ("strict", ["seed"], {})],
)
def test_a_model_that_refuses_parameters_is_asked_without_them(bench, asked, provider, way, left_out, renamed):
    row = asked(way)
    assert (row["status"], row["metrics"]["left_out"], row["metrics"]["renamed"]) == ("succeeded", left_out, renamed)
    assert provider.asked[way] == 3 + len(left_out) + len(renamed), "a refusal is remembered"
    assert f"asked without {left_out[0]}" in bench("show-run", row["run_id"]).stdout


def test_content_in_parts_is_read(bench, asked):
    row = asked("parts")
    assert row["status"] == "succeeded"
    assert {sample["output"] for sample in samples(bench, row)} == {'{"tool": "no_tool", "arguments": {}}'}


def test_a_busy_server_is_asked_again_at_the_time_that_it_names(asked, provider):
    assert asked("busy")["status"] == "succeeded" and provider.asked["busy"] == 6


def test_a_skip_at_another_address_is_reported(bench, asked, provider):
    asked("well")
    asked("strict")
    assert provider.asked["strict"] == 0 and len(bench.runs()) == 1
    printed = f"it used {provider.url('well')} and this would use {provider.url('strict')}: only the address differs"
    assert printed in asked.done.stderr
    asked("strict", "--explain")
    assert printed in asked.done.stderr
    asked("strict", "--dry-run")
    assert printed in " ".join(asked.done.stdout.split())
    asked("well")
    assert "already" not in asked.done.stderr and "only the address" not in asked.done.stderr
    asked("strict", "--force")
    assert provider.asked["strict"] == 4 and len(bench.runs()) == 2


def test_a_secret_in_an_address_is_in_no_event(bench, provider):
    address = provider.url("well").replace("http://", "http://someone:hunter2-of-mine@")
    options = ("--provider", "openai-compatible", "--base-url", f"{address}?sig=8f4e1c77aa90", "--model", "m")
    bench("run", "--benchmarks", "action_calling", *options, "--extra", '{"max_samples": 1}', code=1)
    ledger = "".join(path.read_text() for path in bench.results.glob("ledger/*.jsonl"))
    assert provider.url("well") in ledger and "hunter2" not in ledger and "8f4e1c77aa90" not in ledger


CAMPAIGN = """
[matrix]
benchmarks = ["action_calling"]
models = [
  { provider = "openai-compatible", model = "m", base_url = "http://127.0.0.1:1/v1" },
  { provider = "openai-compatible", model = "m", base_url = "http://127.0.0.1:2/v1" },
]
"""


def test_one_name_at_two_addresses_is_refused(bench):
    (bench.root / "two.toml").write_text(CAMPAIGN)
    printed = bench("run", "--campaign", str(bench.root / "two.toml"), code=2).stderr
    assert "openai-compatible:m has two addresses" in printed and "hint: give the models different names" in printed
