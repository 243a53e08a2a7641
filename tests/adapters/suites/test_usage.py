"""Tokens mean the same, whichever server counted them; what is unknown stays unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.suites.suitekit.usage import Usage, sum_of, usage_of


def openai(read, written, total=None, cached=None, reasoning=None) -> dict:
    reported = {"prompt_tokens": read, "completion_tokens": written}
    reported |= {} if total is None else {"total_tokens": total}
    reported |= {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    return reported | ({} if reasoning is None else {"completion_tokens_details": {"reasoning_tokens": reasoning}})


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (openai(100, 10, 110), Usage(100, 10, 110)),
        (openai(100, 10), Usage(100, 10, 110)),
        (openai(100, 10, 110, cached=80), Usage(100, 10, 110, 80)),
        # Reasoning is a part of the output, or beside it: the server's total decides.
        (openai(100, 1010, 1110, reasoning=1000), Usage(100, 1010, 1110, None, 1000)),
        (openai(100, 10, 1110, reasoning=1000), Usage(100, 1010, 1110, None, 1000)),
        (openai(100, 10, 1110), Usage(100, 1010, 1110)),
        (openai(100, 1010, reasoning=1000), Usage(100, 1010, 1110, None, 1000)),
        (openai(100, 10, reasoning=1000), Usage(100, 1010, 1110, None, 1000)),
        (openai(100, 0, 100, reasoning=0), Usage(100, 0, 100, None, 0)),
        # OpenAI's newer API.
        (
            {
                "input_tokens": 100,
                "output_tokens": 1010,
                "total_tokens": 1110,
                "input_tokens_details": {"cached_tokens": 80},
                "output_tokens_details": {"reasoning_tokens": 1000},
            },
            Usage(100, 1010, 1110, 80, 1000),
        ),
        # Anthropic counts what concerns a cache beside the input.
        (
            {"input_tokens": 20, "output_tokens": 10, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 10},
            Usage(100, 10, 110, 70),
        ),
        ({"input_tokens": 20, "output_tokens": 10, "cache_read_input_tokens": 0}, Usage(20, 10, 30, 0)),
        # Proxies add them up already.
        ({**openai(100, 10, 110), "cache_read_input_tokens": 70}, Usage(100, 10, 110, 70)),
        ({**openai(100, 10), "cache_read_input_tokens": 70}, Usage(100, 10, 110, 70)),
        (
            {"inputTokens": 20, "outputTokens": 10, "totalTokens": 100, "cacheReadInputTokens": 70},
            Usage(90, 10, 100, 70),
        ),
        # Gemini counts thoughts beside the output, and prompts of tools beside the input.
        (
            {
                "promptTokenCount": 100,
                "candidatesTokenCount": 10,
                "thoughtsTokenCount": 50,
                "totalTokenCount": 160,
                "cachedContentTokenCount": 30,
            },
            Usage(100, 60, 160, 30, 50),
        ),
        (
            {"promptTokenCount": 100, "candidatesTokenCount": 10, "toolUsePromptTokenCount": 5, "totalTokenCount": 115},
            Usage(105, 10, 115),
        ),
        ({"prompt_eval_count": 100, "eval_count": 10}, Usage(100, 10, 110)),
        (
            {**openai(100, 10, 110), "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36},
            Usage(100, 10, 110, 64),
        ),
        # What is not reported is unknown.
        (None, Usage()),
        ("text", Usage()),
        ([], Usage()),
        ({}, Usage()),
        (openai(0, 0, 0), Usage()),
        (openai(None, None), Usage()),
        (openai("n/a", -5), Usage()),
        (openai("100", None, "x"), Usage(100)),
        (openai(True, 1.5), Usage()),
        (openai(float("nan"), float("inf")), Usage()),
        (openai(2**60, 10), Usage(None, 10)),
        (openai(100, None, 110), Usage(100, 10, 110)),
        (openai(100, None, 100), Usage(100, None, 100)),
        ({"total_tokens": 110}, Usage(total_tokens=110)),
        # A total that is less than its parts is not one.
        (openai(100, 10, 0), Usage(100, 10, 110)),
        (openai(100, 10, 50), Usage(100, 10, 110)),
    ],
)
def test_each_server_means_the_same(reported, usage):
    assert usage_of(reported) == usage


def test_a_sum_that_lacks_a_part_is_unknown():
    full = Usage(10, 2, 12, 4, 1)
    assert sum_of([full, full]) == Usage(20, 4, 24, 8, 2)
    assert sum_of([full, Usage()]) == Usage(None, None, None, 4, 1)
    assert sum_of([full, Usage(5)]) == Usage(15, None, None, 4, 1)
    assert sum_of([]) == Usage(0, 0, 0)


NAMES = "prompt_tokens completion_tokens total_tokens input_tokens output_tokens cache_read_input_tokens".split()
VALUES = (
    st.none() | st.integers(-5, 10**6) | st.floats() | st.text(max_size=3) | st.booleans() | st.lists(st.integers())
)


@given(st.dictionaries(st.sampled_from([*NAMES, "prompt_tokens_details", "thoughtsTokenCount"]), VALUES))
def test_whatever_a_server_says_a_known_usage_adds_up(reported):
    usage = usage_of(reported)
    if usage.is_known:
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert all(value is None or value >= 0 for value in vars(usage).values())
