"""The samples of an Inspect log, each epoch as a sample of its own: https://inspect.aisi.org.uk/eval-logs.html

Long texts are kept apart from a sample as attachments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..suitekit.foreign import at, number, rows, sample, table, text_of
from .scores import Metric

_MAX_ATTACHMENT = 64 * 1024
_ATTACHMENT = "attachment://"
_WORDS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""How Inspect's metrics read the value of a score: correct, partial, incorrect, no answer."""


def sought_in(results: Mapping[str, Any], chosen: Metric | None) -> dict[str, Any]:
    """The names of the score in each sample, and the reducer of its epochs."""
    if chosen is None:
        return {}
    entries = rows(results.get("scores"))
    entry = entries[chosen.entry] if chosen.entry < len(entries) else {}
    names = {"score": entry.get("name"), "scorer": entry.get("scorer")}
    return {name: str(value) for name, value in names.items() if value} | {"reducer": chosen.reducer}


def reduced(entries: Any, sought: Mapping[str, Any]) -> dict[str, object]:
    """The value of each sample over its epochs, if they are reduced by something else than their mean."""
    reducer = sought.get("reducer")
    if reducer in (None, "mean"):
        return {}
    wanted = {sought.get("score"), sought.get("scorer")}
    for entry in rows(entries):
        if entry.get("scorer") in wanted and entry.get("reducer") == reducer:
            return {str(one.get("sample_id")): one.get("value") for one in rows(entry.get("samples"))}
    return {}


def row(one: Mapping[str, Any], sought: Mapping[str, Any], reduced: Mapping[str, object]) -> dict[str, Any]:
    """A sample of a log in our form. `reduced` has the values over all epochs, if they count."""
    name = str(one.get("id"))
    over_all = {"value": reduced[name]} if name in reduced else None
    score = _score(one, sought)
    resolve = _resolver(table(one.get("attachments")))
    messages = [_message(message, resolve) for message in rows(one.get("messages"))]
    given, output = resolve(one.get("input")), table(one.get("output"))
    choices = rows(output.get("choices"))
    answered = text_of(resolve(at(choices[0], "message", "content"))) if choices else output.get("completion")
    usage = [table(used) for used in table(one.get("model_usage")).values()]
    error = one.get("error")
    return sample(
        one.get("id"),
        epoch=one.get("epoch") if not over_all else None,
        input=given if isinstance(given, str) else "\n\n".join(text_of(part.get("content")) for part in rows(given)),
        expected=resolve(one.get("target")),
        output=resolve(answered) or score.get("answer"),
        score=_value((over_all or score).get("value"), sought),
        answer=score.get("answer"),
        explanation=resolve(score.get("explanation")),
        error=(at(error, "message") or str(error)) if error else None,
        limit=at(one, "limit", "type"),
        messages=messages,
        input_tokens=_sum(usage, "input_tokens"),
        output_tokens=_sum(usage, "output_tokens"),
        duration_seconds=number(one.get("total_time")),
    )


def _score(one: Mapping[str, Any], sought: Mapping[str, Any]) -> dict[str, Any]:
    """What the scorer of the run says of a sample. Logs of version 1 have one score."""
    scores = table(one.get("scores")) or {"": one.get("score")}
    for name in (sought.get("score"), sought.get("scorer"), ""):
        if isinstance(found := scores.get(str(name or "")), dict):
            return found
    return {}


def _value(value: object, sought: Mapping[str, Any]) -> object:
    """The value of a score as Inspect's metrics read it."""
    if isinstance(value, dict):
        value = value.get(str(sought.get("score")))
    if isinstance(value, str):
        known = _WORDS.get(value, _WORDS.get(value.lower()))
        return known if known is not None else number(value)
    return value


def _resolver(attachments: dict[str, Any]) -> Any:
    """A function that puts attachments in their places."""

    def resolve(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_ATTACHMENT):
            found = attachments.get(value.removeprefix(_ATTACHMENT))
            if isinstance(found, str):
                return found if len(found) <= _MAX_ATTACHMENT else f"[left out: {len(found)} characters]"
        if isinstance(value, list):
            return [resolve(part) for part in value]
        if isinstance(value, dict) and any(isinstance(part, str) for part in value.values()):
            return {name: resolve(part) if isinstance(part, str) else part for name, part in value.items()}
        return value

    return resolve


def _message(message: dict[str, Any], resolve: Any) -> dict[str, Any]:
    content = resolve(message.get("content"))
    reasoning = [part.get("reasoning") for part in rows(content) if part.get("type") == "reasoning"]
    if isinstance(content, list):
        content = [part for part in content if not (isinstance(part, dict) and part.get("type") == "reasoning")]
    calls = [
        {"id": call.get("id"), "name": call.get("function"), "arguments": resolve(call.get("arguments"))}
        for call in rows(message.get("tool_calls"))
    ]
    found = {"role": message.get("role"), "content": text_of(content), "tool_calls": calls}
    found |= {"tool_call_id": message.get("tool_call_id"), "name": message.get("function")}
    found |= {"reasoning": "\n".join(str(part) for part in reasoning if part), "error": at(message, "error", "message")}
    return {name: value for name, value in found.items() if name in ("role", "content") or value not in (None, "", [])}


def _sum(usage: Sequence[dict[str, Any]], name: str) -> int | None:
    counts = [count for used in usage if isinstance(count := used.get(name), int)]
    return sum(counts) if counts else None
