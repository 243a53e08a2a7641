"""The only definition of the tokens and the cost of a run. Prices, limits and tables use it."""

from __future__ import annotations

import sys
from typing import Any

COST = "cost_usd"
"""The key of a run's usage that holds its cost in US dollars."""

_OTHER_COST = "cost"
"""The key that some harnesses use for it."""

_MAX_AMOUNT = sys.float_info.max

TOKEN_NAMES = {
    "input_tokens": ("input_tokens", "prompt_tokens", "inputTokens", "promptTokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "outputTokens", "completionTokens"),
    "total_tokens": ("total_tokens", "totalTokens", "tokens_used"),
    "cached_tokens": (
        "cached_tokens",
        "cache_read_input_tokens",
        "input_tokens_cache_read",
        "cacheReadInputTokens",
        "cachedTokens",
    ),
    "cache_creation_tokens": ("cache_creation_tokens", "cache_creation_input_tokens", "cacheCreationInputTokens"),
    "reasoning_tokens": ("reasoning_tokens", "reasoningTokens"),
}
"""The names that providers and agents have for the tokens of one model call, by ours."""

MILLISECONDS_NAMES = ("latency_ms", "latencyMs", "duration_ms", "durationMs")
"""Their names for its latency in milliseconds."""


def tokens_of(usage: dict[str, Any]) -> int | None:
    """All tokens of a run: the total that its usage gives, or else the sum of both directions. None if unknown.

    A negative number or a fraction counts as unknown.
    """
    total = whole(usage.get("total_tokens"))
    if total is not None:
        return total
    read, written = whole(usage.get("input_tokens")), whole(usage.get("output_tokens"))
    return None if read is None or written is None else read + written


def cost_in(usage: dict[str, Any]) -> float | None:
    """The cost of a run in US dollars, as its usage gives it. None if unknown; an amount is finite and not below 0."""
    cost = usage.get(COST)
    return amount(usage.get(_OTHER_COST) if cost is None else cost)


def whole(value: object) -> int | None:
    """A count: a whole number that is not below 0. None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def amount(value: object) -> float | None:
    """A finite number that is not below 0. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MAX_AMOUNT else None
