"""What a campaign may spend: once it is spent, no further run begins. What runs by then comes to its end.

A limit of cost or tokens also ends a campaign if a run that asked a model did not say what it used: from then on
nothing watches the limit.
"""

from __future__ import annotations

import threading
import time

import msgspec

from ...ledger.events import Json
from ...ledger.usage import cost_in, tokens_of


class Allowance(msgspec.Struct, frozen=True):
    """How much a campaign may spend, in US dollars, tokens and minutes since its start; None is without limit."""

    max_cost: float | None = None
    max_tokens: int | None = None
    max_minutes: float | None = None


class Budget:
    """Keeps account of what the runs of a campaign used. Safe for many threads."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._cost = 0.0
        self._tokens = 0
        self._cost_unknown = self._tokens_unknown = ""

    def spend(self, usage: Json, *, unless_told: str = "") -> None:
        """A run has ended, with that usage. `unless_told` is its id if it asked a model, so that it used something."""
        cost, tokens = cost_in(usage), tokens_of(usage)
        with self._lock:
            self._cost += cost or 0.0
            self._tokens += tokens or 0
            if cost is None:
                self._cost_unknown = self._cost_unknown or unless_told
            if tokens is None:
                self._tokens_unknown = self._tokens_unknown or unless_told

    def exceeded(self) -> tuple[str, str] | None:
        """Which limit was reached, in a word, and in a sentence; None if there is something left."""
        limits = self._allowance
        with self._lock:
            cost, tokens = self._cost, self._tokens
            cost_unknown, tokens_unknown = self._cost_unknown, self._tokens_unknown
        minutes = (time.monotonic() - self._began) / 60
        if limits.max_cost is not None and cost >= limits.max_cost:
            return "max_cost", f"${cost:.4g} of ${limits.max_cost:g} are spent"
        if limits.max_tokens is not None and tokens >= limits.max_tokens:
            return "max_tokens", f"{tokens:,} of {limits.max_tokens:,} tokens are used"
        if limits.max_cost is not None and cost_unknown:
            return (
                "max_cost",
                f"the cost of {cost_unknown} is unknown, so the limit of ${limits.max_cost:g} does not hold",
            )
        if limits.max_tokens is not None and tokens_unknown:
            told = f"the tokens of {tokens_unknown} are unknown"
            return "max_tokens", f"{told}, so the limit of {limits.max_tokens:,} does not hold"
        if limits.max_minutes is not None and minutes >= limits.max_minutes:
            return "max_minutes", f"{minutes:.1f} of {limits.max_minutes:g} minutes are over"
        return None
