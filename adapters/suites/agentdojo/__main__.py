"""`python -m suites.agentdojo`: has the package run its tasks one by one, and judge them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentdojo.agent_pipeline.agent_pipeline import AgentPipeline, PipelineConfig
from agentdojo.attacks.attack_registry import load_attack
from agentdojo.benchmark import run_task_with_injection_tasks, run_task_without_injection_tasks
from agentdojo.logging import OutputLogger
from agentdojo.task_suite.load_suites import get_suite

from ..suitekit.command import SuiteError, main, parser
from ..suitekit.report import Report, percentile
from .logged import last_said, sample_of, security_of, solved_without_tools
from .model import CountedModel

VERSION = "1"
TASKS = "v1.2.2"
"""The version of the tasks, which the package's own command takes by default."""


def run() -> None:
    """Run every task, and report the share that was done as the user wanted (utility)."""
    arguments = parser("agentdojo", __doc__ or "")
    arguments.add_argument("--suite", default="workspace")
    arguments.add_argument("--max-samples", type=int, default=5)
    arguments.add_argument("--attack")
    arguments.add_argument("--max-injections", type=int, default=1)
    arguments.add_argument("--defense")
    arguments.add_argument("--tool-calls", choices=["prompted", "native"], default="prompted")
    arguments.add_argument("--max-tokens", type=int, default=256)
    given = arguments.parse_args()
    if min(given.max_samples, given.max_injections, given.max_tokens) < 1:
        raise SuiteError("max_samples, max_injections and max_tokens are at least 1")
    suite = get_suite(TASKS, given.suite)
    model = CountedModel(given.model, tool_calls=given.tool_calls, max_tokens=given.max_tokens, seed=given.seed)
    try:
        pipeline = AgentPipeline.from_config(
            PipelineConfig(
                llm=model.element, model_id=None, defense=given.defense, system_message_name=None, system_message=None
            )
        )
        attack = load_attack(given.attack, suite, pipeline) if given.attack else None
    except (ValueError, KeyError) as problem:
        raise SuiteError(f"the package refuses this attack or defense: {problem}") from problem
    tasks = list(suite.user_tasks.values())[: given.max_samples]
    injections = list(suite.injection_tasks)[: given.max_injections] if attack else [None]
    options = {name: getattr(given, name) for name in ("suite", "attack", "defense", "tool_calls", "max_tokens")}
    logs = given.output_dir / "runs"
    rows: list[dict[str, Any]] = []
    total = len(tasks) * len(injections)
    with Report("agentdojo", VERSION, given.output_dir, total=total, options=options) as report:
        for task in tasks:
            for injection in injections:
                with OutputLogger(str(logs)):
                    if attack:
                        run_task_with_injection_tasks(suite, pipeline, task, attack, logs, True, [injection], TASKS)
                    else:
                        run_task_without_injection_tasks(suite, pipeline, task, logs, True, TASKS)
                model.check()
                row = _logged(logs, task.ID, injection)
                rows.append(row)
                report.add(sample_of(row, model.take(last_said(row))))
        report.finish(
            model=given.model,
            seed=given.seed,
            metrics=security_of(rows) if attack else {},
            facts=_facts(rows, model),
            notes=model.changes.notes(),
        )


def _logged(logs: Path, task: str, injection: str | None) -> dict[str, Any]:
    """What the package wrote of a task: a file of its own below `<pipeline>/<suite>/<task>/<attack>/`."""
    [path] = logs.glob(f"*/*/{task}/*/{injection or 'none'}.json")
    row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return row


def _facts(rows: list[dict[str, Any]], model: CountedModel) -> dict[str, Any]:
    latencies = sorted(model.latencies)
    return {
        "task_version": TASKS,
        "solved_without_tools": solved_without_tools(rows),
        **model.changes.facts(),
        "refused_requests": model.refused,
        "model_calls": len(latencies),
        "call_latency_p50_ms": percentile(latencies, 0.50),
        "call_latency_p95_ms": percentile(latencies, 0.95),
    }


if __name__ == "__main__":
    main(run)
