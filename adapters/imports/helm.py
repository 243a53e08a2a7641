"""A run folder of HELM: `run_spec.json` and `stats.json`, with the shapes of crfm-helm 0.5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..suites.helm.stats import LESS_IS_BETTER, PREFERRED, choose_metric, means, tokens
from .found import Document, ForeignRun, UnreadableResult, count, rows, slug, table, unit_of, without_nothing

KIND = "helm-run"
RUN_SPEC, STATS = "run_spec.json", "stats.json"

_ADAPTER = ("max_train_instances", "max_eval_instances", "num_outputs", "temperature", "method")


def read(run_spec: Document, stats: Any, path: Path, metric: str | None) -> list[ForeignRun]:
    """The run; `stats` is None where HELM came to no end. `metric` names the score."""
    adapter, scenario = table(run_spec.get("adapter_spec")), table(run_spec.get("scenario_spec"))
    name = run_spec.get("name")
    if not isinstance(name, str):
        raise UnreadableResult(path, f"{RUN_SPEC} has no name: it is no run folder of HELM")
    values = means(rows(stats))
    chosen = choose_metric(run_spec, values, metric)
    if stats is not None and chosen is None:
        asked = metric or ", ".join(PREFERRED)
        raise UnreadableResult(
            path, f"no metric {asked}; choose one with --metric, of {', '.join(sorted(values)[:12])}"
        )
    provider, _, model = str(adapter.get("model") or "").rpartition("/")
    instances = count(values.get("num_instances"))
    return [
        ForeignRun(
            name=name,
            harness="helm",
            benchmark_id=slug((run_spec.get("groups") or [name.partition(":")[0]])[0]),
            status="succeeded" if chosen else "failed",
            reason=None if chosen else "unfinished",
            error=None if chosen else f"there is no {STATS}: HELM came to no end",
            provider=provider,
            model=model,
            score=values[chosen] if chosen else None,
            unit=unit_of(chosen) if chosen else None,
            higher_is_better=chosen not in LESS_IS_BETTER,
            samples=instances,
            metrics=dict(values),
            usage=tokens(values),
            config=without_nothing(
                {
                    "scenario": scenario.get("class_name"),
                    "args": table(scenario.get("args")),
                    **{key: adapter.get(key) for key in _ADAPTER},
                    "metric": chosen,
                }
            ),
            synthetic=provider == "simple",
            provenance=without_nothing({"harness": "helm", "deployment": adapter.get("model_deployment")}),
        )
    ]
