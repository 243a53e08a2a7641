"""Failures that may pass by themselves, and how long to wait before the next try."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from ..adapters.manifest import Manifest
from ..ledger.events import Failed

LONGEST_SECONDS = 300.0

_REASONS = {"timeout", "stalled"}
_PASSING = re.compile(
    r"\b429\b|too many requests|rate.?limit|\b50[234]\b|service unavailable|bad gateway|gateway time-?out|overloaded|"
    r"connection (refused|reset|aborted)|ECONNREFUSED|ECONNRESET|ETIMEDOUT|temporary failure in name resolution|"
    r"timed out",
    re.IGNORECASE,
)


def is_transient(failed: Failed, manifest: Manifest) -> bool:
    """Whether a failure may pass by itself: by its reason, by the end of its stderr, or by what the manifest says."""
    if failed.reason in _REASONS or failed.return_code in manifest.run.transient_exit_codes:
        return True
    if failed.reason not in ("exit_code", "environment"):
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
