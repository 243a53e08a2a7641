"""The trials of a Harbor job as samples, with the trajectory of each: https://github.com/laude-institute/harbor

Attempts at one task are repeats of one question. A trial without a reward counts as 0, as in Harbor, and says with
which error it ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .found import Document, ForeignRun, count, number, rows, seconds_between, table
from .found import moment as time_of
from .instances import Remark, Row, UnreadableSamples, object_in, read_file, sample, text_of

_TRAJECTORY = Path("agent", "trajectory.json")
_MAX_TRAJECTORY = 16 * 1024 * 1024
_ROLES = {"agent": "assistant", "user": "user", "system": "system"}


def read(trials: Sequence[Path], run: ForeignRun) -> Iterator[Row | Remark]:
    """The trials of a run, each the path of its `result.json`. Raises UnreadableSamples."""
    unread = 0
    for path in trials:
        trial = object_in(read_file(path), f"{path.parent.name}/{path.name}")
        if list(key_of(trial)) != run.sought.get("key"):
            continue
        try:
            messages = _messages(path.parent / _TRAJECTORY)
        except UnreadableSamples:
            messages, unread = [], unread + 1
        yield _row(trial, str(run.sought.get("reward")), messages)
    if unread:
        yield Remark(f"{unread} trajectories cannot be read, and are left out")


def key_of(trial: Document) -> tuple[str, str, str, str]:
    """The agent, provider and model of a trial, and its dataset: trials with the same are one run."""
    agent = table(trial.get("agent_info"))
    model = table(agent.get("model_info"))
    parts = (agent.get("name"), model.get("provider"), model.get("name"), trial.get("source") or "adhoc")
    first, second, third, last = (str(part or "") for part in parts)
    return first, second, third, last


def _row(trial: Document, reward: str, messages: list[Row]) -> Row:
    rewards = table(table(trial.get("verifier_result")).get("rewards"))
    problem, used = table(trial.get("exception_info")), table(trial.get("agent_result"))
    said = ": ".join(str(part) for part in (problem.get("exception_type"), problem.get("exception_message")) if part)
    is_rewarded = reward in rewards
    return sample(
        trial.get("task_name"),
        trial=trial.get("trial_name"),
        score=number(rewards[reward]) if is_rewarded else 0.0,
        rewards=rewards if len(rewards) > 1 else None,
        # With a reward, the trial was judged all the same.
        error=(said or "the trial has no reward") if not is_rewarded else None,
        exception=said if is_rewarded else None,
        messages=messages,
        input_tokens=count(used.get("n_input_tokens")),
        output_tokens=count(used.get("n_output_tokens")),
        cost_usd=number(used.get("cost_usd")),
        duration_seconds=seconds_between(time_of(trial.get("started_at")), time_of(trial.get("finished_at"))),
    )


def _messages(path: Path) -> list[Row]:
    """The steps of a trajectory (ATIF) as messages; none without a file."""
    if path.parent.is_symlink():
        raise UnreadableSamples(f"{path.parent.name} is a link")
    if not path.exists() and not path.is_symlink():
        return []
    messages: list[Row] = []
    for step in rows(object_in(read_file(path, _MAX_TRAJECTORY), path.name).get("steps")):
        calls = [
            {"id": call.get("tool_call_id"), "name": call.get("function_name"), "arguments": call.get("arguments")}
            for call in rows(step.get("tool_calls"))
        ]
        message: Row = {"role": _ROLES.get(str(step.get("source")), "system"), "content": text_of(step.get("message"))}
        message |= {"reasoning": step.get("reasoning_content"), "tool_calls": calls, "at": step.get("timestamp")}
        messages.append(
            {name: value for name, value in message.items() if name in ("role", "content") or value not in (None, [])}
        )
        for result in rows(table(step.get("observation")).get("results")):
            called = {"tool_call_id": result["source_call_id"]} if result.get("source_call_id") else {}
            messages.append({"role": "tool", "content": text_of(result.get("content")), **called})
    return messages
