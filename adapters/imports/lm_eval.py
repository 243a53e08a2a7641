"""`results_*.json` of lm-evaluation-harness: a run for each task or group that is no part of another group."""

from __future__ import annotations

from pathlib import Path

from ..suites.lm_eval.scores import members, metrics_of
from .found import (
    Document,
    ForeignRun,
    UnreadableResult,
    count,
    moment,
    number,
    slug,
    table,
    unit_of,
    without_nothing,
)

KIND = "lm-eval-results"

_CONFIG = ("num_fewshot", "repeats", "generation_kwargs")


def fits(document: Document) -> bool:
    """Whether a JSON file is such a file."""
    return isinstance(document.get("results"), dict) and "configs" in document and "versions" in document


def read(document: Document, path: Path, metric: str | None) -> list[ForeignRun]:
    """A run for each; `metric` names the score, with or without its filter, instead of each task's first metric."""
    below = table(document.get("group_subtasks"))
    members = {member for group in below.values() for member in group or ()}
    tasks = [task for task in table(document["results"]) if task not in members]
    if not tasks:
        raise UnreadableResult(path, "no results in it")
    return [_run(document, task, metric, path) for task in tasks]


def _run(document: Document, task: str, metric: str | None, path: Path) -> ForeignRun:
    values = metrics_of(table(table(document["results"])[task]))
    fitting = [name for name in values if metric in (None, name, name.partition(",")[0])]
    if metric is not None and values and not fitting:
        raise UnreadableResult(path, f"{task} has no metric {metric}: there are {', '.join(values)}")
    name = fitting[0] if fitting else None
    base, _, filter = (name or "").partition(",")
    leaves = members(document, task)
    given, own = table(document.get("config")), table(table(document.get("configs")).get(leaves[0]))
    started, seconds = moment(document.get("date")), number(document.get("total_evaluation_time_seconds"))
    return ForeignRun(
        name=task,
        harness="lm_eval",
        benchmark_id=slug(task),
        status="succeeded" if name else "failed",
        reason=None if name else "no_score",
        error=None if name else f"{task} has no metric",
        provider=str(document.get("model_source") or given.get("model") or ""),
        model=str(document.get("model_name") or table(given.get("model_args")).get("model") or ""),
        score=values[name] if name else None,
        unit=unit_of(base) if name else None,
        higher_is_better=table(table(document.get("higher_is_better")).get(task)).get(base) is not False,
        samples=sum(count(table(table(document.get("n-samples")).get(leaf)).get("effective")) or 0 for leaf in leaves)
        or None,
        stderr=number(table(table(document["results"])[task]).get(f"{base}_stderr,{filter}")),
        metrics=values
        | {leaf: metrics_of(table(table(document["results"]).get(leaf))) for leaf in leaves if leaf != task},
        config=without_nothing(
            {
                "task": task,
                "metric": name,
                "limit": given.get("limit"),
                **{key: own.get(key) for key in _CONFIG},
                "fewshot_seed": given.get("fewshot_seed"),
            }
        ),
        started_at=started,
        ended_at=None,
        duration_seconds=seconds,
        benchmark_version=_text(table(document.get("versions")).get(task)),
        provenance=without_nothing(
            {
                "harness": "lm_eval",
                "version": document.get("lm_eval_version"),
                "git_hash": document.get("git_hash"),
                "task_hash": table(document.get("task_hashes")).get(task),
            }
        ),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
