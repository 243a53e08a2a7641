"""The formats: chat messages, items of OpenAI's Responses API, Inspect's events, ATIF, elizaOS, ShareGPT.

A list may mix them, and each object is read by what it has. What a format does not know stays in `more`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from .turns import MAX_TURNS, Fields, Part, Transcript, Turn, call_of, merged, parts_of, result_of, turn, with_results

_LISTS = (
    "messages",
    "transcript",
    "conversation",
    "conversations",
    "turns",
    "steps",
    "trajectory",
    "history",
    "events",
)
"""The fields in which programs write a transcript, the most telling first."""

_ATTACHMENT = "attachment://"
_SPEAKERS = {"human": "user", "gpt": "assistant", "agent": "assistant", "ai": "assistant", "model": "assistant"}
_RESPONSES = ("message", "function_call", "function_call_output", "reasoning", "item_reference")


def transcript_of(record: Mapping[str, Any]) -> tuple[Transcript | None, frozenset[str]]:
    """The transcript of a sample or of a trajectory, and the names of the fields that it is made of."""
    if "request" in record and "response" in record:
        return _made(list(_eliza([record])), "elizaOS"), frozenset(("request", "response"))
    for name in _LISTS:
        found = record.get(name)
        if isinstance(found, dict) and name in ("trajectory", "transcript"):
            inner, _ = transcript_of(found)
            if inner is not None:
                rest = {key: value for key, value in found.items() if key not in _LISTS}
                return msgspec.structs.replace(inner, more=rest), frozenset((name,))
        if isinstance(found, list) and _is_talk(found):
            made = read_turns(_attached(found, record.get("attachments")))
            if name == "messages" and isinstance(record.get("events"), list):
                made = _timed(made, record["events"])
            return made, frozenset((name,))
    return _asked_and_answered(record)


def _attached(found: list[Any], attachments: Any) -> list[Any]:
    """The list with Inspect's attachments in their places: texts that stand once, and are named elsewhere."""
    if not isinstance(attachments, dict) or not attachments:
        return found

    def whole(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_ATTACHMENT):
            return attachments.get(value.removeprefix(_ATTACHMENT), value)
        if isinstance(value, list):
            return [whole(one) for one in value]
        if isinstance(value, dict):
            return {name: whole(inner) for name, inner in value.items()}
        return value

    return [whole(one) for one in found]


def _asked_and_answered(record: Mapping[str, Any]) -> tuple[Transcript | None, frozenset[str]]:
    """A request and its response: `input` (and `output`) as lists of messages or items."""
    found: list[Any] = []
    names = []
    for name in ("input", "prompt", "output", "response"):
        value = record.get(name)
        if isinstance(value, dict):
            value = _of_response(value)
        if isinstance(value, list) and _is_talk(value):
            found += value
            names.append(name)
    return (read_turns(found), frozenset(names)) if found else (None, frozenset())


def _of_response(value: Mapping[str, Any]) -> Any:
    """The items of a whole answer of OpenAI's API: `output`, or the messages of its `choices`."""
    if isinstance(value.get("output"), list):
        return value["output"]
    choices = value.get("choices")
    if isinstance(choices, list):
        return [one["message"] for one in choices if isinstance(one, dict) and isinstance(one.get("message"), dict)]
    return None


def _is_talk(found: Sequence[Any]) -> bool:
    return bool(found) and all(isinstance(one, dict) for one in found) and any(_reader(one) for one in found)


def read_turns(found: Sequence[Any]) -> Transcript:
    """The turns of a list of messages, items, steps or events."""
    shapes: dict[str, None] = {}
    turns: list[Turn] = []
    pending: list[Any] = []
    asked: set[bytes] = set()

    def flush() -> None:
        turns.extend(_eliza(pending))
        pending.clear()

    for one in found:
        name, read = _reader(one) or ("", _unknown)
        shapes[name] = None
        if read is _eliza_entry:
            pending.append(one)
            continue
        flush()
        if read is _inspect_event:
            turns += _asked_anew(one, asked)
        turns += read(one)
    flush()
    named = [name for name in shapes if name]
    return _made(turns, _shape(named, found))


def _shape(named: Sequence[str], found: Sequence[Any]) -> str:
    if named == ["messages"]:
        texts = [one for one in found if isinstance(one, dict)]
        if any(_has_block(one, ("tool_use", "tool_result", "thinking")) for one in texts):
            return "Anthropic messages"
        if any("source" in one and "id" in one for one in texts):
            return "Inspect messages"
        return "OpenAI messages"
    return ", ".join(named) or "unknown"


def _has_block(message: Mapping[str, Any], kinds: Sequence[str]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(isinstance(one, dict) and one.get("type") in kinds for one in content)


def _made(turns: list[Turn], shape: str) -> Transcript:
    whole = with_results(turns)
    return Transcript(shape, whole[:MAX_TURNS], max(0, len(whole) - MAX_TURNS))


_Read = Callable[[Mapping[str, Any]], list[Turn]]


def _reader(one: Any) -> tuple[str, _Read] | None:
    """How an object is read, and the name of its format; None if it looks like no format."""
    if not isinstance(one, dict):
        return None
    if "request" in one and "response" in one:
        return "elizaOS", _eliza_entry
    if isinstance(one.get("event"), str):
        return "Inspect events", _inspect_event
    if isinstance(one.get("source"), str) and ("step_id" in one or "message" in one) and "role" not in one:
        return "ATIF", _atif_step
    if isinstance(one.get("role"), str):
        return "messages", _message
    if isinstance(one.get("from"), str) and "value" in one:
        return "ShareGPT", _sharegpt
    kind = one.get("type")
    if isinstance(kind, str) and (kind in _RESPONSES or kind.endswith(("_call", "_call_output"))):
        return "OpenAI Responses", _item
    if any(name in one for name in ("action", "observation", "thought", "tool_calls", "actions")):
        return "steps", _step
    return None


def _unknown(one: Any) -> list[Turn]:
    if not isinstance(one, dict):
        return [Turn("step", parts_of(one))]
    fields = Fields(one)
    role = fields.text("type", "kind", "name") or "step"
    parts = parts_of(fields.take("content", "text", "message", "output"))
    return [turn(role, parts, fields)]


def _message(message: Mapping[str, Any]) -> list[Turn]:
    fields = Fields(message)
    role = fields.text("role")
    role = _SPEAKERS.get(role, role)
    if role in ("tool", "function"):
        about = Fields(message)
        about.drop("role", "content", "tool_call_id", "name", "function", "error", "id")
        kept = {
            name: message[name]
            for name in ("content", "tool_call_id", "name", "function", "error", "id")
            if name in message
        }
        result = result_of({name: value for name, value in kept.items() if name != "id"})
        return [turn("tool", [result], about, name=result.name)]
    parts = []
    if reasoning := fields.take("reasoning_content", "reasoning"):
        parts.append(Part("reasoning", reasoning) if isinstance(reasoning, str) else Part("data", data=reasoning))
    parts += parts_of(fields.take("content", "text", "message"))
    if refusal := fields.text("refusal"):
        parts.append(Part("text", refusal, name="refusal"))
    parts += [call_of(call) for call in fields.objects("tool_calls", "toolCalls")]
    if isinstance(legacy := fields.take("function_call"), dict):
        parts.append(call_of(legacy))
    fields.drop("id", "type")
    error = fields.take("error")
    return [
        turn(
            role,
            parts,
            fields,
            name=fields.text("name") or fields.text("source"),  # Inspect says where a message comes from.
            model=fields.text("model", "model_name"),
            error=_in_words(error),
        )
    ]


def _sharegpt(message: Mapping[str, Any]) -> list[Turn]:
    fields = Fields(message)
    role = fields.text("from")
    if role in ("tool", "function", "observation"):
        result = Part("result", results=parts_of(fields.take("value")))
        return [turn("tool", [result], fields)]
    calls = [call_of(call) for call in fields.objects("tool_calls")]
    return [turn(_SPEAKERS.get(role, role), [*parts_of(fields.take("value")), *calls], fields)]


def _item(item: Mapping[str, Any]) -> list[Turn]:
    """An item of OpenAI's Responses API."""
    kind = item["type"]
    fields = Fields(item)
    fields.drop("type")
    if kind == "message":
        return _message({**item, "type": None, "role": item.get("role") or "assistant"})
    if kind == "reasoning":
        return [turn("assistant", parts_of([dict(item)]), Fields({}))]
    if kind.endswith("_call_output"):
        return [turn("tool", [result_of(item)], Fields({}))]
    if kind == "function_call":
        return [turn("assistant", [call_of(item)], Fields({}))]
    if kind.endswith("_call"):
        return [turn("assistant", [call_of({**item, "name": item.get("name") or kind})], Fields({}))]
    return _unknown(item)


def _atif_step(step: Mapping[str, Any]) -> list[Turn]:
    """A step of Harbor's ATIF: a message with calls, and what was observed after them."""
    fields = Fields(step)
    source = fields.text("source")
    parts = []
    if reasoning := fields.text("reasoning_content"):
        parts.append(Part("reasoning", reasoning))
    parts += parts_of(fields.take("message"))
    parts += [call_of(call) for call in fields.objects("tool_calls")]
    results: list[Part] = []
    observed = fields.take("observation")
    if isinstance(observed, dict):
        listed = observed.get("results")
        results = [result_of(one) for one in listed] if isinstance(listed, list) else []
        rest = {name: value for name, value in observed.items() if name != "results"}
        if rest or not results:
            results.append(Part("result", results=parts_of(rest)))
    elif observed is not None:
        results = [Part("result", results=parts_of(observed))]
    fields.drop("step_id")
    said = turn(_SPEAKERS.get(source, source), parts, fields, model=fields.text("model_name"))
    return [said, *([Turn("tool", results)] if results else [])]


def _step(step: Mapping[str, Any]) -> list[Turn]:
    """A step of an agent: a thought, an action and an observation."""
    fields = Fields(step)
    parts = []
    if thought := fields.text("thought", "reasoning"):
        parts.append(Part("reasoning", thought))
    parts += parts_of(fields.take("content", "text", "message", "response"))
    action = fields.take("action")
    if isinstance(action, str) and len(action) < 200 and "\n" not in action:
        given = fields.take("action_input", "action_args", "arguments", "args", "input")
        parts.append(Part("call", name=action, data=given))
    elif action is not None:
        parts.append(call_of(action) if isinstance(action, dict) else Part("call", name="action", data=action))
    parts += [call_of(call) for call in fields.objects("tool_calls", "actions")]
    observed = fields.take("observation", "result")
    role = fields.text("agent", "actor", "speaker")
    said = turn("assistant", parts, fields, name=role)
    return [said, *([Turn("tool", [Part("result", results=parts_of(observed))])] if observed is not None else [])]


def _inspect_event(event: Mapping[str, Any]) -> list[Turn]:
    fields = Fields(event)
    kind = fields.text("event")
    if kind == "model":
        output = fields.table("output")
        message = next((one for one in _of_response(output) or []), None)
        said = _message(message)[0] if message else Turn("assistant", [])
        usage = {name: value for name, value in used_in(output).items() if value is not None}
        fields.drop("input")
        about = turn("assistant", [], fields, model=fields.text("model"))
        rest = {name: value for name, value in output.items() if name not in ("choices", "usage", "completion", "time")}
        return [
            merged(
                said,
                **{
                    "latency_ms": about.latency_ms,
                    "at": about.at,
                    "model": about.model or str(rest.get("model", "")),
                    **usage,
                    "more": {**about.more, **({"output": rest} if rest else {})},
                },
            )
        ]
    if kind == "tool":
        return [
            turn("tool", [call_of({**event, "event": None, "type": None})], Fields({}), at=fields.text("timestamp"))
        ]
    parts = parts_of(fields.take("input", "message", "content", "data", "error"))
    return [turn(kind, parts, fields)]


def _asked_anew(event: Mapping[str, Any], seen: set[bytes]) -> Iterator[Turn]:
    """What a model event was asked that no earlier one was: each repeats the whole conversation in its `input`."""
    messages = event.get("input") if event.get("event") == "model" else None
    for message in messages if isinstance(messages, list) else []:
        if not isinstance(message, dict) or message.get("role") not in ("system", "user", "developer"):
            continue  # Answers and results have events of their own.
        mark = msgspec.json.encode((message.get("role"), message.get("content")), order="sorted")
        if mark not in seen:
            seen.add(mark)
            yield from _message(message)


def used_in(output: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens and latency of a model's answer as Inspect writes it."""
    found = turn("", [], Fields(output))
    names = ("input_tokens", "output_tokens", "cached_tokens", "latency_ms")
    return {name: getattr(found, name) for name in names}


def _timed(made: Transcript, events: Sequence[Any]) -> Transcript:
    """The messages of an Inspect sample with the tokens and the latency of its model calls, in their order."""
    calls = [one for one in events if isinstance(one, dict) and one.get("event") == "model"]
    known = [_inspect_event(one)[0] for one in calls]
    said = [at for at, one in enumerate(made.turns) if one.role == "assistant"]
    if len(known) < len(said):
        return made
    turns = list(made.turns)
    for at, about in zip(said, known, strict=False):
        names = ("input_tokens", "output_tokens", "cached_tokens", "latency_ms", "at", "model")
        turns[at] = merged(turns[at], **{name: getattr(about, name) for name in names})
    return msgspec.structs.replace(made, turns=turns)


def _eliza_entry(one: Mapping[str, Any]) -> list[Turn]:
    return list(_eliza([one]))


def _eliza(entries: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    """Model calls with what was asked. A request repeats the conversation until then: only what is new is shown."""
    seen: set[bytes] = set()
    for entry in entries:
        fields = Fields(entry)
        request, response = fields.take("request"), fields.take("response")
        asked = request if isinstance(request, dict) else {"prompt": request}
        messages = asked.get("messages")
        if not isinstance(messages, list):
            texts = [
                asked[name] for name in ("system", "prompt", "prompt_text", "userPrompt", "input") if name in asked
            ]
            messages = [{"role": "user", "content": text} for text in texts if text]
        for message in messages:
            mark = msgspec.json.encode(message, order="sorted")
            if mark in seen:
                continue
            seen.add(mark)
            yield from read_turns([message]).turns if isinstance(message, dict) else [Turn("user", parts_of(message))]
        rest = {name: value for name, value in asked.items() if name not in ("messages", "prompt", "system", "input")}
        said = response if isinstance(response, dict) else {"text": response}
        answered = Fields(said)
        parts = parts_of(answered.take("text", "content", "response_text", "output_text", "output"))
        inner = answered.table("params")
        calls = answered.objects("toolCalls", "tool_calls") or Fields(inner).objects("tool_calls")
        parts += [call_of(call) for call in calls]
        for text in (part.text for part in parts if part.kind == "text"):
            seen.add(msgspec.json.encode({"content": text, "role": "assistant"}, order="sorted"))
        fields.drop("format", "step_index")
        whole = Fields({**fields.rest(), **answered.rest(), **({"request": rest} if rest else {})})
        yield turn("assistant", parts, whole)


def _in_words(error: Any) -> str:
    if error is None:
        return ""
    if isinstance(error, dict):
        return str(error.get("message") or error)
    return str(error)
