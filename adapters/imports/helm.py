"""A run folder of HELM: `run_spec.json` and `stats.json`, with the shapes of crfm-helm 0.5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .found import Document, ForeignRun, UnreadableResult, count, number, rows, slug, table, unit_of, without_nothing

KIND = "helm-run"
RUN_SPEC, STATS = "run_spec.json", "stats.json"

PREFERRED = ("exact_match", "quasi_exact_match", "pass", "f1_score", "rouge_l", "bleu_4", "ndcg_10", "bits_per_byte")
"""Which of a run's many metrics is the score, where the run names none: the first of these that is there."""

_LESS_IS_BETTER = {"bits_per_byte", "logprob_per_byte"}
_ADAPTER = ("max_train_instances", "max_eval_instances", "num_outputs", "temperature", "method")
_USAGE = {"input_tokens": "num_prompt_tokens", "output_tokens": "num_completion_tokens"}


def read(run_spec: Document, stats: Any, path: Path, metric: str | None) -> list[ForeignRun]:
    """The run; `stats` is None where HELM came to no end. `metric` names the score instead of PREFERRED."""
    adapter, scenario = table(run_spec.get("adapter_spec")), table(run_spec.get("scenario_spec"))
    name = run_spec.get("name")
    if not isinstance(name, str):
        raise UnreadableResult(path, f"{RUN_SPEC} has no name: it is no run folder of HELM")
    values = _means(rows(stats))
    named = [name for spec in rows(run_spec.get("metric_specs")) for name in table(spec.get("args")).get("names") or ()]
    chosen = next((known for known in ([metric] if metric else [*named, *PREFERRED]) if known in values), None)
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
            higher_is_better=chosen not in _LESS_IS_BETTER,
            samples=instances,
            metrics=dict(values),
            usage=without_nothing({ours: _total(values.get(theirs), instances) for ours, theirs in _USAGE.items()}),
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


def _means(stats: list[dict[str, Any]]) -> dict[str, float]:
    """The metrics of the test split, without perturbations; of those that know no split, what they are."""
    found: dict[str, float] = {}
    for stat in sorted(stats, key=lambda stat: table(stat.get("name")).get("split") == "test"):
        name, mean = table(stat.get("name")), number(stat.get("mean"))
        if mean is not None and not name.get("perturbation") and name.get("split") in (None, "test"):
            found[str(name.get("name"))] = mean
    return found


def _total(mean: float | None, instances: int | None) -> int | None:
    """HELM gives the mean of an instance."""
    return round(mean * instances) if mean is not None and instances else None
