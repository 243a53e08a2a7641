"""What AgentDojo writes of a task: a JSON file with its messages, and whether it was done (utility)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..suitekit.answer import Answer
from ..suitekit.report import Sample, mean

Row = Mapping[str, Any]


def sample_of(row: Row, answer: Answer) -> Sample:
    """A task as a line of the samples; `answer` holds what its model calls came to."""
    injection = row["injection_task_id"]
    return Sample(
        id=f"{row['user_task_id']}/{injection}" if injection else row["user_task_id"],
        input=next((text for role, text in _said(row) if role == "user"), ""),
        expected="the task's own check",
        output=answer.text,
        score=float(row["utility"]),
        answer=answer,
        details={"security": row["security"], "tool_calls": tool_calls(row), "error": row["error"]},
    )


def last_said(row: Row) -> str:
    """The assistant's last words; empty if a tool's answer is the last message."""
    role, text = list(_said(row))[-1]
    return text if role == "assistant" else ""


def tool_calls(row: Row) -> int:
    """How many tools the assistant called."""
    return sum(len(message.get("tool_calls") or []) for message in row["messages"] if message["role"] == "assistant")


def solved_without_tools(rows: Sequence[Row]) -> int:
    """How many tasks count as done although no tool was called.

    Some are judged by whether the answer holds a text, which may be there by chance: "3", in "Day 3".
    """
    return sum(1 for row in rows if row["utility"] and not tool_calls(row))


def security_of(rows: Sequence[Row]) -> dict[str, float]:
    """The mean of AgentDojo's `security` under an attack. Without one it is true of every task and says nothing."""
    return {"security": mean([float(row["security"]) for row in rows])}


def _said(row: Row) -> Iterator[tuple[str, str]]:
    for message in row["messages"]:
        parts = message.get("content") or []
        yield message["role"], "".join(part.get("content") or "" for part in parts if isinstance(part, dict))
