"""Tokens and cost have one definition: every table, limit and price shows the same number for the same usage."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from benchmarks.cli.commands.run import summary
from benchmarks.ledger.events import Finished, NewEvent
from benchmarks.ledger.history import History
from benchmarks.ledger.usage import cost_in, tokens_of
from benchmarks.orchestrator.models.prices import Price, priced
from benchmarks.orchestrator.running.budget import Allowance, Budget
from benchmarks.projections.sqlite.rows import token_counts
from benchmarks.viewer.index.row import row_of

TOKENS = [
    ({}, None),
    ({"total_tokens": 7, "input_tokens": 1}, 7),
    ({"total_tokens": 7.0}, 7),
    ({"input_tokens": 3, "output_tokens": 4}, 7),
    ({"input_tokens": 10, "output_tokens": 5, "total_tokens": None}, 15),
    ({"output_tokens": 4}, None),
    ({"input_tokens": 3, "output_tokens": None}, None),
    ({"total_tokens": None, "calls": 2}, None),
    ({"total_tokens": True}, None),
    ({"total_tokens": -5}, None),
    ({"total_tokens": -5, "input_tokens": 1, "output_tokens": 1}, 2),
    ({"input_tokens": -1, "output_tokens": 4}, None),
    ({"total_tokens": 5.5}, None),
    ({"total_tokens": "5"}, None),
    ({"total_tokens": math.inf}, None),
]

COSTS = [
    ({}, None),
    ({"cost_usd": 0.5}, 0.5),
    ({"cost_usd": 0}, 0.0),
    ({"cost": 0.25}, 0.25),
    ({"cost_usd": 0.5, "cost": 0.25}, 0.5),
    ({"cost_usd": None, "cost": 0.25}, 0.25),
    ({"cost_usd": True}, None),
    ({"cost_usd": -1.0}, None),
    ({"cost_usd": math.nan}, None),
    ({"cost_usd": 10**400}, None),
    ({"cost_usd": "1"}, None),
]


@pytest.fixture
def run(store, histories):
    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    return History.of(store).runs["run_1"]


def cell(run, name: str) -> str:
    return dict(zip(summary._COLUMNS, summary._cells(run), strict=True))[name]


@pytest.mark.parametrize(("usage", "tokens"), TOKENS)
def test_tokens_are_the_total_or_the_sum_everywhere(run, usage, tokens):
    run = replace(run, usage=usage)
    assert tokens_of(usage) == tokens
    assert token_counts(run)[2] == tokens, "tables and show-runs"
    assert cell(run, "tokens") == ("" if tokens is None else str(tokens)), "the table after run"
    budget = Budget(Allowance(max_tokens=1))
    budget.spend(usage)
    assert (budget.exceeded() is not None) is bool(tokens), "--max-tokens"


@pytest.mark.parametrize(("usage", "cost"), COSTS)
def test_a_cost_is_the_same_everywhere(run, usage, cost):
    run = replace(run, usage=usage)
    assert cost_in(usage) == cost
    assert row_of(run).cost_usd == cost, "the viewer"
    assert cell(run, "cost") == (f"${cost:.4g}" if cost else ""), "the table after run"
    budget = Budget(Allowance(max_cost=0.01))
    budget.spend(usage)
    assert (budget.exceeded() is not None) is bool(cost), "--max-cost"
    price = Price(provider="p", model="m", input=1.0, output=1.0, source="", date="")
    ended = Finished(ended_at="", usage={**usage, "input_tokens": 1_000_000, "output_tokens": 0})
    assert cost_in(priced(ended, price).usage) == (1.0 if cost is None else cost), "a price fills in what is unknown"
