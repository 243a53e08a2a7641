"""What became of a registered plan: its runs, what deviates from it, and the verdict of the test that it names.

The verdict counts the first success of each planned repetition, so that none can be chosen afterwards. A result is
confirmatory if the plan was carried out as it was registered, and exploratory if a deviation may have moved it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from ...ledger.events import REPEAT, Registered, RegisteredContender, RegisteredTask, TaskRevision
from ...ledger.fold import Run
from ...ledger.identity import parse_utc
from ...ledger.registrations import Registration, covers
from .attempts import ending
from .comparison import Contrast, contrast
from .counting import is_eligible, repetition_of, task_of
from .leaderboard import Score, score_of
from .revisions import PARTS
from .samples import SampleReader, SampleScores
from .statistics import holm

State = Literal["open", "complete", "stopped_early"]
Standing = Literal["confirmatory", "exploratory", "open"]
Outcome = Literal["supported", "not_supported", "open"]


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """A difference from the plan. One that `matters` makes the result exploratory. `run_ids` are the runs that differ.

    Kinds: `earlier_run`, `amended_late`, `revision`, `samples`, `retracted`, `extra_repeat`, `repeated`,
    `stopped_early`, `unbound`.
    """

    kind: str
    text: str
    matters: bool
    run_ids: list[str] = []


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
    """The status of a registered plan. `runs` are all runs of its benchmarks; `now` is a time, for the deadline."""
    plan = registration.plan
    runs = [run for run in runs if run.imported is None and covers(plan, run)]
    after = [run for run in runs if run.first_seq > registration.seq]
    work = _Work(plan, after)
    state = _state(plan, work, now)
    deviations = [*_deviations(registration, runs, work, state)]
    tests = _tests(plan, work, read_samples) if state != "open" else []
    return Status(
        registration_id=registration.id,
        registered_at=registration.at,
        plan=plan,
        amendments=len(registration.amendments),
        state=state,
        standing="open" if state == "open" else "exploratory" if any(d.matters for d in deviations) else "confirmatory",
        outcome=_outcome(plan, tests) if state != "open" else "open",
        cells=[_cell(plan, task, one, work) for task in plan.benchmarks for one in plan.contenders],
        deviations=deviations,
        tests=tests,
    )


class _Work:
    """The runs of a plan by benchmark, seed and contender, in the order of the ledger."""

    def __init__(self, plan: Registered, runs: Sequence[Run]) -> None:
        self._plan = plan
        names = {(one.agent, one.provider.lower(), one.model): one.name for one in plan.contenders}
        tasks = {(task.id, task.comparison_key): task for task in plan.benchmarks}
        self._runs: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
        for run in sorted(runs, key=lambda run: run.first_seq):
            task = tasks[run.benchmark_id, run.options_key]
            name = names[run.agent, run.provider.lower(), run.model]
            self._runs[task.id, task.comparison_key, name].append(run)

    def runs(self, task: RegisteredTask, contender: str) -> list[Run]:
        """All attempts."""
        return self._runs.get((task.id, task.comparison_key, contender), [])

    def counted(self, task: RegisteredTask, contender: str) -> list[Run]:
        """The first success of each planned repetition."""
        first: dict[str, Run] = {}
        for run in self.runs(task, contender):
            if is_eligible(run, ()) and _is_planned(self._plan, run) and _value(self._plan, run) is not None:
                first.setdefault(repetition_of(run), run)
        return list(first.values())


def _is_planned(plan: Registered, run: Run) -> bool:
    number = run.extra_config.get(REPEAT, 1)
    return isinstance(number, int) and 1 <= number <= plan.repeats


def _value(plan: Registered, run: Run) -> float | None:
    """The registered metric of a run."""
    if plan.metric == "score":
        return run.score
    value = run.metrics.get(plan.metric)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _state(plan: Registered, work: _Work, now: str) -> State:
    done = all(len(work.counted(task, one.name)) >= plan.repeats for task in plan.benchmarks for one in plan.contenders)
    if done:
        return "complete"
    return "stopped_early" if plan.deadline is not None and _is_after(now, plan.deadline) else "open"


def _is_after(now: str, deadline: str) -> bool:
    """Whether a deadline has passed. A date means its first moment, and a time without an offset UTC.

    A foreign program may have written one that is not a time: it never passes.
    """
    try:
        return parse_utc(now) > parse_utc(deadline)
    except ValueError:
        return False


def _cell(plan: Registered, task: RegisteredTask, contender: RegisteredContender, work: _Work) -> Cell:
    runs = work.runs(task, contender.name)
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
    return msgspec.structs.replace(run, score=_value(plan, run), samples=None, stderr=None)


def _deviations(registration: Registration, runs: Sequence[Run], work: _Work, state: State) -> Iterator[Deviation]:
    plan = registration.plan
    earlier = [run.run_id for run in runs if run.first_seq < registration.seq and run.status == "succeeded"]
    if earlier:
        text = f"{_number(len(earlier), 'run')} of this work succeeded before the registration"
        yield Deviation(kind="earlier_run", text=text, matters=True, run_ids=earlier)
    after = [run for run in runs if run.first_seq > registration.seq]
    ended = [run.ended_seq for run in after if run.ended_seq is not None]
    for amendment in registration.amendments:
        if seen := sum(seq < amendment.seq for seq in ended):
            names = ", ".join(sorted(amendment.changes))
            text = f"{names} changed after {_number(seen, 'run')} had ended: {amendment.reason}"
            yield Deviation(kind="amended_late", text=text, matters=True)
    for task in plan.benchmarks:
        for contender in plan.contenders:
            yield from _deviations_of(plan, task, contender.name, work)
    retracted = [run for run in after if run.retracted is not None]
    for run in retracted:
        reason = run.retracted.reason if run.retracted else ""
        text = f"{run.run_id} was retracted: {reason}"
        yield Deviation(kind="retracted", text=text, matters=True, run_ids=[run.run_id])
    if unbound := [run.run_id for run in after if run.registration is None]:
        text = f"{_number(len(unbound), 'run')} of this work did not name the registration; they count all the same"
        yield Deviation(kind="unbound", text=text, matters=False, run_ids=unbound)
    if state == "stopped_early":
        missing = sum(
            plan.repeats - len(work.counted(task, one.name)) for task in plan.benchmarks for one in plan.contenders
        )
        text = f"{_number(missing, 'planned run')} had not succeeded at the deadline, {plan.deadline}"
        yield Deviation(kind="stopped_early", text=text, matters=True)


def _deviations_of(plan: Registered, task: RegisteredTask, contender: str, work: _Work) -> Iterator[Deviation]:
    runs, counted = work.runs(task, contender), work.counted(task, contender)
    place = f"{task.id}{'' if task.seed is None else f' (seed {task.seed})'}, {contender}"
    others = [run for run in counted if _parts(task.revision, run.task_revision)]
    if others:
        parts = sorted({part for run in others for part in _parts(task.revision, run.task_revision)})
        text = f"{place}: another task revision ({', '.join(parts)}) than the registered one"
        yield Deviation(kind="revision", text=text, matters=True, run_ids=[run.run_id for run in others])
    if plan.n is not None and (sizes := [run for run in counted if run.samples != plan.n]):
        shown = ", ".join(sorted({str(run.samples) for run in sizes}))
        text = f"{place}: {shown} samples, {plan.n} were registered"
        yield Deviation(kind="samples", text=text, matters=True, run_ids=[run.run_id for run in sizes])
    extra = [run.run_id for run in runs if not _is_planned(plan, run)]
    if extra:
        text = f"{place}: {_number(len(extra), 'run')} more than the {plan.repeats} registered; they do not count"
        yield Deviation(kind="extra_repeat", text=text, matters=False, run_ids=extra)
    yield from _repeated(plan, place, runs, counted)


def _repeated(plan: Registered, place: str, runs: Sequence[Run], counted: Sequence[Run]) -> Iterator[Deviation]:
    """Work that was done again: after a failure that the plan does not exclude, or although it had succeeded."""
    excluded = set(plan.exclusions.reasons)
    first = {repetition_of(run): run for run in counted}
    failed = [
        run.run_id
        for run in runs
        if run.status == "failed"
        and run.reason not in excluded
        and (success := first.get(repetition_of(run))) is not None
        and run.first_seq < success.first_seq
    ]
    if failed:
        text = f"{place}: {_number(len(failed), 'failure')} that the plan does not exclude, and a later success counts"
        yield Deviation(kind="repeated", text=text, matters=True, run_ids=failed)
    again = [
        run.run_id
        for run in runs
        if is_eligible(run, ())
        and _is_planned(plan, run)
        and (success := first.get(repetition_of(run))) is not None
        and run.run_id != success.run_id
    ]
    if again:
        text = f"{place}: {_number(len(again), 'run')} of work that had succeeded; the first success counts"
        yield Deviation(kind="repeated", text=text, matters=False, run_ids=again)


def _parts(registered: TaskRevision | None, of_run: TaskRevision | None) -> list[str]:
    """The parts that differ. Data and packages may become known only when the benchmark runs."""
    if registered is None or of_run is None:
        return [] if registered is of_run else ["unknown"]
    known_later = {"data", "packages"}
    return [
        part
        for part in PARTS
        if getattr(registered, part) != getattr(of_run, part)
        and not (part in known_later and not getattr(registered, part))
    ]


def _tests(plan: Registered, work: _Work, read_samples: SampleReader) -> list[Tested]:
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


def _side(plan: Registered, tasks: Sequence[RegisteredTask], contender: str, work: _Work) -> list[Run]:
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


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
