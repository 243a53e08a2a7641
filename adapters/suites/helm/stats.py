"""What `run_spec.json` and `stats.json` of a run of HELM say."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

PREFERRED = ("exact_match", "quasi_exact_match", "pass", "f1_score", "rouge_l", "bleu_4", "ndcg_10", "bits_per_byte")
"""Which of a run's many metrics is the score, if the run names none: the first of these that is there."""

LESS_IS_BETTER = frozenset({"bits_per_byte", "perplexity"})

_INSTANCES = "num_instances"


def split_of(stats: Sequence[Mapping[str, Any]]) -> str:
    """The split that the run was measured on: `test`, or `valid` for scenarios that have no test split."""
    splits = {name.get("split") for name in map(_name, stats) if name.get("name") != _INSTANCES and _is_plain(name)}
    return "valid" if "valid" in splits and "test" not in splits else "test"


def measured(stats: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """The metrics of the run's split, without perturbations and parts of the split; of those that know no split, too.

    None stands for a metric that has no finite mean.
    """
    split = split_of(stats)
    found: dict[str, float | None] = {}
    for stat in sorted(stats, key=lambda stat: _name(stat).get("split") == split):
        name, mean = _name(stat), stat.get("mean")
        if not _is_plain(name) or name.get("split") not in (None, split):
            continue
        is_number = isinstance(mean, int | float) and not isinstance(mean, bool) and abs(mean) <= sys.float_info.max
        found[str(name.get("name"))] = float(mean) if is_number and mean is not None else None
    return found


def means(stats: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Those of the metrics that have a finite mean."""
    return {name: value for name, value in measured(stats).items() if value is not None}


def choose_metric(run_spec: Mapping[str, Any], values: Mapping[str, float | None], metric: str | None) -> str | None:
    """The metric that is the score: `metric`, else the first that the run names, else of PREFERRED; else None.

    A metric that the run names and that came out as NaN gives way to no other: its value is None.
    """
    if metric is not None:
        return metric if metric in values else None
    # Before version 0.2 the key was called `metrics`.
    specs = run_spec.get("metric_specs") or run_spec.get("metrics") or ()
    named = [name for spec in specs for name in (spec.get("args") or {}).get("names") or ()]
    if (first := next((name for name in named if name in values), None)) is not None:
        return str(first)
    return next((name for name in PREFERRED if values.get(name) is not None), None)


def tokens(values: Mapping[str, float]) -> dict[str, int]:
    """The tokens of all instances: HELM gives the mean of one."""
    instances = values.get(_INSTANCES, 0)
    named = {"input_tokens": "num_prompt_tokens", "output_tokens": "num_completion_tokens"}
    return {ours: round(values[theirs] * instances) for ours, theirs in named.items() if theirs in values and instances}


def _name(stat: Mapping[str, Any]) -> Mapping[str, Any]:
    name = stat.get("name")
    return name if isinstance(name, Mapping) else {}


def _is_plain(name: Mapping[str, Any]) -> bool:
    return not name.get("perturbation") and not name.get("sub_split")
