"""Waits for something that another process or thread must bring about, and fails if it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

HANG_SECONDS = 90.0
_LOOK_SECONDS = 0.01

Answer = TypeVar("Answer")


def until(check: Callable[[], Answer], seconds: float = HANG_SECONDS) -> Answer:
    """The first answer of `check` that counts as true."""
    limit = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < limit, f"it did not happen within {seconds:g} s"
        time.sleep(_LOOK_SECONDS)
    return answer
