"""What `run_spec.json` and `stats.json` of a run of HELM say."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

PREFERRED = ("exact_match", "quasi_exact_match", "pass", "f1_score", "rouge_l", "bleu_4", "ndcg_10", "bits_per_byte")
"""Which of a run's many metrics is the score, where the run names none: the first of these that is there."""

LESS_IS_BETTER = frozenset({"bits_per_byte", "logprob_per_byte", "perplexity"})


def means(stats: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The metrics of the test split, without perturbations; of those that know no split, what they are."""
    found: dict[str, float] = {}
    for stat in sorted(stats, key=lambda stat: (stat.get("name") or {}).get("split") == "test"):
        name, mean = stat.get("name") or {}, stat.get("mean")
        if name.get("perturbation") or name.get("split") not in (None, "test"):
            continue
        if isinstance(mean, int | float) and abs(mean) <= sys.float_info.max:
            found[str(name.get("name"))] = float(mean)
    return found


def choose_metric(run_spec: Mapping[str, Any], values: Mapping[str, float], metric: str | None) -> str | None:
    """The metric that is the score: `metric`, else the first that the run names, else of PREFERRED; else None."""
    specs = run_spec.get("metric_specs") or ()
    named = [name for spec in specs for name in (spec.get("args") or {}).get("names") or ()]
    return next((known for known in ([metric] if metric else [*named, *PREFERRED]) if known in values), None)


def tokens(values: Mapping[str, float]) -> dict[str, int]:
    """The tokens of all instances: HELM gives the mean of one."""
    instances = values.get("num_instances", 0)
    named = {"input_tokens": "num_prompt_tokens", "output_tokens": "num_completion_tokens"}
    return {ours: round(values[theirs] * instances) for ours, theirs in named.items() if theirs in values and instances}
