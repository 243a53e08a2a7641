"""What the answer of a model took, in one meaning for every server. This module needs the standard library alone.

`input_tokens` are all tokens that were read, those from a cache and those written to one among them. `output_tokens`
are all that were written, reasoning among them. `total_tokens` is the sum of both. `cached_tokens` is the part of the
input that came from a cache, `reasoning_tokens` the part of the output that is reasoning. What a server does not say is
None and never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_MAX = 2**40
"""No answer takes more tokens; a larger number is garbage."""
_INPUT = ("prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens", "prompt_eval_count")
_OUTPUT = ("completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens", "eval_count")
_TOTAL = ("total_tokens", "totalTokenCount", "totalTokens")
_DETAILS = (
    "prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "output_tokens_details",
)  # fmt: skip
_CACHED = (
    "cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens", "cachedContentTokenCount",
    "cacheReadInputTokens",
)  # fmt: skip
_BESIDE_INPUT = (
    "cache_read_input_tokens", "cache_creation_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens",
)  # fmt: skip
_REASONING = ("reasoning_tokens", "thoughtsTokenCount")
_TOOLS = ("toolUsePromptTokenCount",)
_CACHE_BESIDE_INPUT = ("input_tokens", "inputTokens")
"""Servers that call the input so count what concerns a cache beside it, unless their total says otherwise."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer, or of several; None is unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether both what was read and what was written is known."""
        return self.input_tokens is not None and self.output_tokens is not None


def usage_of(reported: object) -> Usage:
    """The usage that a server reports for an answer, in the form of OpenAI's, Anthropic's, Gemini's or Ollama's API."""
    if not isinstance(reported, Mapping):
        return Usage()
    flat = dict(reported)
    for name in _DETAILS:
        if isinstance(details := reported.get(name), Mapping):
            flat = {**details, **flat}
    read, written, total = _first(flat, _INPUT), _first(flat, _OUTPUT), _first(flat, _TOTAL)
    cached, reasoning = _first(flat, _CACHED), _first(flat, _REASONING)
    if not read and not cached:
        # No prompt has no tokens: a server that does not count says 0.
        return Usage(None, written or None, total or None, cached, reasoning)
    read = _with_cache(flat, read or 0, written, total) + (_first(flat, _TOOLS) or 0)
    written = _with_reasoning(flat, read, written, total, reasoning)
    return Usage(read, written, total if written is None else read + written, cached, reasoning)


def sum_of(usages: Iterable[Usage]) -> Usage:
    """The usage of several answers. A sum that lacks a part is unknown; cached and reasoning tokens are those known."""
    rows = list(usages)
    cached = [row.cached_tokens for row in rows if row.cached_tokens is not None]
    reasoning = [row.reasoning_tokens for row in rows if row.reasoning_tokens is not None]
    return Usage(
        input_tokens=_sum([row.input_tokens for row in rows]),
        output_tokens=_sum([row.output_tokens for row in rows]),
        total_tokens=_sum([row.total_tokens for row in rows]),
        cached_tokens=sum(cached) if cached else None,
        reasoning_tokens=sum(reasoning) if reasoning else None,
    )


def _with_cache(reported: Mapping[str, Any], read: int, written: int | None, total: int | None) -> int:
    """The input with what was read from a cache or written to one, if the server counts that beside it."""
    if total is not None and written is not None and total == read + written:
        return read
    if "prompt_tokens" not in reported and any(name in reported for name in _CACHE_BESIDE_INPUT):
        return read + sum(_first(reported, (name,)) or 0 for name in _BESIDE_INPUT)
    return read


def _with_reasoning(
    reported: Mapping[str, Any], read: int, written: int | None, total: int | None, reasoning: int | None
) -> int | None:
    """The output with reasoning. The server's total decides whether it is a part of the output or stands beside it."""
    if total is not None and total >= read + (written or 0) and (written is not None or total > read):
        return total - read
    if written is None or reasoning is None:
        return written
    return written + reasoning if "thoughtsTokenCount" in reported or reasoning > written else written


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _first(reported: Mapping[str, Any], names: Iterable[str]) -> int | None:
    """The first of these that is a count: a whole number, also as text, from 0 on."""
    for name in names:
        value = reported.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 15:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MAX:
            continue
        if value == int(value):
            return int(value)
    return None
