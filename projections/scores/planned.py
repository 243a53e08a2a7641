"""The runs of a registered plan: which of them were made after it, and which count for its verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ...ledger.events import REPEAT, Registered, RegisteredTask
from ...ledger.fold import Run
from ...ledger.registrations import Registration, covers
from .counting import is_eligible, repetition_of
from .recency import comparable


class PlanRuns:
    """All runs of the work of a plan, in the order of the ledger. `plan` is the plan with its amendments.

    `dropped` are runs of an earlier version of the plan, whose work an amendment took out of it.
    """

    def __init__(self, registration: Registration, runs: Iterable[Run]) -> None:
        self.plan = registration.plan
        versions = registration.versions
        ours = [run for run in runs if run.imported is None and any(covers(plan, run) for plan in versions)]
        ours.sort(key=lambda run: run.first_seq)
        self.earlier = [run for run in ours if _is_before(run, registration)]
        later = [run for run in ours if not _is_before(run, registration)]
        self.reproductions = [run for run in later if run.reproduces is not None]
        self.after = [run for run in later if run.reproduces is None]
        self.dropped = [run for run in self.after if not covers(self.plan, run)]
        self._of: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
        names = {(one.agent, one.provider.lower(), one.model): one.name for one in self.plan.contenders}
        for run in self.after:
            if covers(self.plan, run):
                name = names[run.agent, run.provider.lower(), run.model]
                self._of[run.benchmark_id, run.options_key, name].append(run)

    def of(self, task: RegisteredTask, contender: str) -> list[Run]:
        """All attempts of a contender at a benchmark of the plan."""
        return self._of.get((task.id, task.comparison_key, contender), [])

    def successes(self, task: RegisteredTask, contender: str) -> list[Run]:
        """The successes of planned repetitions."""
        return [
            run
            for run in self.of(task, contender)
            if is_eligible(run) and is_planned(self.plan, run) and value_of(self.plan, run) is not None
        ]

    def counted(self, task: RegisteredTask, contender: str) -> list[Run]:
        """The first success of each planned repetition."""
        first: dict[str, Run] = {}
        for run in self.successes(task, contender):
            first.setdefault(repetition_of(run), run)
        return list(first.values())

    def all_counted(self) -> Sequence[Run]:
        """The runs that count for the verdict."""
        return [
            run for task in self.plan.benchmarks for one in self.plan.contenders for run in self.counted(task, one.name)
        ]


def is_planned(plan: Registered, run: Run) -> bool:
    """Whether a run is one of the planned repetitions."""
    number = run.extra_config.get(REPEAT, 1)
    return isinstance(number, int) and 1 <= number <= plan.repeats


def value_of(plan: Registered, run: Run) -> float | None:
    """The registered metric of a run."""
    if plan.metric == "score":
        return run.score
    value = run.metrics.get(plan.metric)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_before(run: Run, registration: Registration) -> bool:
    """Whether a run was made before the plan was registered.

    A run that was merged later may have begun before the plan; its own clock says so, unless it names the plan.
    """
    if run.first_seq < registration.seq:
        return True
    return run.registration != registration.id and comparable(run.started_at) < comparable(registration.at)
