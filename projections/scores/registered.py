"""What became of a registered plan: its runs, what deviates from it, and the verdict of the test that it names.

The verdict counts the first success of each planned repetition, so that none can be chosen afterwards. A result is
confirmatory if the plan was carried out as it was registered, and exploratory if a deviation may have moved it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from ...ledger.events import REPEAT, Registered, RegisteredContender, RegisteredTask
from ...ledger.fold import Run
from ...ledger.registrations import Registration
from .attempts import ending
from .comparison import Contrast, contrast
from .counting import task_of
from .deviations import Deviation, deviations, has_passed
from .leaderboard import Score, score_of
from .planned import PlanRuns, value_of
from .samples import SampleReader, SampleScores
from .statistics import holm

State = Literal["open", "complete", "stopped_early"]
Standing = Literal["confirmatory", "exploratory", "open"]
Outcome = Literal["supported", "not_supported", "open"]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A contender on a benchmark of the plan (with one seed): its attempts, and the runs that count for the verdict."""

    benchmark_id: str
    seed: int | None
    contender: str
    planned: int
    attempts: int
    running: int
    own_failures: int
    infrastructure_failures: int
    counted: list[str]
    score: Score | None


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """The registered test on one benchmark. `p_value` is that of the test, `adjusted_p` after Holm's correction.

    `adjusted_p` is the same as `p_value` if every benchmark has to pass. Both are None if the noise is not known.
    """

    benchmark_id: str
    contrast: Contrast
    p_value: float | None
    adjusted_p: float | None
    passes: bool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and what became of it."""

    registration_id: str
    registered_at: str
    plan: Registered
    amendments: int
    state: State
    standing: Standing
    outcome: Outcome
    cells: list[Cell]
    deviations: list[Deviation]
    tests: list[Tested]


def status_of(registration: Registration, runs: Iterable[Run], read_samples: SampleReader, *, now: str) -> Status:
    """The status of a registered plan. `runs` are those of any version of it; `now` is a time, for the deadline."""
    plan = registration.plan
    work = PlanRuns(registration, runs)
    state = _state(plan, work, now)
    found = list(deviations(registration, work, is_stopped=state == "stopped_early"))
    tests = _tests(plan, work, read_samples) if state != "open" else []
    return Status(
        registration_id=registration.id,
        registered_at=registration.at,
        plan=plan,
        amendments=len(registration.amendments),
        state=state,
        standing="open" if state == "open" else "exploratory" if any(one.matters for one in found) else "confirmatory",
        outcome=_outcome(plan, tests) if state != "open" else "open",
        cells=[_cell(plan, task, one, work) for task in plan.benchmarks for one in plan.contenders],
        deviations=found,
        tests=tests,
    )


def _state(plan: Registered, work: PlanRuns, now: str) -> State:
    done = all(len(work.counted(task, one.name)) >= plan.repeats for task in plan.benchmarks for one in plan.contenders)
    if done:
        return "complete"
    return "stopped_early" if has_passed(plan.deadline, now) else "open"


def _cell(plan: Registered, task: RegisteredTask, contender: RegisteredContender, work: PlanRuns) -> Cell:
    runs = work.of(task, contender.name)
    counted = work.counted(task, contender.name)
    endings = [ending(run) for run in runs]
    return Cell(
        benchmark_id=task.id,
        seed=task.seed,
        contender=contender.name,
        planned=plan.repeats,
        attempts=len(runs),
        running=endings.count("running"),
        own_failures=endings.count("own"),
        infrastructure_failures=endings.count("infrastructure"),
        counted=[run.run_id for run in counted],
        score=score_of([_measured(plan, run) for run in counted]) if counted else None,
    )


def _measured(plan: Registered, run: Run) -> Run:
    """The run with the registered metric as its score. Samples and standard error are those of the score alone."""
    if plan.metric == "score":
        return run
    return msgspec.structs.replace(run, score=value_of(plan, run), samples=None, stderr=None)


def _tests(plan: Registered, work: PlanRuns, read_samples: SampleReader) -> list[Tested]:
    reader = read_samples if plan.metric == "score" else _no_samples
    found: list[tuple[str, Contrast, float | None]] = []
    for benchmark_id in dict.fromkeys(task.id for task in plan.benchmarks):
        tasks = [task for task in plan.benchmarks if task.id == benchmark_id]
        sides = [_side(plan, tasks, name, work) for name in (plan.test.baseline, plan.test.contender)]
        if not all(sides):
            continue
        tested = contrast(task_of(sides[0][0]), sides[0], sides[1], reader, margin=plan.test.margin)
        found.append((benchmark_id, tested, _p_of(plan, tested)))
    known = [p for _, _, p in found if p is not None]
    adjusted = iter(holm(known) if plan.test.require == "any" else known)
    tests = []
    for benchmark_id, tested, p in found:
        after = None if p is None else next(adjusted)
        passes = after is not None and after < plan.threshold
        tests.append(Tested(benchmark_id=benchmark_id, contrast=tested, p_value=p, adjusted_p=after, passes=passes))
    return tests


def _side(plan: Registered, tasks: Sequence[RegisteredTask], contender: str, work: PlanRuns) -> list[Run]:
    """The counted runs of a contender on a benchmark, over all seeds, each as a repetition of its own."""
    runs = [_measured(plan, run) for task in tasks for run in work.counted(task, contender)]
    key = runs[0].comparison_key if runs else ""
    return [
        msgspec.structs.replace(run, extra_config={**run.extra_config, REPEAT: number}, comparison_key=key)
        for number, run in enumerate(runs, 1)
    ]


def _p_of(plan: Registered, tested: Contrast) -> float | None:
    """The p-value of the registered test; `better` is one-sided, half of the two-sided one if the sign is right."""
    if plan.test.kind == "equivalent":
        return tested.equivalent_p
    if tested.p_value is None or plan.test.kind == "different":
        return tested.p_value
    return tested.p_value / 2 if tested.improvement > 0 else 1 - tested.p_value / 2


def _no_samples(_run: Run) -> SampleScores:
    return SampleScores(problem="samples have a score, not the registered metric")


def _outcome(plan: Registered, tests: Sequence[Tested]) -> Outcome:
    count = len({task.id for task in plan.benchmarks})
    passed = sum(one.passes for one in tests)
    return "supported" if passed == count or (plan.test.require == "any" and passed) else "not_supported"
