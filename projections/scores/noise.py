"""The noise of a cell (a task, agent and model) as its own history shows it, and when its score moved.

A cell's history has one value for each group of runs: the mean of its repetitions. A score within the bounds of its
unit is judged on the scale of its arcsine, on which its noise does not depend on its value: F. Anscombe, "The
transformation of Poisson, binomial and negative-binomial data" (1948).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median

import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from .leaderboard import Score, Task, score_of, task_config, task_of, telling_options
from .means import mean, standard_error
from .recency import in_order, when
from .steps import Step, last_shift, steps
from .uncertainty import bounds_of, explained

MAX_HISTORY = 500
"""The newest groups of a cell that are looked at: the fit takes the square of their number."""

_MANY_STEPS = 3
_COMPARED = "benchmark_version benchmarks_commit eliza_commit eliza_version".split()


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """How the last scores of a cell stand against its own noise.

    `level` is the mean of the `runs` groups before, and `spread` their standard deviation; `mean` is that of the last
    `window` groups, in which the drop is clearest. `p_value` is the probability of such a drop by noise alone; it is a
    shift if it is too small for that (`steps.ALARM_P`, corrected for all cells of a check). `is_shaky`: the cell
    scatters far more than its answers explain, or its level has moved again and again.
    """

    level: float
    spread: float
    runs: int
    mean: float
    window: int
    p_value: float
    is_shift: bool
    is_shaky: bool


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A score that moved for good: from the level `before` to `after`, with the group of the run `run_id` on.

    `improvement` is the difference, turned so that positive is better. `with_it` names what was recorded otherwise
    than for the run before: each as its value before and after.
    """

    run_id: str
    run_before: str
    at: str
    before: float
    after: float
    improvement: float
    runs_before: int
    runs_after: int
    with_it: dict[str, tuple[str, str]]


class ChangedCell(msgspec.Struct, frozen=True, kw_only=True):
    """A task, agent and model whose score moved, with its changes in their order."""

    task: Task
    task_options: Json
    agent: str
    provider: str
    model: str
    changes: list[Change]


class _Value(msgspec.Struct, frozen=True):
    """The score of a group, with its runs."""

    score: Score
    runs: list[Run]


def noise_of(runs: Sequence[Run]) -> Noise | None:
    """The noise of a cell, of which `runs` are all that count, the last group being that in question.

    None if its history is too short (`steps.MIN_HISTORY`). The runs must be of one task, agent and model.
    """
    values = _values(runs)
    if len(values) < 2:
        return None
    upward = runs[-1].higher_is_better is not False
    scale = _Scale(values[:-1], values[-1].score.mean)
    found = last_shift([scale.of(value.score.mean) for value in values], upward=upward, resolution=scale.resolution)
    if found is None:
        return None
    last = [value.score.mean for value in values[-found.window :]]
    before = values[-found.window - found.runs : -found.window]
    scores = [value.score.mean for value in before]
    level = mean(scores)
    return Noise(
        level=level,
        spread=_deviation(scores),
        runs=found.runs,
        mean=mean(last),
        window=found.window,
        p_value=found.p_value,
        is_shift=found.is_shift,
        is_shaky=_is_shaky(before) or len(_steps(values[: -found.window])) >= _MANY_STEPS,
    )


def changes_of(runs: Sequence[Run]) -> list[Change]:
    """When the score of a cell moved, the first first. The runs are all that count of one task, agent and model."""
    values = _values(runs)
    found = _steps(values)
    ends = [step.at for step in found[1:]] + [len(values)]
    begins = [0] + [step.at for step in found]
    changes = []
    for step, begin, end in zip(found, begins, ends, strict=False):
        before = mean([value.score.mean for value in values[begin : step.at]])
        after = mean([value.score.mean for value in values[step.at : end]])
        first, last = values[step.at].runs[0], values[step.at - 1].runs[-1]
        changes.append(
            Change(
                run_id=first.run_id,
                run_before=last.run_id,
                at=first.ended_at or first.started_at,
                before=before,
                after=after,
                improvement=after - before if first.higher_is_better is not False else before - after,
                runs_before=step.at - begin,
                runs_after=end - step.at,
                with_it=_differences(last, first),
            )
        )
    return changes


def all_changes(runs: Iterable[Run]) -> list[ChangedCell]:
    """The cells whose score moved, the one that moved last first; the runs are all that count.

    A cell goes on over the revisions of its task: that a score moved with a new revision is what a reader looks for.
    Its task is that of its last run.
    """
    histories: dict[tuple[str, str, str, bool, str, str, str], list[Run]] = defaultdict(list)
    for run in runs:
        options = run.options_key or run.comparison_key
        scale = (run.benchmark_id, options, run.unit or "", run.higher_is_better is not False)
        histories[*scale, run.agent, run.provider, run.model].append(run)
    of = {(task_of(in_order(some)[-1]), *key[4:]): some for key, some in histories.items()}
    telling = telling_options({key[0]: task_config(some[-1]) for key, some in of.items()})
    cells = [
        ChangedCell(task=task, task_options=telling[task], agent=agent, provider=provider, model=model, changes=changes)
        for (task, agent, provider, model), some in of.items()
        if (changes := changes_of(some))
    ]
    return sorted(cells, key=lambda cell: cell.changes[-1].at, reverse=True)


def _values(runs: Iterable[Run]) -> list[_Value]:
    """The newest groups of a cell in the order of their last runs; a run that belongs to none stands for itself."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in in_order(runs):
        groups[run.run_group_id or run.run_id].append(run)
    ordered = sorted(groups.values(), key=lambda group: when(group[-1]))
    return [_Value(score_of(group), group) for group in ordered[-MAX_HISTORY:]]


def _steps(values: Sequence[_Value]) -> list[Step]:
    if not values:
        return []
    scale = _Scale(values)
    return steps([scale.of(value.score.mean) for value in values], resolution=scale.resolution)


class _Scale:
    """The scale on which the scores of a cell are judged, and half of one sample on it: the least noise there is."""

    def __init__(self, values: Sequence[_Value], *more: float) -> None:
        scores = [value.score.mean for value in values]
        # The square of a very large score would overflow.
        self._unit = max(abs(score) for score in (*scores, *more)) or 1.0
        sizes = [value.score.samples * value.score.repeats for value in values if value.score.samples]
        self.resolution = 0.0
        self.of: Callable[[float], float] = lambda score: score / self._unit
        self._bounds = bounds_of(values[-1].runs[-1].unit, scores)
        if self._bounds is None or len(sizes) < len(values):
            return
        self._size = median(sizes)
        self.of = self._angle
        half = 0.5 / self._size
        share = min(1 - half, max(half, self._share(mean(scores))))
        self.resolution = (self._angle_of(share + half) - self._angle_of(share - half)) / 2

    def _share(self, score: float) -> float:
        assert self._bounds is not None  # noqa: S101 - for the type checker: it is used with bounds only
        least, most = self._bounds
        return min(1.0, max(0.0, (score - least) / (most - least)))

    def _angle(self, score: float) -> float:
        return self._angle_of(self._share(score))

    def _angle_of(self, share: float) -> float:
        return math.asin(math.sqrt(min(1.0, max(0.0, (share * self._size + 0.375) / (self._size + 0.75)))))


def _is_shaky(values: Sequence[_Value]) -> bool:
    """Whether groups scatter over twice as much as their answers explain, and not by chance."""
    errors = [value.score.stderr for value in values if value.score.stderr]
    if len(errors) < len(values) or len(values) < 2:
        return False
    typical = math.hypot(*errors) / math.sqrt(len(errors))
    return _deviation([value.score.mean for value in values]) > 2 * math.sqrt(explained(len(values))) * typical


def _deviation(scores: Sequence[float]) -> float:
    """The standard deviation of at least two scores (divided by n - 1)."""
    return (standard_error(scores) or 0.0) * math.sqrt(len(scores))


def _differences(before: Run, after: Run) -> dict[str, tuple[str, str]]:
    """What was recorded of two runs that is not the same."""
    ours, theirs = _recorded(before), _recorded(after)
    return {
        name: (ours.get(name, "none"), theirs.get(name, "none"))
        for name in [*ours, *(name for name in theirs if name not in ours)]
        if ours.get(name) != theirs.get(name)
    }


def _recorded(run: Run) -> dict[str, str]:
    facts: dict[str, str] = {name: str(value) for name in _COMPARED if (value := getattr(run, name)) is not None}
    if (revision := run.task_revision) is not None:
        parts = {"driver": revision.driver, "data": revision.data, "packages": revision.packages}
        facts |= {f"task {name}": value[:12] for name, value in {"version": revision.version, **parts}.items() if value}
    if run.served_model is not None:
        facts["served_model"] = run.served_model
    provenance: Json = run.provenance
    for name in ("orchestrator", "model_sha256"):
        if isinstance(value := provenance.get(name), str):
            facts[name] = value
    for name, key in (("manifest", "content_sha256"), ("environment", "packages_sha256"), ("machine", "host")):
        part = provenance.get(name)
        if isinstance(part, dict) and isinstance(value := part.get(key), str):
            facts[name] = value[:12] if key != "host" else value
    return facts
