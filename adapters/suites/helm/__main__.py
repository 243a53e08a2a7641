"""`python -m suites.helm`: has HELM do one run entry with the model as a deployment of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..suitekit import foreign
from ..suitekit.command import SuiteError, main, parser
from ..suitekit.harness import leave_samples, need_success, only_file, read_json, run_harness, write_result
from .samples import PER_INSTANCE, STATES, samples, states_of
from .stats import LESS_IS_BETTER, choose_metric, means, measured, split_of, tokens

_ORGANIZATION = "orchestrator"
"""HELM names models `organization/model`."""
_TOKENIZER = "simple/tokenizer1"
"""It needs one only to cut long prompts: this one counts words, and no tokenizer has to be fetched."""


def run() -> None:
    """Run the entry, and read its stats."""
    arguments = parser("helm", __doc__ or "")
    arguments.add_argument("--run-entry", required=True)
    arguments.add_argument("--metric")
    arguments.add_argument("--max-eval-instances", default="10")
    arguments.add_argument("--max-sequence-length", type=int, default=8192)
    arguments.add_argument("--num-threads", default="1")
    given = arguments.parse_args()
    if "model=" in given.run_entry:
        raise SuiteError("the run entry names a model: leave it out, the run's own is put in its place")
    output = given.output_dir.absolute()
    name = f"{_ORGANIZATION}/{given.model.replace('/', '_')}"
    _describe(output / "prod_env", name, given.model, given.max_sequence_length)
    entry = given.run_entry + ("," if ":" in given.run_entry else ":") + f"model={name}"
    argv = [sys.executable, "-m", "helm.benchmark.run", "--run-entries", entry, "--suite", "run"]
    argv += ["--max-eval-instances", given.max_eval_instances, "--num-threads", given.num_threads]
    argv += ["--output-path", str(output / "helm"), "--local-path", str(output / "prod_env")]
    # A cache of answers would make a second run a copy of the first.
    code = run_harness([*argv, "--disable-cache"])
    need_success(code, "HELM")
    stats = only_file(output / "helm", "runs/run/*/stats.json", "HELM")
    spec = read_json(stats.with_name("run_spec.json"))
    rows = read_json(stats)
    values = means(rows)
    metric = choose_metric(spec, measured(rows), given.metric)
    if metric is None:
        raise SuiteError(f"the run has no metric {given.metric or ''}; known: {', '.join(sorted(values))}")
    if metric not in values:
        raise SuiteError(f"{metric} has no value: choose another with the option metric, of {', '.join(values)}")
    if metric in LESS_IS_BETTER:
        raise SuiteError(f"less is better of {metric}: choose another with the option metric, of {', '.join(values)}")
    leave_samples(output, _samples(stats.parent, metric, split_of(rows)))
    result = {"metric": metric, "score": values[metric], "n": round(values.get("num_instances", 0))}
    write_result(output, {**result, "run": spec["name"], "stats": values, "usage": tokens(values)})


def _samples(folder: Path, metric: str, split: str) -> Iterator[dict[str, Any]]:
    """The samples of the run. Raises SuiteError, OSError."""
    states = states_of(read_json(folder / STATES))
    yield from samples(foreign.rows(read_json(folder / PER_INSTANCE)), states, metric, split)


def _describe(folder: Path, name: str, model: str, longest: int) -> None:
    """Files by which HELM knows the model. They are JSON, which is YAML too."""
    base_url = os.environ.get("OPENAI_BASE_URL")
    if not base_url:
        raise SuiteError("OPENAI_BASE_URL is not set: this driver asks OpenAI-compatible APIs")
    client = {
        "class_name": "helm.clients.openai_client.OpenAIClient",
        "args": {"base_url": base_url, "openai_model_name": model},
    }
    deployment = {
        "name": name,
        "model_name": name,
        "tokenizer_name": _TOKENIZER,
        "max_sequence_length": longest,
        "client_spec": client,
    }
    metadata = {
        "name": name,
        "display_name": model,
        "description": "",
        "creator_organization_name": _ORGANIZATION,
        "access": "limited",
        "tags": ["TEXT_MODEL_TAG", "FULL_FUNCTIONALITY_TEXT_MODEL_TAG"],
    }
    folder.mkdir()
    (folder / "model_deployments.yaml").write_text(json.dumps({"model_deployments": [deployment]}), encoding="utf-8")
    (folder / "model_metadata.yaml").write_text(json.dumps({"models": [metadata]}), encoding="utf-8")


if __name__ == "__main__":
    main(run)
