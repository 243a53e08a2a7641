"""What a campaign may spend: once it is spent, no further run begins. What runs by then comes to its end."""

from __future__ import annotations

import math
import threading
import time

import msgspec

from ...ledger.events import Json
from ..models.prices import COST


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

    def spend(self, usage: Json) -> None:
        """A run has ended, with that usage."""
        with self._lock:
            self._cost += _amount(usage.get(COST)) or 0.0
            self._tokens += tokens_of(usage) or 0

    def exceeded(self) -> tuple[str, str] | None:
        """Which limit was reached, in a word, and in a sentence; None where there is something left."""
        limits = self._allowance
        with self._lock:
            cost, tokens = self._cost, self._tokens
        minutes = (time.monotonic() - self._began) / 60
        if limits.max_cost is not None and cost >= limits.max_cost:
            return "max_cost", f"${cost:.4g} of ${limits.max_cost:g} are spent"
        if limits.max_tokens is not None and tokens >= limits.max_tokens:
            return "max_tokens", f"{tokens:,} of {limits.max_tokens:,} tokens are used"
        if limits.max_minutes is not None and minutes >= limits.max_minutes:
            return "max_minutes", f"{minutes:.1f} of {limits.max_minutes:g} minutes are over"
        return None


def tokens_of(usage: Json) -> int | None:
    """All tokens of a run's usage; None if it tells of none. A negative number of tokens is not an amount."""
    total = _amount(usage.get("total_tokens"))
    if total is not None:
        return int(total)
    amounts = [_amount(usage.get(name)) for name in ("input_tokens", "output_tokens")]
    known = [amount for amount in amounts if amount is not None]
    return int(sum(known)) if known else None


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < math.inf else None
