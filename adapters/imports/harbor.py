"""A job folder of Harbor, the successor of Terminal-Bench's harness: `config.json`, `result.json`, a folder a trial.

A run for each agent, model and dataset of the job. As Harbor does, a trial without a reward counts as 0.
Shapes of harbor 0.24.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from .found import (
    Document,
    ForeignRun,
    PassedOver,
    UnreadableResult,
    all_bounded,
    count,
    direction_of,
    moment,
    number,
    revision,
    rows,
    seconds_between,
    table,
    unit_of,
)
from .found import without_nothing as without
from .harbor_samples import key_of

KIND = "harbor-job"
CONFIG, RESULT = "config.json", "result.json"

Trial = dict[str, Any]
_JOB = (
    "n_attempts timeout_multiplier agent_timeout_multiplier verifier_timeout_multiplier agent_setup_timeout_multiplier "
    "environment_build_timeout_multiplier extra_instructions"
).split()
_DATASET = ("version", "ref", "task_names", "exclude_task_names", "n_tasks")
_AGENT = ("kwargs", "skills", "mcp_servers", "override_timeout_sec", "max_timeout_sec", "resume_trajectory")
_MACHINE = ("override_cpus", "override_memory_mb", "override_storage_mb", "override_gpus")
"""What a score depends on: of the job, its dataset, its agent, and the containers that the tasks run in."""

_TOKENS = {"input_tokens": "n_input_tokens", "output_tokens": "n_output_tokens", "cached_tokens": "n_cache_tokens"}


def fits(config: Document) -> bool:
    """Whether a `config.json` is that of a job, and not that of one of its trials."""
    return "job_name" in config and "agents" in config


def fits_older(document: Document) -> bool:
    """Whether a JSON file is what Terminal-Bench's own harness left, before Harbor."""
    trials = rows(document.get("results"))
    return bool(trials) and all("trial_name" in trial and "is_resolved" in trial for trial in trials)


def read(
    config: Document, result: Document | None, trials: Sequence[Trial], path: Path, metric: str | None
) -> list[ForeignRun | PassedOver]:
    """The runs of a job; `result` is None if the job was killed early. `metric` names a reward other than the first."""
    groups: dict[tuple[str, str, str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault(key_of(trial), []).append(trial)
    if not groups:
        raise UnreadableResult(path, "no trial in it came to its end")
    unfinished = _unfinished(result, len(trials))
    there = {name for trial in trials for name in _rewards(trial)}
    if metric is not None and metric not in there:
        raise UnreadableResult(path, f"no reward {metric}; known: {', '.join(sorted(there)) or 'none'}")
    return [
        _run(_Group(*key, members), config, unfinished, metric)
        if metric is None or any(metric in _rewards(trial) for trial in members)
        else PassedOver("/".join(key), f"none of its trials has a reward {metric}")
        for key, members in sorted(groups.items(), key=lambda group: group[0])
    ]


def _rewards(trial: Trial) -> dict[str, Any]:
    return table(table(trial.get("verifier_result")).get("rewards"))


class _Group(msgspec.Struct, frozen=True):
    """The trials of a job that one agent made on one dataset with one model."""

    agent: str
    provider: str
    model: str
    dataset: str
    trials: list[Trial]

    @property
    def name(self) -> str:
        """What names the run among those of its file."""
        return "/".join((self.agent, self.provider, self.model, self.dataset))

    @property
    def rewards(self) -> list[dict[str, Any]]:
        """The rewards of each trial by name."""
        return [_rewards(trial) for trial in self.trials]

    @property
    def errors(self) -> list[str]:
        """The types of the exceptions of the trials that had one."""
        infos = [table(trial.get("exception_info")) for trial in self.trials if trial.get("exception_info")]
        return [str(info.get("exception_type")) for info in infos]

    def period(self) -> tuple[str | None, str | None]:
        """When the first trial began and the last one ended."""
        started = [at for trial in self.trials if (at := moment(trial.get("started_at")))]
        ended = [at for trial in self.trials if (at := moment(trial.get("finished_at")))]
        return min(started, default=None), max(ended, default=None)


class _Score(msgspec.Struct, frozen=True):
    """The reward that is the score, by name, and its value in each trial: none if one of them is not a number."""

    reward: str | None
    values: list[float]
    odd: list[Any]


def _score(group: _Group, metric: str | None) -> _Score:
    names = {name for rewards in group.rewards for name in rewards}
    chosen = metric or ("reward" if "reward" in names else min(names, default=None))
    if chosen is None:
        return _Score(None, [], [])
    odd = [rewards[chosen] for rewards in group.rewards if chosen in rewards and number(rewards[chosen]) is None]
    # A trial without a reward counts as 0.
    values = [] if odd else [number(rewards.get(chosen)) or 0.0 for rewards in group.rewards]
    return _Score(chosen, values, odd)


def _run(group: _Group, config: Document, unfinished: str | None, metric: str | None) -> ForeignRun:
    score = _score(group, metric)
    values, chosen = score.values, score.reward or ""
    started, ended = group.period()
    reason = "unfinished" if unfinished else None if values else "no_score"
    return ForeignRun(
        name=group.name,
        harness="harbor",
        benchmark=group.dataset,
        status="failed" if reason else "succeeded",
        reason=reason,
        error=unfinished or (_without_score(score, group.errors) if reason else None),
        agent=group.agent,
        provider=group.provider,
        model=group.model,
        score=statistics.fmean(values) if values else None,
        unit=_unit(chosen),
        higher_is_better=direction_of(chosen) is not False,
        samples=len(group.trials),
        stderr=statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None,
        metrics=_metrics(group, chosen),
        usage=_usage(group.trials),
        config=without(all_bounded(_options(config, group.trials[0], group.dataset)) | {"reward": metric}),
        started_at=started,
        ended_at=ended,
        duration_seconds=seconds_between(started, ended),
        provenance=_provenance(group, config),
        task_revision=revision(None, _data(group)),
        sought={"key": [group.agent, group.provider, group.model, group.dataset], "reward": score.reward},
    )


def _unit(reward: str) -> str | None:
    if not reward:
        return None
    return "ratio" if reward == "reward" else unit_of(reward)


def _metrics(group: _Group, chosen: str) -> dict[str, Any]:
    """The mean of each reward, the errors by type, and the score of each trial."""
    rewards, errors = group.rewards, group.errors
    names = sorted({name for one in rewards for name in one})
    tasks = {str(t.get("trial_name")): r.get(chosen) for t, r in zip(group.trials, rewards, strict=True)}
    return without(
        {
            "rewards": {name: statistics.fmean([number(one.get(name)) or 0.0 for one in rewards]) for name in names},
            "errors": {error: errors.count(error) for error in sorted(set(errors))},
            "unrewarded": sum(1 for one in rewards if not one),
            "tasks": tasks,
        }
    )


def _usage(trials: Sequence[Trial]) -> dict[str, Any]:
    counts = {ours: _sum(trials, theirs, count) for ours, theirs in _TOKENS.items()}
    return without(counts | {"cost_usd": _sum(trials, "cost_usd", number)})


def _provenance(group: _Group, config: Document) -> dict[str, Any]:
    return without(
        {
            "harness": "harbor",
            "job": config.get("job_name"),
            "agent_version": table(group.trials[0].get("agent_info")).get("version"),
            "task_checksums": sorted({str(trial.get("task_checksum")) for trial in group.trials}),
        }
    )


def _data(group: _Group) -> str | None:
    """A digest of the tasks' own checksums; None if a trial does not have one."""
    sums = {str(trial.get("task_name")): trial.get("task_checksum") for trial in group.trials}
    if not all(isinstance(one, str) and one for one in sums.values()):
        return None
    return sha256(msgspec.json.encode(sums, order="sorted")).hexdigest()


def _options(config: Document, trial: Trial, dataset: str) -> dict[str, Any]:
    """What the score depends on besides agent and model; the agent's own settings are those of one of its trials."""
    given = next((one for one in rows(config.get("datasets")) if one.get("name") == dataset), {})
    agent = table(table(trial.get("config")).get("agent"))
    return {
        **{name: config.get(name) for name in _JOB},
        "dataset": dataset,
        **{name: given.get(name) for name in _DATASET},
        **{name: agent.get(name) or None for name in _AGENT},
        **{name: table(config.get("environment")).get(name) for name in _MACHINE},
    }


def _without_score(score: _Score, errors: list[str]) -> str:
    if score.odd:
        return f"{score.reward} is {score.odd[0]} in {len(score.odd)} trials"
    return "; ".join(["no trial has a reward", *([", ".join(sorted(set(errors)))] if errors else [])])


def _unfinished(result: Document | None, here: int) -> str | None:
    """Why the job does not count as a whole, if it does not; `here` are the trials whose folders are there."""
    if result is None:
        return f"the job has no {RESULT}: it was killed"
    stats = table(result.get("stats"))
    left = sum(count(stats.get(name)) or 0 for name in ("n_running_trials", "n_pending_trials"))
    if left:
        return f"{left} trials of the job did not come to their end"
    totals = (result.get("n_total_trials"), stats.get("n_completed_trials"), stats.get("n_trials"))
    total = next((known for value in totals if (known := count(value)) is not None), here)
    if here < total:
        return f"of {total} trials of the job {here} are here: the folders of the others are gone"
    return None if result.get("finished_at") else "the job was not finished"


def _sum(trials: Sequence[Trial], name: str, read: Callable[[object], float | None]) -> float | None:
    """A count of all trials: of a trial with several steps, of each of them. None if no trial has it."""
    contexts = [
        table(context)
        for trial in trials
        for context in (
            trial.get("agent_result"),
            *(step.get("agent_result") for step in trial.get("step_results") or () if not trial.get("agent_result")),
        )
    ]
    counts = [value for context in contexts if (value := read(context.get(name))) is not None]
    return sum(counts) if counts else None
