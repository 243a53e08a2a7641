"""Which of several runs is the latest: the one that ended last, whenever the ledger heard of it.

A result that is imported, or merged from another machine, may be older than what the ledger has. So what is latest
or previous goes by the runs' own times. Only if those are equal does the ledger's order decide. What is a record is
another question (`records`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Protocol, TypeVar

from ...ledger.identity import parse_utc

_LENGTH = len("2026-11-23T07:29:16.123456Z")


class Timed(Protocol):
    """What tells when a run was: a whole `Run` has it, and so has a row of it."""

    @property
    def started_at(self) -> str: ...  # noqa: D102
    @property
    def ended_at(self) -> str | None: ...  # noqa: D102
    @property
    def first_seq(self) -> int: ...  # noqa: D102


Moment = tuple[str, int]
"""A time, and the position of a run's first event, which decides between equal times."""

T = TypeVar("T", bound=Timed)


def when(run: Timed) -> Moment:
    """When a run ended, or began if its end is unknown: comparable with that of every other run.

    The time is ISO 8601 UTC with microseconds; it is empty, and so before all others, if the run names no time that
    can be read.
    """
    return comparable(run.ended_at) or comparable(run.started_at), run.first_seq


def in_order(runs: Iterable[T]) -> list[T]:
    """The runs in the order of their own times."""
    return sorted(runs, key=when)


def comparable(text: str | None) -> str:
    """A time as ISO 8601 UTC with microseconds; empty if it cannot be read."""
    if not text:
        return ""
    if len(text) == _LENGTH and text[10] == "T" and text[19] == "." and text[26] == "Z":
        return text  # As this program writes it.
    try:
        return parse_utc(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, OverflowError):
        return ""
