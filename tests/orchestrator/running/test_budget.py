"""What a campaign may spend."""

from __future__ import annotations

import threading

from benchmarks.orchestrator.running.budget import Allowance, Budget


def test_without_a_limit_the_budget_is_never_exceeded():
    budget = Budget(Allowance())
    budget.spend({"cost_usd": 1e9, "total_tokens": 10**12})
    assert budget.exceeded() is None


def test_the_budget_is_exceeded_once_the_limit_is_reached():
    budget = Budget(Allowance(max_cost=1.0))
    budget.spend({"cost_usd": 0.75})
    budget.spend({"input_tokens": 5})
    assert budget.exceeded() is None
    budget.spend({"cost_usd": 0.25})
    assert budget.exceeded() == ("max_cost", "cost limit reached ($1 of $1 spent)")


def test_a_limit_is_not_enforceable_after_a_run_of_unknown_usage():
    cost, tokens, neither = Budget(Allowance(max_cost=1.0)), Budget(Allowance(max_tokens=9)), Budget(Allowance())
    for budget in (cost, tokens, neither):
        budget.spend({}, if_unknown="")
        assert budget.exceeded() is None
        budget.spend({"calls": 3, "input_tokens": 1}, if_unknown="run_1")
        budget.spend({"cost_usd": 0.1, "total_tokens": 1}, if_unknown="run_2")
    assert cost.exceeded() == ("max_cost", "the cost of run_1 is unknown, so the limit of $1 cannot be enforced")
    assert tokens.exceeded() == ("max_tokens", "the tokens of run_1 are unknown, so the limit of 9 cannot be enforced")
    assert neither.exceeded() is None


def test_the_time_limit_is_enforced_too():
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
    assert budget.exceeded() == ("max_tokens", "token limit reached (8,000 of 8,000 used)")
