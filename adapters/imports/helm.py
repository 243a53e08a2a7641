"""A run folder of HELM: `run_spec.json` and `stats.json`, with the shapes of crfm-helm 0.5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..suites.helm.stats import LESS_IS_BETTER, PREFERRED, choose_metric, means, measured, split_of, tokens
from .found import (
    Document,
    ForeignRun,
    UnreadableResult,
    all_bounded,
    bounded,
    count,
    direction_of,
    rows,
    table,
    unit_of,
    without_nothing,
)

KIND = "helm-run"
RUN_SPEC, STATS = "run_spec.json", "stats.json"

_WHO = ("model", "model_deployment")
_LATER: dict[str, Any] = {"num_train_trials": 1, "num_trials": 1, "sample_train": True, "multi_label": False}
"""Fields that older versions do not have, and what they did: the same task has the same options in both."""


def read(run_spec: Document, stats: Any, path: Path, metric: str | None) -> list[ForeignRun]:
    """The run; `stats` is None if HELM did not finish. `metric` names the score."""
    adapter = table(run_spec.get("adapter_spec"))
    # Before version 0.2 the key was called `scenario`.
    scenario = table(run_spec.get("scenario_spec") or run_spec.get("scenario"))
    name = run_spec.get("name")
    if not isinstance(name, str):
        raise UnreadableResult(path, f"{RUN_SPEC} has no name: it is not a run folder of HELM")
    values, split = means(rows(stats)), split_of(rows(stats))
    chosen = choose_metric(run_spec, measured(rows(stats)), metric)
    if stats is not None and chosen is None:
        asked = metric or ", ".join(PREFERRED)
        raise UnreadableResult(
            path, f"no metric {asked}; choose one with --metric, of {', '.join(sorted(values)[:12]) or 'none'}"
        )
    provider, _, model = str(adapter.get("model") or "").rpartition("/")
    score = values.get(chosen) if chosen else None
    reason = "unfinished" if chosen is None else "no_score" if score is None else None
    groups = run_spec.get("groups")
    return [
        ForeignRun(
            name=name,
            harness="helm",
            benchmark=str((groups if isinstance(groups, list) and groups else [name.partition(":")[0]])[0]),
            status="failed" if reason else "succeeded",
            reason=reason,
            error=None
            if reason is None
            else f"{chosen} has no value"
            if chosen
            else f"{STATS} does not exist: HELM did not finish",
            provider=provider,
            model=model,
            score=score,
            unit=unit_of(chosen) if chosen else None,
            higher_is_better=chosen not in LESS_IS_BETTER and direction_of(chosen or "") is not False,
            samples=count(values.get("num_instances")),
            metrics=dict(values),
            usage=tokens(values),
            config=without_nothing(
                {
                    "scenario": scenario.get("class_name"),
                    "args": table(scenario.get("args")),
                    "split": None if split == "test" else split,
                    **all_bounded(
                        {key: value for key, value in adapter.items() if key not in _WHO and value != _LATER.get(key)}
                    ),
                    "perturbations": bounded(table(run_spec.get("data_augmenter_spec")).get("perturbation_specs")),
                    "metric": chosen,
                }
            ),
            synthetic=provider == "simple",
            provenance=without_nothing({"harness": "helm", "deployment": adapter.get("model_deployment")}),
            sought={"metric": chosen, "split": split},
        )
    ]
