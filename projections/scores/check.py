"""The gate: whether scores got worse than a baseline, by more than is allowed."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from ...ledger.identity import parse_utc
from .attempts import Work
from .baselines import Baseline, Candidates, History, among, best_before, last_before, last_run
from .comparison import Contrast, adjust, contrast
from .counting import Doubtful, Task, is_eligible, task_config, task_of
from .leaderboard import Score, score_of, telling_options
from .noise import Noise, noise_of
from .recency import in_order, when
from .samples import SampleReader
from .standing_runs import standing_runs
from .statistics import holm
from .steps import ALARM_P, MIN_HISTORY

__all__ = [
    "Allowance",
    "Baseline",
    "Candidates",
    "Check",
    "CheckedScore",
    "among",
    "best_before",
    "check",
    "last_before",
    "last_run",
]

_ALLOWANCE = re.compile(r"(?P<number>[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)(?P<percent>%?)")

Result = Literal["ok", "worse", "failed", "no baseline", "shaky"]

STALE_DAYS = 30
"""A baseline that is older than what is checked by more than this is reported as stale."""


class Allowance(msgspec.Struct, frozen=True):
    """How much worse a score may be: in its unit, or (`relative`) as a share of the baseline's score."""

    drop: float = 0.0
    relative: bool = False

    @classmethod
    def parse(cls, text: str) -> Allowance:
        """The allowance that a text such as `0.02` or `5%` names. Raises ValueError."""
        match = _ALLOWANCE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"'{text}' is not an allowed drop such as 0.02 or 5%")
        is_relative = bool(match["percent"])
        return cls(float(match["number"]) / (100 if is_relative else 1), is_relative)

    def of(self, baseline: float) -> float:
        """The allowed drop from a baseline's score, in the unit of the task."""
        return self.drop * abs(baseline) if self.relative else self.drop


class CheckedScore(msgspec.Struct, frozen=True, kw_only=True):
    """A task, agent and model that was checked; `task_options` tell the task from others of its benchmark.

    `drop` is by how much it is worse than the baseline in the unit of the task (below 0: it is better), `allowed` how
    much it may be. `reason` says in words why the result is what it is, and `notes` what else there is to say.

    `p_value` is that of the test that decided, corrected for all that was checked; None if nothing is known of the
    noise. `noise` is that of the cell's own history; None if the history is too short. `stale_days` is by how many
    days the baseline is older, if that is too many. A cell that is worse and `shaky` does not fail the check.
    """

    task: Task
    config: Json
    task_options: Json
    agent: str
    provider: str
    model: str
    result: Result
    reason: str
    run_ids: list[str]
    score: Score | None = None
    baseline: Score | None = None
    drop: float | None = None
    allowed: float | None = None
    contrast: Contrast | None = None
    p_value: float | None = None
    noise: Noise | None = None
    stale_days: int | None = None
    notes: list[str] = []


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: `checked` and `baseline` in words, one score after the other, the worst first."""

    checked: str
    baseline: str
    significant: bool
    passed: bool
    compared: int
    scores: list[CheckedScore]


def check(
    runs: Sequence[Run],
    baseline: Baseline,
    read_samples: SampleReader,
    *,
    checked: str,
    against: str,
    allowances: Mapping[str, Allowance] | None = None,
    significant: bool = False,
    include: Collection[Doubtful] = (),
    history: History | None = None,
    quarantined: Collection[str] = (),
    by_history: bool = False,
) -> Check:
    """Whether any of `runs` got worse than its baseline by more than is allowed, or failed where that has a score.

    `allowances` are those of single benchmarks by id, and of all others under ""; none is 0. With `significant`, a drop
    counts only if it is more than noise too (`comparison.contrast`, corrected for all that is checked); where nothing
    is known of the noise, it counts. `checked` and `against` are the words for the report.

    `history` gives all runs of a cell that count: from them its own noise is known, if it has run often enough. It is
    asked only if noise decides, with `significant` or `by_history`. Then that decides what is significant, so that a
    single unlucky run never fails the check. With `by_history` each cell is measured against the level of its own
    history. Cells of the benchmarks in `quarantined`, and those that are shaky by themselves, are shown and do not
    fail.
    """
    found = [_measure(some, baseline(some), read_samples) for some in _candidates(runs, include)]
    is_asked = history is not None and (significant or by_history)
    noises = _noises([_cell(history, one) if history and is_asked else [] for one in found])
    found = [
        _with_noise(one, noise, by_history=by_history, is_named=one.task.benchmark_id in quarantined)
        for one, noise in zip(found, noises, strict=True)
    ]
    adjusted = adjust([one.contrast for one in found])
    given = allowances or {}
    telling = telling_options({one.task: one.config for one in found})
    scores = []
    for one, corrected in zip(found, adjusted, strict=True):
        allowed = given.get(one.task.benchmark_id, given.get("", Allowance()))
        corrected_score = msgspec.structs.replace(one, contrast=corrected, task_options=telling[one.task])
        scores.append(_judge(corrected_score, allowed, significant or by_history))
    scores.sort(key=lambda score: (_WORST_FIRST.index(score.result), score.task.benchmark_id, score.agent, score.model))
    return Check(
        checked=checked,
        baseline=against,
        significant=significant,
        passed=all(score.result in ("ok", "no baseline", "shaky") for score in scores),
        compared=sum(score.baseline is not None for score in scores),
        scores=scores,
    )


_WORST_FIRST: tuple[Result, ...] = ("failed", "worse", "shaky", "no baseline", "ok")


def _cell(history: History, score: CheckedScore) -> list[Run]:
    """All runs of a cell up to those that are checked; none if these do not count."""
    work = Work(score.task.benchmark_id, score.task.comparison_key, score.agent, score.provider, score.model)
    runs = in_order(run for run in history(work) if task_of(run) == score.task)
    places = [place for place, run in enumerate(runs, 1) if run.run_id in score.run_ids]
    return runs[: max(places, default=0)]


def _noises(cells: Sequence[Sequence[Run]]) -> list[Noise | None]:
    """The noise of each cell, with its p-values corrected for the number of cells (Holm)."""
    noises = [noise_of(runs) if runs else None for runs in cells]
    adjusted = iter(holm([noise.p_value for noise in noises if noise is not None]))
    return [
        None if noise is None else msgspec.structs.replace(noise, is_shift=next(adjusted) < ALARM_P) for noise in noises
    ]


def _with_noise(score: CheckedScore, noise: Noise | None, *, by_history: bool, is_named: bool) -> CheckedScore:
    """The score with its noise; with `by_history` the level of its history is its baseline."""
    notes = [*score.notes, "quarantined by name"] if is_named else list(score.notes)
    if noise is None:
        if by_history and score.baseline is not None:
            notes.append(f"fewer than {MIN_HISTORY} earlier runs: compared with the last one")
        return msgspec.structs.replace(score, notes=notes)
    if noise.is_shaky:
        notes.append("shaky: it scatters more than its answers explain, or its level moves again and again")
    if is_named:
        noise = msgspec.structs.replace(noise, is_shaky=True)
    score = msgspec.structs.replace(score, noise=noise, notes=notes)
    if not by_history or score.score is None:
        return score
    level = Score(
        mean=noise.level,
        stderr=noise.spread / math.sqrt(noise.runs) or None,
        stderr_of="repeats",
        repeats=noise.runs,
        samples=None,
        run_ids=[],
    )
    drop = -score.task.improvement(score.score.mean - noise.level)
    return msgspec.structs.replace(score, baseline=level, drop=drop, stale_days=None)


def _candidates(runs: Iterable[Run], include: Collection[Doubtful]) -> list[Candidates]:
    by_work: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in in_order(runs):
        by_work[run.benchmark_id, run.comparison_key, run.agent, run.provider, run.model].append(run)
    found = []
    for (benchmark_id, comparison_key, agent, provider, model), some in by_work.items():
        scored = [run for run in some if is_eligible(run, include)]
        if not scored and some[-1].status != "failed":
            continue  # Under way, or nothing that counts: there is nothing to say of it.
        # What was measured in another unit than the newest is not of its task.
        same = [run for run in scored if task_of(run) == task_of(scored[-1])]
        found.append(
            Candidates(
                benchmark_id=benchmark_id,
                comparison_key=comparison_key,
                agent=agent,
                provider=provider,
                model=model,
                runs=standing_runs(same) if same else [],
                failed=None if scored else some[-1],
                first=when(some[0]),
            )
        )
    return found


def _measure(candidates: Candidates, baseline: Sequence[Run], read_samples: SampleReader) -> CheckedScore:
    """A score beside its baseline, not judged yet."""
    baseline = standing_runs(baseline) if baseline else []
    known = candidates.runs or baseline
    tried = candidates.runs or ([candidates.failed] if candidates.failed else [])
    task = task_of(known[-1]) if known else Task(candidates.benchmark_id, candidates.comparison_key, "", True)
    measured = CheckedScore(
        task=task,
        config=task_config(tried[-1]),
        task_options={},
        agent=candidates.agent,
        provider=candidates.provider,
        model=candidates.model,
        result="no baseline",
        reason="the baseline has no such score",
        run_ids=[run.run_id for run in tried],
        score=score_of(candidates.runs) if candidates.runs else None,
        baseline=score_of(baseline) if baseline else None,
    )
    if candidates.failed is not None:
        reason = f"failed ({candidates.failed.reason}), where the baseline has a score"
        return msgspec.structs.replace(measured, result="failed", reason=reason) if baseline else measured
    if not baseline:
        return measured
    against = contrast(task, baseline, candidates.runs, read_samples)
    days = _days_between(baseline[-1], candidates.runs[0])
    is_stale = days is not None and days > STALE_DAYS
    return msgspec.structs.replace(
        measured,
        contrast=against,
        drop=-against.improvement,
        stale_days=days if is_stale else None,
        notes=[f"stale baseline: {days} days older"] if is_stale else [],
    )


def _days_between(before: Run, after: Run) -> int | None:
    """Whole days between two runs; None if one of them has no time that can be read."""
    first, second = when(before)[0], when(after)[0]
    return (parse_utc(second) - parse_utc(first)).days if first and second else None


def _judge(score: CheckedScore, allowance: Allowance, significant: bool) -> CheckedScore:
    if score.baseline is None or score.drop is None or score.result == "failed":
        return score
    allowed = allowance.of(score.baseline.mean)
    verdict = score.contrast.verdict if score.contrast else "unknown"
    noise = score.noise if significant else None
    # 0.82 - 0.80 is a little more than 0.02 in floating point.
    is_within = score.drop <= allowed + 1e-9 * max(1.0, abs(score.baseline.mean))
    if is_within:
        result, reason = "ok", "not worse" if score.drop <= 0 else "within what is allowed"
    elif noise is not None:
        result, reason = ("worse", _shifted(noise)) if noise.is_shift else ("ok", _unlucky(noise))
    else:
        result = "ok" if significant and verdict == "no difference" else "worse"
        reason = ("worse by more than is allowed" if allowed else "worse") + _OF_NOISE[verdict]
    p_value = noise.p_value if noise else score.contrast.adjusted_p if score.contrast else None
    is_shaky = score.noise.is_shaky if score.noise else "quarantined by name" in score.notes
    if result == "worse" and is_shaky:
        result = "shaky"
    return msgspec.structs.replace(
        score, allowed=allowed, result=result, p_value=p_value, reason="; ".join([reason, *score.notes])
    )


def _shifted(noise: Noise) -> str:
    lasting = "in its last run" if noise.window == 1 else f"in its last {noise.window} runs"
    return f"worse {lasting} than the noise of {noise.runs} runs before explains"


def _unlucky(noise: Noise) -> str:
    return f"worse, but within its own noise (± {noise.spread:.3g} from run to run, {noise.runs} runs)"


_OF_NOISE = {
    "worse": ", and by more than noise",
    "no difference": ", but not by more than noise",
    "unknown": ", and nothing is known of the noise",
}
