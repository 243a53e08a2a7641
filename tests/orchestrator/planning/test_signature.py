"""The signature tells different work apart, and nothing else."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.events import REPEAT
from benchmarks.orchestrator.planning.signature import Signature, canonical, difference, sign

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
CONFIG = st.dictionaries(st.text(min_size=1, max_size=8), JSON, max_size=5)


def signed(**changes: Any) -> Signature:
    work = {
        "benchmark_id": "b",
        "benchmark_directory": "d",
        "agent": "eliza",
        "provider": "groq",
        "model": "qwen3",
        "extra_config": {"limit": 2},
    }
    return sign(**{**work, **changes})


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(item) for key, item in reversed(value.items())}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(CONFIG)
def test_key_order_never_matters(config: dict[str, Any]) -> None:
    assert signed(extra_config=config) == signed(extra_config=reordered(config))


@given(CONFIG, CONFIG)
def test_two_configurations_share_a_signature_only_if_they_are_equal(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert (signed(extra_config=one).digest == signed(extra_config=two).digest) == (
        canonical(one) == canonical(two)
        and json.dumps(canonical(one), sort_keys=True) == json.dumps(canonical(two), sort_keys=True)
    )


def test_whole_floats_and_the_case_of_a_provider_make_no_difference() -> None:
    assert signed(extra_config={"limit": 2.0}) == signed() == signed(provider="Groq")


@pytest.mark.parametrize("field", ["benchmark_id", "benchmark_directory", "agent", "provider", "model"])
def test_every_field_of_the_work_counts(field: str) -> None:
    assert signed(**{field: "other"}).digest != signed().digest


def test_true_is_not_one() -> None:
    assert signed(extra_config={"limit": True}).digest != signed(extra_config={"limit": 1}).digest


def test_the_digest_is_the_sha256_of_the_canonical_json_of_the_preimage() -> None:
    text = json.dumps(signed().preimage, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert signed().digest == sha256(text.encode()).hexdigest()


def test_the_comparison_key_leaves_out_who_answered_and_which_repetition() -> None:
    same = signed(agent="x", provider="y", model="z", extra_config={"limit": 2, REPEAT: 3})
    assert same.comparison_key == signed().comparison_key
    assert signed(extra_config={"limit": 1}).comparison_key != signed().comparison_key


def test_a_number_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="not a JSON number"):
        signed(extra_config={"x": float("nan")})


def test_a_difference_names_each_field_with_both_values() -> None:
    before = {"agent": "a", "extra_config": {"seed": 42, "gone": [1]}}
    after = {"agent": "a", "extra_config": {"seed": 43}}
    assert difference(before, after) == ["extra_config.gone: [1] -> (none)", "extra_config.seed: 42 -> 43"]
