"""`python -m suites.action_calling`: asks for a call of a tool for each request."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..suitekit.chat import Message
from ..suitekit.command import SuiteError, main, parser
from ..suitekit.fed import open_client
from ..suitekit.report import Report, Sample, mean
from .tasks import Judgement, Task, judge, make_tasks
from .tools import NO_TOOL, answer_schema

VERSION = "1"
_MAX_TOKENS = 96


def run() -> None:
    """Ask for every call, and report."""
    arguments = parser("action_calling", __doc__ or "")
    arguments.add_argument("--max-samples", type=int, default=24)
    given = arguments.parse_args()
    if given.max_samples < 1:
        raise SuiteError("max_samples is at least 1")
    tasks = make_tasks(given.seed, given.max_samples)
    rights = [json.dumps({"tool": task.tool, "arguments": task.arguments}) for task in tasks]
    client = open_client(given.model, rights, given.seed)
    judgements = []
    options = {"max_samples": given.max_samples}
    with Report("action_calling", VERSION, given.output_dir, total=len(tasks), options=options) as report:
        for task in tasks:
            # `tools` of the API is left aside: servers that can't call tools ignore it without a word.
            answer = client.ask(
                _messages(task), max_tokens=_MAX_TOKENS, seed=given.seed, schema=answer_schema(task.tools)
            )
            judgement = judge(task, answer.text)
            judgements.append(judgement)
            report.add(
                Sample(
                    id=task.id,
                    input=task.request,
                    expected={"tool": task.tool, "arguments": task.arguments},
                    output=answer.text,
                    score=judgement.score,
                    answer=answer,
                    groups={"tool": task.tool, "kind": task.kind},
                    details={"valid_json": judgement.valid_json, "right_tool": judgement.right_tool},
                )
            )
        report.finish(
            model=given.model,
            seed=given.seed,
            metrics=_metrics(tasks, judgements),
            facts={**client.facts(), "schema_enforced": not client.schema_refused},
            notes=client.notes(),
        )


def _messages(task: Task) -> list[Message]:
    tools = "\n".join(tool.described() for tool in task.tools)
    form = json.dumps({"tool": "<name>", "arguments": {"<argument>": "<value>"}})
    return [
        {
            "role": "system",
            "content": f"Choose the tool for the request. The tools are:\n{tools}\nAnswer with JSON only: {form}",
        },
        {"role": "user", "content": task.request},
    ]


def _metrics(tasks: Sequence[Task], judgements: Sequence[Judgement]) -> dict[str, float]:
    """Shares of right answers; one that no task counts for is left out."""
    judged = list(zip(tasks, judgements, strict=True))
    counted = {
        "valid_json": [judgement.valid_json for judgement in judgements],
        "tool_accuracy": [judgement.right_tool for judgement in judgements],
        "argument_accuracy": [judgement.right_arguments for task, judgement in judged if task.tool != NO_TOOL],
        "no_tool_accuracy": [judgement.right_tool for task, judgement in judged if task.tool == NO_TOOL],
    }
    return {name: mean(values) for name, values in counted.items() if values}


if __name__ == "__main__":
    main(run)
