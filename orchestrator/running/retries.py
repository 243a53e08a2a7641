"""Failures that may pass by themselves, and how long to wait before the next try."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator

import msgspec

from ...adapters.manifest import Manifest
from ...ledger.events import Failed

LONGEST_SECONDS = 300.0


class Retries(msgspec.Struct, frozen=True):
    """How often a run whose failure may pass is tried again, and how long to wait before the first time."""

    most: int = 0
    first_seconds: float = 2.0

    def waits(self) -> Iterator[float]:
        """Seconds to wait before each next try; no more when it is not to be tried again."""
        return itertools.islice(delays(self.first_seconds), self.most)


_REASONS = {"timeout", "stalled"}
_PASSING = re.compile(
    r"\b429\b|too many requests|rate.?limit|\b50[234]\b|service unavailable|bad gateway|gateway time-?out|overloaded|"
    r"connection (refused|reset|aborted)|ECONNREFUSED|ECONNRESET|ETIMEDOUT|temporary failure in name resolution|"
    r"timed out",
    re.IGNORECASE,
)


_LASTING = re.compile(r"insufficient_quota", re.IGNORECASE)
"""HTTP 429 for want of money, and not for too many requests at once."""


def is_transient(failed: Failed, manifest: Manifest) -> bool:
    """Whether a failure may pass by itself: by its reason, by the end of its stderr, or by what the manifest says."""
    if failed.reason in _REASONS or failed.return_code in manifest.run.transient_exit_codes:
        return True
    if failed.reason not in ("exit_code", "environment"):
        return False
    if _LASTING.search(failed.error):
        return False
    patterns = [_PASSING, *(re.compile(pattern, re.IGNORECASE) for pattern in manifest.run.transient_errors)]
    return any(pattern.search(failed.error) for pattern in patterns)


def delays(first_seconds: float) -> Iterator[float]:
    """Seconds to wait before each next try: twice as long each time, up to LONGEST_SECONDS, with full jitter.

    Jitter keeps many runs that were turned away together from coming back together.
    """
    longest = first_seconds
    while True:
        yield random.uniform(longest / 2, longest)  # noqa: S311 - no secret
        longest = min(2 * longest, LONGEST_SECONDS)
