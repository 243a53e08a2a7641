"""What a results file of lm-evaluation-harness says of one task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..suitekit.command import SuiteError

_NO_METRIC = "bypass"
"""What stands in the place of a metric if answers were only collected."""


def summarize(document: Mapping[str, Any], task: str, metric: str | None) -> dict[str, Any]:
    """The score of a task or group, its standard error, samples and versions.

    `metric` is a name with or without its filter (`exact_match`, `exact_match,strict-match`); None takes the first.
    Raises SuiteError if the task or the metric is unknown, if it is not a number, or if less of it is better.
    """
    tables = document.get("results") or {}
    if task not in tables:
        raise SuiteError(f"the results are of {', '.join(tables) or 'nothing'}, and not of {task}")
    names = metric_names(tables[task])
    name = choose(names, metric)
    if name is None and not names and (below := members(document, task)) != [task]:
        raise SuiteError(f"the group {task} has no metric of its own: name one of its tasks, {', '.join(below)}")
    if name is None:
        raise SuiteError(f"{task} has no metric {metric or ''}; known: {', '.join(names) or 'none'}")
    score = _number(tables[task][name])
    if score is None:
        raise SuiteError(
            f"{name} of {task} is {tables[task][name]}, which is not a number; the metrics are {', '.join(names)}"
        )
    direction = (document.get("higher_is_better") or {}).get(task) or {}
    if direction.get(name.partition(",")[0]) is False:
        raise SuiteError(f"less is better of {name}: choose another with the option metric, of {', '.join(names)}")
    tasks = members(document, task)
    return {
        "task": task,
        "metric": name,
        "score": score,
        "score_stderr": _number(tables[task].get(stderr_of(name))),
        "n": sum(_effective(document, member) for member in tasks),
        "tasks": {member: metrics_of(tables[member]) for member in [task, *tasks] if member in tables},
        "task_version": (document.get("versions") or {}).get(task),
        "task_hash": (document.get("task_hashes") or {}).get(task),
        "num_fewshot": (document.get("n-shot") or {}).get(task),
        "lm_eval_version": document.get("lm_eval_version"),
        "reported_model": document.get("model_name"),
        "duration_seconds": _number(document.get("total_evaluation_time_seconds")),
    }


def metric_names(table: Mapping[str, Any]) -> list[str]:
    """The names of a task's metrics, `<metric>,<filter>`, in their order; also of those that came out as NaN."""
    return [name for name in table if _is_metric(*name.partition(",")[:2])]


def metrics_of(table: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a task that are finite numbers; standard errors are left out."""
    return {name: number for name in metric_names(table) if (number := _number(table[name])) is not None}


def choose(names: list[str], metric: str | None) -> str | None:
    """The first of the names that is `metric`, with or without its filter; without `metric`, the first. None if none.

    What its value is makes no difference: a metric that came out as NaN must not give way to another one.
    """
    return next((name for name in names if metric in (None, name, name.partition(",")[0])), None)


def stderr_of(name: str) -> str:
    """The name under which the standard error of a metric stands."""
    metric, _, filter = name.partition(",")
    return f"{metric}_stderr,{filter}"


def members(document: Mapping[str, Any], task: str) -> list[str]:
    """The tasks of a group, those of its groups among them, each once; of a task, itself."""
    below = document.get("group_subtasks") or {}
    seen: set[str] = set()

    def leaves(name: str) -> list[str]:
        if name in seen:
            return []
        seen.add(name)
        return [leaf for member in below[name] for leaf in leaves(str(member))] if below.get(name) else [name]

    return leaves(task) or [task]


def _is_metric(metric: str, comma: str) -> bool:
    return bool(comma) and not metric.endswith("_stderr") and metric != _NO_METRIC


def _effective(document: Mapping[str, Any], task: str) -> int:
    return int(((document.get("n-samples") or {}).get(task) or {}).get("effective") or 0)


def _number(value: object) -> float | None:
    """A finite number, also one that was written as text, as the harness does with its duration."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
