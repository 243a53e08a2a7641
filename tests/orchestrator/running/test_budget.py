"""What a campaign may spend."""

from __future__ import annotations

import threading

import pytest

from benchmarks.orchestrator.running.budget import Allowance, Budget, tokens_of


def test_without_a_limit_it_is_never_exceeded():
    budget = Budget(Allowance())
    budget.spend({"cost_usd": 1e9, "total_tokens": 10**12})
    assert budget.exceeded() is None


def test_it_is_exceeded_once_the_limit_is_reached():
    budget = Budget(Allowance(max_cost=1.0))
    budget.spend({"cost_usd": 0.75})
    budget.spend({"input_tokens": 5})
    assert budget.exceeded() is None
    budget.spend({"cost_usd": 0.25})
    assert budget.exceeded() == ("max_cost", "$1 of $1 are spent")


def test_time_is_over_too():
    assert Budget(Allowance(max_minutes=1e-12)).exceeded()[0] == "max_minutes"
    assert Budget(Allowance(max_minutes=60)).exceeded() is None


def test_no_token_is_lost_between_threads():
    budget = Budget(Allowance(max_tokens=8000))

    def spend():
        for _ in range(1000):
            budget.spend({"total_tokens": 1})

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.exceeded() == ("max_tokens", "8,000 of 8,000 tokens are used")


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({}, None),
        ({"total_tokens": 7, "input_tokens": 1}, 7),
        ({"input_tokens": 3, "output_tokens": 4}, 7),
        ({"output_tokens": 4}, 4),
        ({"total_tokens": None, "calls": 2}, None),
    ],
)
def test_tokens_are_the_total_or_the_sum(usage, tokens):
    assert tokens_of(usage) == tokens
