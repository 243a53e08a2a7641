"""What the attack tests share: a seed to repeat them, and the counts that they print."""

from __future__ import annotations

import collections
import os
import random
from collections.abc import Iterator

import pytest

IS_FULL = os.environ.get("RELIABILITY") == "1"
SEED = int(os.environ.get("TEST_SEED", random.randrange(10**6)))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """A random generator for this test. TEST_SEED repeats what a failed test did."""
    print(f"TEST_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def is_full() -> bool:
    """Whether this is the long form: RELIABILITY=1, as `make reliability` sets it."""
    return IS_FULL


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[collections.Counter[str]]:
    """Counts of what was tried and how it ended. They are printed at the end of the test."""
    counts: collections.Counter[str] = collections.Counter()
    yield counts
    print(f"\n{request.node.name}: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
