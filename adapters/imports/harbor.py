"""A job folder of Harbor, the successor of Terminal-Bench's harness: `config.json`, `result.json`, a folder a trial.

A run for each agent, model and dataset of the job. As Harbor does, a trial without a reward counts as 0.
Shapes of harbor 0.24.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .found import Document, ForeignRun, UnreadableResult, count, moment, number, seconds_between, slug, table
from .found import without_nothing as without

KIND = "harbor-job"
CONFIG, RESULT = "config.json", "result.json"

Trial = dict[str, Any]
_TOKENS = {"input_tokens": "n_input_tokens", "output_tokens": "n_output_tokens", "cached_tokens": "n_cache_tokens"}


def fits(config: Document) -> bool:
    """Whether a `config.json` is that of a job, and not that of one of its trials."""
    return "job_name" in config and "agents" in config


def read(
    config: Document, result: Document | None, trials: Sequence[Trial], path: Path, metric: str | None
) -> list[ForeignRun]:
    """The runs of a job; `result` is None where it was killed early. `metric` names a reward other than the first."""
    groups: dict[tuple[str, str, str, str], list[Trial]] = {}
    for trial in trials:
        agent = table(trial.get("agent_info"))
        model = table(agent.get("model_info"))
        key = (agent.get("name"), model.get("provider"), model.get("name"), trial.get("source") or "adhoc")
        groups.setdefault(tuple(str(part or "") for part in key), []).append(trial)  # type: ignore[arg-type]
    if not groups:
        raise UnreadableResult(path, "no trial in it came to its end")
    unfinished = _unfinished(result)
    return [
        _run(key, members, config, unfinished, path, metric)
        for key, members in sorted(groups.items(), key=lambda g: g[0])
    ]


def _run(
    key: tuple[str, str, str, str],
    trials: list[Trial],
    config: Document,
    unfinished: str | None,
    path: Path,
    metric: str | None,
) -> ForeignRun:
    agent, provider, model, dataset = key
    rewards = [table(table(trial.get("verifier_result")).get("rewards")) for trial in trials]
    names = sorted({name for reward in rewards for name in reward})
    chosen = metric or ("reward" if "reward" in names else next(iter(names), None))
    if metric is not None and metric not in names:
        raise UnreadableResult(path, f"no reward {metric}: there are {', '.join(names) or 'none'}")
    values = [number(reward.get(chosen)) or 0.0 for reward in rewards] if chosen else []
    errors = [
        str(table(trial.get("exception_info")).get("exception_type")) for trial in trials if trial["exception_info"]
    ]
    started = min(filter(None, (moment(trial.get("started_at")) for trial in trials)), default=None)
    ended = max(filter(None, (moment(trial.get("finished_at")) for trial in trials)), default=None)
    reason = "unfinished" if unfinished else None if values else "no_score"
    return ForeignRun(
        name="/".join(key),
        harness="harbor",
        benchmark_id=slug(dataset),
        status="failed" if reason else "succeeded",
        reason=reason,
        error=unfinished or (f"no trial has a reward; {', '.join(sorted(set(errors)))}" if reason else None),
        agent=agent,
        provider=provider,
        model=model,
        score=statistics.fmean(values) if values else None,
        unit="ratio" if chosen == "reward" else chosen,
        higher_is_better=True,
        samples=len(trials),
        stderr=statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None,
        metrics=without(
            {
                "rewards": {name: statistics.fmean([number(r.get(name)) or 0.0 for r in rewards]) for name in names},
                "errors": {error: errors.count(error) for error in sorted(set(errors))},
                "unrewarded": sum(1 for reward in rewards if not reward),
                "tasks": {str(t.get("trial_name")): r.get(chosen or "") for t, r in zip(trials, rewards, strict=True)},
            }
        ),
        usage=without({ours: _sum(trials, theirs) for ours, theirs in _TOKENS.items()}),
        config=without(
            {name: config.get(name) for name in ("n_attempts", "timeout_multiplier")} | {"dataset": dataset}
        ),
        started_at=started,
        ended_at=ended,
        duration_seconds=seconds_between(started, ended),
        provenance=without(
            {
                "harness": "harbor",
                "job": config.get("job_name"),
                "agent_version": table(trials[0].get("agent_info")).get("version"),
                "task_checksums": sorted({str(trial.get("task_checksum")) for trial in trials}),
            }
        ),
    )


def _unfinished(result: Document | None) -> str | None:
    if result is None:
        return f"the job has no {RESULT}: it was killed"
    stats = table(result.get("stats"))
    left = sum(count(stats.get(name)) or 0 for name in ("n_running_trials", "n_pending_trials"))
    if left:
        return f"{left} trials of the job did not come to their end"
    return None if result.get("finished_at") else "the job was not finished"


def _sum(trials: Sequence[Trial], name: str) -> int | None:
    """Tokens of all trials: of a trial with several steps, of each of them."""
    contexts = [
        table(context)
        for trial in trials
        for context in (
            trial.get("agent_result"),
            *(step.get("agent_result") for step in trial.get("step_results") or () if not trial.get("agent_result")),
        )
    ]
    counts = [value for context in contexts if (value := count(context.get(name))) is not None]
    return sum(counts) if counts else None
