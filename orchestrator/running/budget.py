"""The budget of a campaign. After it is spent, no further run starts, and running ones are completed.

A limit of cost or tokens also ends a campaign if a run used a model but did not report its usage, because the limit
can then not be enforced.
"""

from __future__ import annotations

import threading
import time

import msgspec

from ...ledger.events import Json
from ...ledger.usage import cost_in, tokens_of


class Allowance(msgspec.Struct, frozen=True):
    """How much a campaign may spend, in US dollars, tokens and minutes since its start; None means no limit."""

    max_cost: float | None = None
    max_tokens: int | None = None
    max_minutes: float | None = None


class Budget:
    """Adds up what the runs of a campaign used. Safe for many threads."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._cost = 0.0
        self._tokens = 0
        self._cost_unknown = self._tokens_unknown = ""

    def spend(self, usage: Json, *, if_unknown: str = "") -> None:
        """Add the usage of a run that has ended. `if_unknown` is its id if it used a model, otherwise empty."""
        cost, tokens = cost_in(usage), tokens_of(usage)
        with self._lock:
            self._cost += cost or 0.0
            self._tokens += tokens or 0
            if cost is None:
                self._cost_unknown = self._cost_unknown or if_unknown
            if tokens is None:
                self._tokens_unknown = self._tokens_unknown or if_unknown

    def exceeded(self) -> tuple[str, str] | None:
        """The limit that was reached, in one word and in a sentence; None if none was reached."""
        limits = self._allowance
        with self._lock:
            cost, tokens = self._cost, self._tokens
            cost_unknown, tokens_unknown = self._cost_unknown, self._tokens_unknown
        minutes = (time.monotonic() - self._began) / 60
        if limits.max_cost is not None and cost >= limits.max_cost:
            return "max_cost", f"cost limit reached (${cost:.4g} of ${limits.max_cost:g} spent)"
        if limits.max_tokens is not None and tokens >= limits.max_tokens:
            return "max_tokens", f"token limit reached ({tokens:,} of {limits.max_tokens:,} used)"
        if limits.max_cost is not None and cost_unknown:
            return (
                "max_cost",
                f"the cost of {cost_unknown} is unknown, so the limit of ${limits.max_cost:g} cannot be enforced",
            )
        if limits.max_tokens is not None and tokens_unknown:
            text = f"the tokens of {tokens_unknown} are unknown"
            return "max_tokens", f"{text}, so the limit of {limits.max_tokens:,} cannot be enforced"
        if limits.max_minutes is not None and minutes >= limits.max_minutes:
            return "max_minutes", f"time limit reached ({minutes:.1f} of {limits.max_minutes:g} minutes)"
        return None
