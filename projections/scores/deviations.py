"""What deviates from a registered plan. One that matters may have moved the result, or let a person choose it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ...ledger.events import Registered, RegisteredTask, TaskRevision
from ...ledger.fold import Run
from ...ledger.identity import parse_utc
from ...ledger.registrations import Registration
from .counting import repetition_of
from .planned import PlanRuns, is_planned
from .recency import comparable
from .revisions import PARTS

_KNOWN_LATER = ("data", "packages")
"""Parts of a revision that may become known only when the benchmark runs."""


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """A difference from the plan. One that `matters` makes the result exploratory. `run_ids` are the runs that differ.

    Kinds: `earlier_run`, `amended_late`, `revision`, `samples`, `corrected`, `retracted`, `extra_repeat`, `repeated`,
    `after_deadline`, `stopped_early`, `unbound`, `reproduction`.
    """

    kind: str
    text: str
    matters: bool
    run_ids: list[str] = []


def deviations(registration: Registration, work: PlanRuns, *, is_stopped: bool) -> Iterator[Deviation]:
    """Everything that differs from a plan; `is_stopped`: its deadline has passed before it was complete."""
    plan = registration.plan
    if earlier := [run for run in work.earlier if run.status == "succeeded"]:
        text = f"{_number(len(earlier), 'run')} of this work succeeded before the registration"
        yield Deviation(kind="earlier_run", text=text, matters=True, run_ids=_ids(earlier))
    yield from _amended(registration, work)
    for task in plan.benchmarks:
        for contender in plan.contenders:
            yield from _of_cell(plan, task, contender.name, work)
    for run in work.after:
        if run.retracted is not None:
            text = f"{run.run_id} was retracted: {run.retracted.reason}"
            yield Deviation(kind="retracted", text=text, matters=True, run_ids=[run.run_id])
    yield from _corrected(work.all_counted())
    if unbound := [run for run in work.after if run.registration != registration.id]:
        text = f"{_number(len(unbound), 'run')} of this work did not name this registration; they count all the same"
        yield Deviation(kind="unbound", text=text, matters=False, run_ids=_ids(unbound))
    if work.reproductions:
        text = f"{_number(len(work.reproductions), 'run')} repeated runs of this work as a check; they do not count"
        yield Deviation(kind="reproduction", text=text, matters=False, run_ids=_ids(work.reproductions))
    if late := [run for run in work.all_counted() if has_passed(plan.deadline, run.ended_at or "")]:
        text = f"{_number(len(late), 'run')} that counts ended after the deadline, {plan.deadline}"
        yield Deviation(kind="after_deadline", text=text, matters=True, run_ids=_ids(late))
    if is_stopped:
        missing = sum(
            plan.repeats - len(work.counted(task, one.name)) for task in plan.benchmarks for one in plan.contenders
        )
        text = f"{_number(missing, 'planned run')} had not succeeded at the deadline, {plan.deadline}"
        yield Deviation(kind="stopped_early", text=text, matters=True)


def has_passed(deadline: str | None, now: str) -> bool:
    """Whether a deadline is over at a time. A date means its first moment, and a time without an offset UTC.

    A foreign program may have written one that is not a time: it never passes.
    """
    try:
        return bool(deadline and now) and parse_utc(now) > parse_utc(str(deadline))
    except ValueError:
        return False


def _amended(registration: Registration, work: PlanRuns) -> Iterator[Deviation]:
    """Amendments after runs of any version of the plan had ended, also of work that the amendment took out of it."""
    gone = set(_ids(work.dropped))
    for amendment in registration.amendments:
        ended = [
            run
            for run in [*work.after, *work.reproductions]
            if run.ended_seq is not None and run.ended_seq < amendment.seq
        ]
        if not ended:
            continue
        text = f"{', '.join(sorted(amendment.changes))} changed after {_number(len(ended), 'run')} had ended"
        if dropped := sum(run.run_id in gone for run in ended):
            text += f", {dropped} of them of work that is not in the plan any more"
        text += f": {amendment.reason}"
        yield Deviation(kind="amended_late", text=text, matters=True, run_ids=_ids(ended))


def _of_cell(plan: Registered, task: RegisteredTask, contender: str, work: PlanRuns) -> Iterator[Deviation]:
    runs, counted = work.of(task, contender), work.counted(task, contender)
    place = f"{task.id}{'' if task.seed is None else f' (seed {task.seed})'}, {contender}"
    if others := [run for run in counted if _parts(task.revision, run.task_revision)]:
        parts = sorted({part for run in others for part in _parts(task.revision, run.task_revision)})
        text = f"{place}: another task revision ({', '.join(parts)}) than the registered one"
        yield Deviation(kind="revision", text=text, matters=True, run_ids=_ids(others))
    if plan.n is not None and (sizes := [run for run in counted if run.samples != plan.n]):
        shown = ", ".join(sorted({str(run.samples) for run in sizes}))
        text = f"{place}: {shown} samples, {plan.n} were registered"
        yield Deviation(kind="samples", text=text, matters=True, run_ids=_ids(sizes))
    if extra := [run for run in runs if not is_planned(plan, run)]:
        text = f"{place}: {_number(len(extra), 'run')} more than the {plan.repeats} registered; they do not count"
        yield Deviation(kind="extra_repeat", text=text, matters=False, run_ids=_ids(extra))
    yield from _repeated(plan, place, work, task, contender)


def _repeated(
    plan: Registered, place: str, work: PlanRuns, task: RegisteredTask, contender: str
) -> Iterator[Deviation]:
    """Work that was done again: after a failure that the plan does not exclude, or although it had succeeded."""
    excluded = set(plan.exclusions.reasons)
    first = {repetition_of(run): run for run in work.counted(task, contender)}
    failed = [
        run
        for run in work.of(task, contender)
        if run.status == "failed"
        and run.reason not in excluded
        and (success := first.get(repetition_of(run))) is not None
        and (run.first_seq < success.first_seq or _began_before(run, success))
    ]
    if failed:
        text = f"{place}: {_number(len(failed), 'failure')} that the plan does not exclude, and a later success counts"
        yield Deviation(kind="repeated", text=text, matters=True, run_ids=_ids(failed))
    again = [run for run in work.successes(task, contender) if run is not first[repetition_of(run)]]
    if hidden := [run for run in again if _began_before(run, first[repetition_of(run)])]:
        text = f"{place}: {_number(len(hidden), 'run')} began before the one that counts, and was merged later"
        yield Deviation(kind="repeated", text=text, matters=True, run_ids=_ids(hidden))
    if others := [run for run in again if run not in hidden]:
        text = f"{place}: {_number(len(others), 'run')} of work that had succeeded; the first success counts"
        yield Deviation(kind="repeated", text=text, matters=False, run_ids=_ids(others))


def _began_before(run: Run, other: Run) -> bool:
    """Whether a run that came to this ledger later, from another machine, began before another one."""
    return run.first_seq > other.first_seq and comparable(run.started_at) < comparable(other.started_at)


def _corrected(counted: Sequence[Run]) -> Iterator[Deviation]:
    """Runs whose score was made anew after they had ended."""
    if excluded := [run for run in counted if run.excluded]:
        text = f"samples of {_number(len(excluded), 'run')} were excluded afterwards"
        yield Deviation(kind="corrected", text=text, matters=True, run_ids=_ids(excluded))
    if rescored := [run for run in counted if run.scorer is not None]:
        text = f"a later scorer gave the score of {_number(len(rescored), 'run')}"
        yield Deviation(kind="corrected", text=text, matters=True, run_ids=_ids(rescored))


def _parts(registered: TaskRevision | None, of_run: TaskRevision | None) -> list[str]:
    """The parts that differ. Some may become known only when the benchmark runs."""
    if registered is None or of_run is None:
        return [] if registered is of_run else ["unknown"]
    return [
        part
        for part in PARTS
        if getattr(registered, part) != getattr(of_run, part)
        and not (part in _KNOWN_LATER and not getattr(registered, part))
    ]


def _ids(runs: Sequence[Run]) -> list[str]:
    return [run.run_id for run in runs]


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
