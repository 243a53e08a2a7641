"""The gate: whether scores got worse than a baseline, by more than is allowed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from .baselines import Baseline, Candidates, among, best_before, last_before, last_run
from .comparison import Contrast, adjust, contrast
from .counting import Doubtful, Task, is_eligible, task_config, task_of
from .leaderboard import Score, score_of, telling_options
from .recency import in_order, when
from .samples import SampleReader

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

Result = Literal["ok", "worse", "failed", "no baseline"]


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
    much it may be. `reason` says in words why the result is what it is.
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
) -> Check:
    """Whether any of `runs` got worse than its baseline by more than is allowed, or failed where that has a score.

    `allowances` are those of single benchmarks by id, and of all others under ""; none is 0. With `significant`, a drop
    counts only if it is more than noise too (`comparison.contrast`, corrected for all that is checked); where nothing
    is known of the noise, it counts. `checked` and `against` are the words for the report.
    """
    found = [_measure(some, baseline(some), read_samples) for some in _candidates(runs, include)]
    adjusted = adjust([one.contrast for one in found])
    given = allowances or {}
    telling = telling_options({one.task: one.config for one in found})
    scores = []
    for one, corrected in zip(found, adjusted, strict=True):
        allowed = given.get(one.task.benchmark_id, given.get("", Allowance()))
        told = msgspec.structs.replace(one, contrast=corrected, task_options=telling[one.task])
        scores.append(_judge(told, allowed, significant))
    scores.sort(key=lambda score: (_WORST_FIRST.index(score.result), score.task.benchmark_id, score.agent, score.model))
    return Check(
        checked=checked,
        baseline=against,
        significant=significant,
        passed=all(score.result in ("ok", "no baseline") for score in scores),
        compared=sum(score.baseline is not None for score in scores),
        scores=scores,
    )


_WORST_FIRST: tuple[Result, ...] = ("failed", "worse", "no baseline", "ok")


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
                runs=same,
                failed=None if scored else some[-1],
                first=when(some[0]),
            )
        )
    return found


def _measure(candidates: Candidates, baseline: Sequence[Run], read_samples: SampleReader) -> CheckedScore:
    """A score beside its baseline, not judged yet."""
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
    return msgspec.structs.replace(measured, contrast=against, drop=-against.improvement)


def _judge(score: CheckedScore, allowance: Allowance, significant: bool) -> CheckedScore:
    if score.contrast is None or score.baseline is None or score.drop is None:
        return score
    allowed = allowance.of(score.baseline.mean)
    verdict = score.contrast.verdict
    # 0.82 - 0.80 is a little more than 0.02 in floating point.
    if score.drop <= allowed + 1e-9 * max(1.0, abs(score.baseline.mean)):
        result, reason = "ok", "not worse" if score.drop <= 0 else "within what is allowed"
    else:
        result = "ok" if significant and verdict == "no difference" else "worse"
        reason = ("worse by more than is allowed" if allowed else "worse") + _OF_NOISE[verdict]
    return msgspec.structs.replace(score, allowed=allowed, result=result, reason=reason)


_OF_NOISE = {
    "worse": ", and by more than noise",
    "no difference": ", but not by more than noise",
    "unknown": ", and nothing is known of the noise",
}
