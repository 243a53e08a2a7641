"""Which runs count, and what two scores must share to be compared."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Protocol, get_args

import msgspec

from ...ledger.events import REPEAT, UNKNOWN_REVISION, Json, TaskRevision
from ...ledger.fold import Run
from ...ledger.registrations import Contending
from .recency import Timed
from .records import Scored, is_upward

Doubtful = Literal["imported", "synthetic", "late", "retracted", "reproduction"]
DOUBTFUL: tuple[Doubtful, ...] = get_args(Doubtful)
"""Kinds of runs that count only if a person asks for them."""

CHANCE = "chance"
"""The metric that holds the score of guessing, if a benchmark's manifest or result reports it."""
RANDOM = "random"
"""The agent whose runs are random answers: their mean is the score of guessing if no metric reports it."""

UNSCORED = 1 << len(DOUBTFUL)
"""The bit of a kind for a success without a score."""
_BITS = {name: 1 << place for place, name in enumerate(DOUBTFUL)}
IMPORTED, SYNTHETIC, _LATE, RETRACTED, _REPRODUCTION = _BITS.values()


class Judged(Protocol):
    """What decides whether a run's score counts: a whole `Run` has it, and so has a row of the score columns."""

    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def score(self) -> float | None: ...  # noqa: D102
    @property
    def imported(self) -> object: ...  # noqa: D102
    @property
    def synthetic(self) -> bool: ...  # noqa: D102
    @property
    def late(self) -> bool: ...  # noqa: D102
    @property
    def retracted(self) -> object: ...  # noqa: D102
    @property
    def reproduces(self) -> str | None: ...  # noqa: D102


class Repeated(Protocol):
    """What tells which repetition of its work a run is."""

    @property
    def extra_config(self) -> Json: ...  # noqa: D102


class ScoredRun(Contending, Judged, Timed, Scored, Repeated, Protocol):
    """What the score of a contender is made from: a whole `Run` has it, and so has a row of the viewer."""

    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def run_group_id(self) -> str: ...  # noqa: D102
    @property
    def comparison_key(self) -> str: ...  # noqa: D102
    @property
    def unit(self) -> str | None: ...  # noqa: D102
    @property
    def stderr(self) -> float | None: ...  # noqa: D102
    @property
    def samples(self) -> int | None: ...  # noqa: D102
    @property
    def registration(self) -> str | None: ...  # noqa: D102
    @property
    def task_revision(self) -> TaskRevision | None: ...  # noqa: D102


class Task(msgspec.Struct, frozen=True, order=True):
    """What two scores must share to be compared: the benchmark, its options, the unit and the direction.

    `comparison_key` is the digest of benchmark and options; an empty unit means that none was given.
    """

    benchmark_id: str
    comparison_key: str
    unit: str
    higher_is_better: bool

    def improvement(self, delta: float) -> float:
        """A difference of scores, turned so that positive is better."""
        return delta if self.higher_is_better else -delta


def kind_of(run: Judged) -> int:
    """What a run is, as bits: one for each of DOUBTFUL, in their order, and UNSCORED. 0: a run without doubts."""
    kind = 0 if run.score is not None else UNSCORED
    if run.imported is not None:
        kind |= IMPORTED
    if run.synthetic:
        kind |= SYNTHETIC
    if run.late:
        kind |= _LATE
    if run.retracted is not None:
        kind |= RETRACTED
    if run.reproduces is not None:
        kind |= _REPRODUCTION
    return kind


def bits_of(kinds: Collection[Doubtful]) -> int:
    """Doubtful kinds as bits."""
    return sum(_BITS[name] for name in set(kinds))


def kinds_that_count(include: Collection[Doubtful] = ()) -> frozenset[int]:
    """The kinds of successes whose scores count: those without doubts, or only with those in `include`."""
    allowed = bits_of(include)
    return frozenset(kind for kind in range(UNSCORED) if not kind & ~allowed)


def is_eligible(run: Judged, include: Collection[Doubtful] = ()) -> bool:
    """Whether a run's score counts: a success with a score, and none of the doubtful kinds but those in `include`.

    Without `include` it is the column `counts` of the SQL view `runs`.
    """
    if run.status != "succeeded":
        return False
    kind = kind_of(run)
    return kind == 0 or (bool(include) and kind in kinds_that_count(include))


def doubts(run: Judged) -> set[Doubtful]:
    """The doubtful kinds that a run is of."""
    kinds: set[Doubtful] = set()
    if run.imported is not None:
        kinds.add("imported")
    if run.synthetic:
        kinds.add("synthetic")
    if run.late:
        kinds.add("late")
    if run.retracted is not None:
        kinds.add("retracted")
    if run.reproduces is not None:
        kinds.add("reproduction")
    return kinds


def task_of(run: ScoredRun) -> Task:
    """The task that a run's score belongs to. A run that names no direction is taken for higher-is-better."""
    return Task(run.benchmark_id, run.comparison_key, run.unit or "", is_upward(run))


def task_config(run: Repeated) -> Json:
    """A run's options without the number of the repetition."""
    return {name: value for name, value in run.extra_config.items() if name != REPEAT}


def repetition_of(run: Repeated) -> str:
    """Which repetition of its work a run is."""
    return str(run.extra_config.get(REPEAT, 1))


def revision_of(run: ScoredRun) -> str:
    """The digest of the task revision of a run, or `unknown`."""
    return run.task_revision.digest if run.task_revision else UNKNOWN_REVISION


def chance_of(run: Run) -> float | None:
    """The score of guessing, if the run reports it."""
    if CHANCE not in run.metrics:
        return None
    reported = run.metrics[CHANCE]
    return float(reported) if isinstance(reported, int | float) and not isinstance(reported, bool) else None
