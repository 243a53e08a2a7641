"""Out of how many: the attempts behind a score, how they ended, and what the failures cost.

A failure is the benchmark's own if the benchmark or the model brought it about: a wrong exit, no result, a time limit.
It is one of the infrastructure if the work could not be done or was cut off: a broken environment, a lost
orchestrator, an interrupt, a stall, or a provider that did not answer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple, Protocol

import msgspec

from ...ledger.fold import Run
from ...ledger.registrations import Contending
from ...ledger.usage import cost_in
from .counting import Doubtful, Judged, bits_of, kind_of
from .means import exact, mean_of

INFRASTRUCTURE_REASONS = frozenset({"environment", "start", "workspace", "orchestrator_lost", "interrupted", "stalled"})
"""Reasons of failures that are never the benchmark's own."""

PROVIDER_ERROR = (
    r"\b429\b|too many requests|rate.?limit|\b50[234]\b|service unavailable|bad gateway|gateway time-?out|overloaded|"
    r"connection (refused|reset|aborted)|ECONNREFUSED|ECONNRESET|ETIMEDOUT|temporary failure in name resolution"
)
"""A pattern for errors of a provider in the text of a failure; letter case makes no difference."""

SEARCHED = 499
"""The number of characters of an error that are searched for it."""

_PROVIDER_ERROR = re.compile(f"{PROVIDER_ERROR}|insufficient_quota", re.IGNORECASE)
_MAY_QUOTE_A_PROVIDER = frozenset({"exit_code", "no_result", "exception"})

Ending = Literal["running", "succeeded", "own", "infrastructure"]
FAILURES: frozenset[Ending] = frozenset({"own", "infrastructure"})

_NO_ATTEMPT = bits_of(("imported", "synthetic", "retracted", "reproduction"))


class Attempted(Contending, Protocol):
    """What tells how an attempt ended: a whole `Run` has it, and so has a row of it."""

    @property
    def comparison_key(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102
    @property
    def error(self) -> str | None: ...  # noqa: D102
    @property
    def duration_seconds(self) -> float | None: ...  # noqa: D102


class Work(NamedTuple):
    """A benchmark with its options, and who was to do it. A failure may not know the unit of the score it lacks."""

    benchmark_id: str
    comparison_key: str
    agent: str
    provider: str
    model: str


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """All attempts at a piece of work.

    `own_failures` and `infrastructure_failures` are the two kinds of failures. `seconds_lost` and `cost_lost` are what
    all failures took, in seconds and US dollars, as far as it is known; `unpriced` counts the failures whose cost is
    not known. `completion` is the share of successes among the attempts that have ended; None if none has.
    """

    attempts: int = 0
    running: int = 0
    successes: int = 0
    own_failures: int = 0
    infrastructure_failures: int = 0
    seconds_lost: float = 0.0
    cost_lost: float = 0.0
    unpriced: int = 0
    completion: float | None = None

    @property
    def failures(self) -> int:
        """The number of failures of both kinds."""
        return self.own_failures + self.infrastructure_failures


def ending(run: Attempted) -> Ending:
    """How an attempt ended."""
    if run.status in ("running", "succeeded"):
        return "running" if run.status == "running" else "succeeded"
    return "infrastructure" if is_infrastructure(run.reason, run.error) else "own"


def is_infrastructure(reason: str | None, error: str | None) -> bool:
    """Whether a failure for this reason, with this error, says nothing about the benchmark or the model.

    Of the error its first SEARCHED characters decide: lists of runs keep no more of it.
    """
    if reason in INFRASTRUCTURE_REASONS:
        return True
    return reason in _MAY_QUOTE_A_PROVIDER and bool(_PROVIDER_ERROR.search((error or "")[:SEARCHED]))


def work_of(run: Attempted) -> Work:
    """The work that a run is an attempt at."""
    return Work(run.benchmark_id, run.comparison_key, run.agent, run.provider, run.model)


def is_attempt(run: Judged, include: Collection[Doubtful] = ()) -> bool:
    """Whether a run is an attempt: not retracted, imported, synthetic or a reproduction, unless `include` has that."""
    return is_attempt_of(kind_of(run), include)


def is_attempt_of(kind: int, include: Collection[Doubtful] = ()) -> bool:
    """The same of a kind (`counting.kind_of`)."""
    return not kind & _NO_ATTEMPT & ~bits_of(include)


class Sum(msgspec.Struct):
    """Attempts that ended in one way: their number, and of the failures what they took, by exact sums (`exact`)."""

    runs: int = 0
    seconds: int = 0
    cost: int = 0
    unpriced: int = 0

    def add(self, sign: int, seconds: float | None, cost: float | None, *, is_failure: bool) -> None:
        """Count one more attempt (`sign` 1), or one less (-1)."""
        self.runs += sign
        if is_failure:
            self.seconds += sign * exact(seconds or 0.0)
            self.cost += sign * exact(cost or 0.0)
            self.unpriced += sign * (cost is None)


def count_run(total: Sum, run: Run, how: Ending, sign: int = 1) -> None:
    """Count a run in the sum of its ending."""
    is_failure = how in FAILURES
    total.add(sign, run.duration_seconds, cost_in(run.usage) if is_failure else None, is_failure=is_failure)


def attempts(runs: Iterable[Run]) -> Attempts:
    """The attempts at one piece of work."""
    return count((ending(run), run.duration_seconds, cost_in(run.usage)) for run in runs)


def together(one: Attempts, other: Attempts) -> Attempts:
    """The attempts of both."""
    ended = one.successes + other.successes + one.failures + other.failures
    return Attempts(
        attempts=one.attempts + other.attempts,
        running=one.running + other.running,
        successes=one.successes + other.successes,
        own_failures=one.own_failures + other.own_failures,
        infrastructure_failures=one.infrastructure_failures + other.infrastructure_failures,
        seconds_lost=round(one.seconds_lost + other.seconds_lost, 6),
        cost_lost=round(one.cost_lost + other.cost_lost, 9),
        unpriced=one.unpriced + other.unpriced,
        completion=(one.successes + other.successes) / ended if ended else None,
    )


def count(endings: Iterable[tuple[Ending, float | None, float | None]]) -> Attempts:
    """The attempts, each given by its ending, its seconds and its cost in US dollars."""
    sums: dict[Ending, Sum] = defaultdict(Sum)
    for how, took, paid in endings:
        sums[how].add(1, took, paid, is_failure=how in FAILURES)
    return attempts_in(sums.items())


def attempts_in(sums: Iterable[tuple[Ending, Sum]]) -> Attempts:
    """The attempts of sums, of which several may be of one ending."""
    numbers: dict[Ending, int] = {"running": 0, "succeeded": 0, "own": 0, "infrastructure": 0}
    seconds = cost = unpriced = 0
    for how, some in sums:
        numbers[how] += some.runs
        seconds += some.seconds
        cost += some.cost
        unpriced += some.unpriced
    failures = numbers["own"] + numbers["infrastructure"]
    ended = numbers["succeeded"] + failures
    return Attempts(
        attempts=ended + numbers["running"],
        running=numbers["running"],
        successes=numbers["succeeded"],
        own_failures=numbers["own"],
        infrastructure_failures=numbers["infrastructure"],
        seconds_lost=round(mean_of(seconds, 1), 6),
        cost_lost=round(mean_of(cost, 1), 9),
        unpriced=unpriced,
        completion=numbers["succeeded"] / ended if ended else None,
    )
