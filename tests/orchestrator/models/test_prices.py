"""What a run costs: by which price, and when it is unknown."""

from __future__ import annotations

from datetime import date

import pytest

from benchmarks.ledger.events import Finished
from benchmarks.orchestrator.errors import UsageError
from benchmarks.orchestrator.models.prices import Price, Prices, cost_of, load_prices, own_prices, priced
from benchmarks.orchestrator.models.providers import providers

PRICE = Price(
    provider="p", model="m", input=2.0, output=8.0, cached_input=0.5, source="https://example.org", date="2026-01-01"
)
ROW = """
[[price]]
provider = "groq"
model = "{model}"
input = {price}
output = 2.0
source = "my contract"
date = "2026-11-01"
"""


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"input_tokens": 1_000_000, "output_tokens": 0}, 2.0),
        ({"input_tokens": 0, "output_tokens": 1_000_000}, 8.0),
        ({"input_tokens": 1000, "output_tokens": 500, "cached_tokens": 400}, (600 * 2 + 400 * 0.5 + 500 * 8) / 1e6),
        ({"input_tokens": 10, "output_tokens": 0, "cached_tokens": 99}, 20 / 1e6),
        ({"input_tokens": 10}, None),
        ({"total_tokens": 10}, None),
        ({"input_tokens": "many", "output_tokens": 1}, None),
    ],
)
def test_cached_tokens_are_a_part_of_the_input(usage, cost):
    found = cost_of(usage, PRICE)
    assert found == (cost if cost is None else pytest.approx(cost))


def test_what_is_free_costs_nothing_however_much_it_was():
    free = Price(provider="p", model="m", input=0.0, output=0.0, source="mine", date="2026-01-01")
    assert cost_of({}, free) == 0.0 and cost_of({"calls": 1}, PRICE) is None


def test_the_price_is_recorded_with_the_cost():
    outcome = Finished(ended_at="", usage={"input_tokens": 1_000_000, "output_tokens": 1_000_000})
    usage = priced(outcome, PRICE).usage
    assert usage["cost_usd"] == 10.0
    assert usage["price"] == {
        "input": 2.0, "output": 8.0, "cached_input": 0.5, "source": "https://example.org", "date": "2026-01-01"
    }  # fmt: skip
    assert priced(outcome, None) == outcome


def test_a_cost_in_a_result_is_kept():
    outcome = Finished(ended_at="", usage={"input_tokens": 1, "output_tokens": 1, "cost_usd": 7.0})
    assert priced(outcome, PRICE) == outcome


def test_an_own_file_goes_before_ours_and_in_each_an_exact_name_before_a_pattern(tmp_path):
    own = tmp_path / "prices.toml"
    own.write_text(ROW.format(model="*", price=9.0) + ROW.format(model="mine", price=1.0))
    prices = load_prices(own)
    assert prices.find("groq", "mine").input == 1.0
    assert prices.find("groq", "openai/gpt-oss-120b").input == 9.0, (
        "we name it exactly, but the user's word comes first"
    )
    assert load_prices(None).find("groq", "openai/gpt-oss-120b").source.startswith("https://")
    assert prices.find("groq", "any").input == 9.0
    assert Prices([]).find("groq", "mine") is None


def test_the_file_is_the_one_asked_for_else_of_the_variable_else_of_the_workspace(tmp_path):
    for number, name in enumerate(["asked.toml", "variable.toml", "prices.toml"], 1):
        (tmp_path / name).write_text(ROW.format(model="mine", price=float(number)))
    environ = {"BENCHMARKS_PRICES": str(tmp_path / "variable.toml")}
    asked = str(tmp_path / "asked.toml")
    found = [
        own_prices(tmp_path, *which).find("groq", "mine").input
        for which in ((asked, environ), (None, environ), (None, {}))
    ]
    assert found == [1.0, 2.0, 3.0]
    assert own_prices(tmp_path / "elsewhere", None, {}).find("groq", "mine") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[price]]\nprovider = 1", "is not valid: "),
        (ROW.format(model="m", price=-1.0), "a price of groq m must be a finite number, 0 or more"),
        (ROW.format(model="m", price="nan"), "a price of groq m must be a finite number, 0 or more"),
        (ROW.format(model="m", price="inf"), "a price of groq m must be a finite number, 0 or more"),
        (ROW.format(model="m", price=1.0) + "currency = 'EUR'", "unknown field `currency`"),
    ],
)
def test_an_invalid_price_file_is_refused(tmp_path, text, told):
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(UsageError) as problem:
        own_prices(tmp_path, None, {})
    assert told in str(problem.value) and "prices.toml" in str(problem.value)
    with pytest.raises(UsageError, match="cannot be read"):
        own_prices(tmp_path, str(tmp_path / "none"), {})


def test_every_price_that_is_shipped_has_a_known_provider_a_source_and_a_date():
    for row in load_prices(None).lists[0]:
        assert row.provider in providers() and row.source and date.fromisoformat(row.date)
