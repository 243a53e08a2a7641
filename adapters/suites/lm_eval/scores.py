"""What a results file of lm-evaluation-harness says of one task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..suitekit.command import SuiteError


def summarize(document: Mapping[str, Any], task: str, metric: str | None) -> dict[str, Any]:
    """The score of a task or group, its standard error, samples and versions.

    `metric` is a name with or without its filter (`exact_match`, `exact_match,strict-match`); None takes the first.
    Raises SuiteError where there is no such task or metric, and for one where less is better.
    """
    tables = document.get("results") or {}
    if task not in tables:
        raise SuiteError(f"the results are of {', '.join(tables) or 'nothing'}, and not of {task}")
    found = metrics_of(tables[task])
    name = _chosen(found, metric, task)
    direction = (document.get("higher_is_better") or {}).get(task) or {}
    if direction.get(name.partition(",")[0]) is False:
        raise SuiteError(f"less is better of {name}: choose another with the option metric, of {', '.join(found)}")
    tasks = members(document, task)
    return {
        "task": task,
        "metric": name,
        "score": found[name],
        "score_stderr": _number(tables[task].get(_stderr_of(name))),
        "n": sum(_effective(document, member) for member in tasks),
        "tasks": {member: metrics_of(tables[member]) for member in [task, *tasks] if member in tables},
        "task_version": (document.get("versions") or {}).get(task),
        "task_hash": (document.get("task_hashes") or {}).get(task),
        "num_fewshot": (document.get("n-shot") or {}).get(task),
        "lm_eval_version": document.get("lm_eval_version"),
        "reported_model": document.get("model_name"),
        "duration_seconds": _number(document.get("total_evaluation_time_seconds")),
    }


def metrics_of(table: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a task by their names, which are `<metric>,<filter>`; standard errors are left out."""
    return {
        name: number
        for name, value in table.items()
        if "," in name and not name.partition(",")[0].endswith("_stderr") and (number := _number(value)) is not None
    }


def _chosen(found: Mapping[str, float], metric: str | None, task: str) -> str:
    fitting = [name for name in found if metric in (None, name, name.partition(",")[0])]
    if not fitting:
        raise SuiteError(f"{task} has no metric {metric or ''}: there are {', '.join(found) or 'none'}")
    return fitting[0]


def _stderr_of(name: str) -> str:
    metric, _, filter = name.partition(",")
    return f"{metric}_stderr,{filter}"


def members(document: Mapping[str, Any], task: str) -> list[str]:
    """The tasks of a group, those of its groups among them; of a task, itself."""
    below = (document.get("group_subtasks") or {}).get(task)
    return [leaf for member in below for leaf in members(document, member)] if below else [task]


def _effective(document: Mapping[str, Any], task: str) -> int:
    return int(((document.get("n-samples") or {}).get(task) or {}).get("effective") or 0)


def _number(value: object) -> float | None:
    """A finite number, also where it was written as text, as the harness does with its duration."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
