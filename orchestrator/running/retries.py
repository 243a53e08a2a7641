"""Failures that may be temporary, and how long to wait before the next attempt."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator

import msgspec

from ...adapters.manifest import Manifest
from ...ledger.events import Failed
from ...projections.scores.attempts import PROVIDER_ERROR

MAX_DELAY_SECONDS = 300.0


class Retries(msgspec.Struct, frozen=True):
    """How often a run with a temporary failure is retried, and how long to wait before the first retry."""

    maximum: int = 0
    first_seconds: float = 2.0

    def waits(self) -> Iterator[float]:
        """The seconds to wait before each retry."""
        return itertools.islice(delays(self.first_seconds), self.maximum)


_REASONS = {"timeout", "stalled"}
_PASSING = re.compile(f"{PROVIDER_ERROR}|timed out", re.IGNORECASE)


_LASTING = re.compile(r"insufficient_quota", re.IGNORECASE)
"""HTTP 429 with this code means that the quota is used up, which is not temporary."""


def is_transient(failed: Failed, manifest: Manifest) -> bool:
    """Whether a failure may be temporary: by its reason, the end of its stderr, or what the manifest says."""
    if failed.reason in _REASONS or failed.return_code in manifest.run.transient_exit_codes:
        return True
    if failed.reason not in ("exit_code", "environment"):
        return False
    if _LASTING.search(failed.error):
        return False
    patterns = [_PASSING, *(re.compile(pattern, re.IGNORECASE) for pattern in manifest.run.transient_errors)]
    return any(pattern.search(failed.error) for pattern in patterns)


def delays(first_seconds: float) -> Iterator[float]:
    """An endless series of seconds to wait before each retry: exponential backoff with equal jitter.

    The maximum begins at `first_seconds` and doubles up to MAX_DELAY_SECONDS; half of it is fixed, half is random. So
    runs that failed at the same time are not retried at the same time.
    """
    maximum = first_seconds
    while True:
        yield random.uniform(maximum / 2, maximum)  # noqa: S311 - not a secret
        maximum = min(2 * maximum, MAX_DELAY_SECONDS)
