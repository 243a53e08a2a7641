"""Statistics over independent repetitions of one piece of work."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from ...ledger.events import REPEAT, Json
from ...ledger.fold import Run
from ...ledger.history import History
from ...projections.scores.means import mean, standard_error
from ...projections.scores.uncertainty import Uncertainty, uncertainty
from .plan import PlannedRun, distinctions


class Repetitions(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of the repetitions of a benchmark for one agent and model; at least one of `planned` succeeded.

    `options` are the options that differ from other work on the benchmark.
    """

    benchmark_id: str
    agent: str
    provider: str
    model: str
    options: Json
    planned: int
    scores: list[float]
    uncertainty: Uncertainty

    @property
    def mean(self) -> float:
        """The mean score."""
        return mean(self.scores)

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation (divided by n - 1) of the repetitions; None for a single one."""
        error = standard_error(self.scores)  # It does not overflow for very large scores.
        return None if error is None else error * math.sqrt(len(self.scores))


def repetitions_of(history: History, plan: Sequence[PlannedRun]) -> list[Repetitions]:
    """The repetitions of work that is planned more than once, including those of earlier campaigns."""
    if not any(REPEAT in planned.config for planned in plan):
        return []  # A campaign of ten thousand cells need not be searched.
    together: dict[tuple[str, str, str, str], list[PlannedRun]] = {}
    options: dict[str, Json] = {}
    for planned, differing in zip(plan, distinctions(plan), strict=True):
        options[planned.signature.digest] = {name: value for name, value in differing.items() if name != REPEAT}
        key = (planned.signature.comparison_key, planned.agent, planned.provider, planned.model)
        together.setdefault(key, []).append(planned)
    repetitions = []
    for group in together.values():
        runs = [run for planned in group if (run := _last_success(history, planned)) is not None]
        scores = [run.score for run in runs if run.score is not None]
        if len(group) > 1 and scores:
            first = group[0]
            repetitions.append(
                Repetitions(
                    benchmark_id=first.adapter.id,
                    agent=first.agent,
                    provider=first.provider,
                    model=first.model,
                    options=options[first.signature.digest],
                    planned=len(group),
                    scores=scores,
                    uncertainty=uncertainty(runs),
                )
            )
    return repetitions


def _last_success(history: History, planned: PlannedRun) -> Run | None:
    attempts = reversed(history.attempts(planned.signature.digest))
    return next((run for run in attempts if run.is_success), None)
