"""A transcript in one form: turns with their parts, and everything else that was written about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from ...ledger.usage import MILLISECONDS_NAMES, TOKEN_NAMES

MAX_TURNS = 2_000
"""Turns of a transcript that are shown; the raw data have all."""

_MAX_NAMED = 200
_MAX_DEPTH = 12
_MAX_AMOUNT = 2**40

_TOKENS = {name: TOKEN_NAMES[name] for name in ("input_tokens", "output_tokens", "cached_tokens")}
_SECONDS = ("working_time", "time", "duration_seconds", "elapsed_seconds")
_COST = ("cost_usd", "costUsd", "cost")
_USAGE = ("usage", "metrics", "token_usage")
_AT = ("timestamp", "at", "created_at", "time_iso")


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a turn.

    `text` and `reasoning` have a text. `media` has the description of an image, sound or file, which is never loaded.
    A `call` has the `name` and the arguments (`data`) of a tool, and its `results`. A `result` without its call stands
    alone. `data` is anything else. `more` has the fields that have no place of their own.
    """

    kind: Literal["text", "reasoning", "media", "call", "result", "data"]
    text: str = ""
    name: str = ""
    call_id: str = ""
    data: Any = None
    results: list[Part] = []
    is_error: bool = False
    more: dict[str, Any] = {}


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one speaker said. Tokens, milliseconds and US dollars are None if they are not known."""

    role: str
    parts: list[Part]
    name: str = ""
    model: str = ""
    at: str = ""
    error: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    latency_ms: float | None = None
    cost_usd: float | None = None
    more: dict[str, Any] = {}


class Transcript(msgspec.Struct, frozen=True):
    """The turns of a conversation. `shape` is the format, `left_out` counts turns beyond MAX_TURNS."""

    shape: str
    turns: list[Turn]
    left_out: int = 0
    more: dict[str, Any] = {}


class Fields:
    """The fields of an object, each taken once: what was not taken is the rest, so nothing is lost."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._left = dict(found)

    def take(self, *names: str) -> Any:
        """The first of these fields that has a value, which is removed; None if there is none."""
        for name in names:
            value = self._left.get(name)
            if value is not None and value != "":
                del self._left[name]
                return value
        return None

    def text(self, *names: str) -> str:
        """The first of these fields that is a text or a number."""
        for name in names:
            value = self._left.get(name)
            if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
                del self._left[name]
                return str(value)
        return ""

    def number(self, *names: str) -> float | None:
        """The first of these fields that is a number which can be an amount."""
        for name in names:
            value = self._left.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MAX_AMOUNT:
                del self._left[name]
                return float(value)
        return None

    def objects(self, *names: str) -> list[Any]:
        """The first of these fields that is a list with something in it."""
        for name in names:
            value = self._left.get(name)
            if isinstance(value, list) and value:
                del self._left[name]
                return value
        return []

    def table(self, *names: str) -> dict[str, Any]:
        """The first of these fields that is an object with something in it."""
        for name in names:
            value = self._left.get(name)
            if isinstance(value, dict) and value:
                del self._left[name]
                return value
        return {}

    def drop(self, *names: str) -> None:
        """Fields that say nothing new, such as the name of a type that is shown as a kind."""
        for name in names:
            self._left.pop(name, None)

    def rest(self) -> dict[str, Any]:
        """What was not taken, without empty fields."""
        return {name: value for name, value in self._left.items() if value not in (None, "", [], {})}


def used(fields: Fields) -> dict[str, Any]:
    """Tokens, latency and cost of a turn, from the turn itself or from a table in it. What is not known stays there."""
    found: dict[str, Any] = {}
    for place in (*_USAGE, None):
        source = fields if place is None else Fields(fields.table(place))
        for name, known in _TOKENS.items():
            if name not in found and (number := source.number(*known)) is not None and number.is_integer():
                found[name] = int(number)
        if "latency_ms" not in found and (latency := source.number(*MILLISECONDS_NAMES)) is not None:
            found["latency_ms"] = latency
        if "latency_ms" not in found and (seconds := source.number(*_SECONDS)) is not None:
            found["latency_ms"] = seconds * 1000
        if "cost_usd" not in found and (cost := source.number(*_COST)) is not None:
            found["cost_usd"] = cost
        if place is not None and (rest := source.rest()):
            found.setdefault("rest", {})[place] = rest
    return found


def turn(role: str, parts: list[Part], fields: Fields, **known: Any) -> Turn:
    """A turn with what its fields tell of it; the fields that are left become `more`."""
    about = used(fields)
    more = about.pop("rest", {})
    at = known.pop("at", "") or fields.text(*_AT)
    return Turn(role=role or "message", parts=parts, at=at, **{**about, **known}, more={**fields.rest(), **more})


def parts_of(content: Any, depth: int = 0) -> list[Part]:
    """The parts of a message's content: a text, a list of blocks, one block, or anything else."""
    if content is None or content == "" or content == []:
        return []
    if isinstance(content, str):
        return [Part("text", content)]
    if depth > _MAX_DEPTH:
        return [Part("data", data=content)]
    if isinstance(content, list):
        return [part for one in content for part in parts_of(one, depth + 1)]
    if isinstance(content, dict):
        return [_block(content, depth)]
    return [Part("data", data=content)]


def _block(block: dict[str, Any], depth: int) -> Part:
    kind = str(block.get("type", ""))
    fields = Fields(block)
    if kind in ("text", "input_text", "output_text", "summary_text", "refusal"):
        fields.drop("type")
        text = fields.text("text", "refusal", "content")
        return Part("text", text, more=fields.rest()) if text else Part("data", data=block)
    if kind in ("thinking", "reasoning", "redacted_thinking", "reasoning_text"):
        fields.drop("type")
        return Part("reasoning", _reasoning(fields), more=fields.rest())
    if kind in ("tool_use", "tool_call", "function_call", "server_tool_use", "mcp_tool_use") or _is_call(block):
        return call_of(block, depth)
    if kind.endswith("tool_result") or kind in ("function_call_output", "tool-result"):
        return result_of(block, depth)
    if _is_media(kind, block):
        return Part("media", named_media(block))
    if isinstance(block.get("text"), str) and (text := fields.text("text")):
        return Part("text", text, more=fields.rest())
    return Part("data", data=block)


def _reasoning(fields: Fields) -> str:
    text = fields.text("thinking", "reasoning", "text", "summary")
    if text:
        return text
    listed = fields.objects("summary", "content")
    lines = [one if isinstance(one, str) else str(one.get("text", "")) for one in listed if isinstance(one, str | dict)]
    return "\n\n".join(line for line in lines if line) or "(not readable)"


def _is_call(block: Mapping[str, Any]) -> bool:
    function = block.get("function")
    if isinstance(function, dict):
        return "arguments" in function or "name" in function
    return isinstance(function, str) and "arguments" in block


def call_of(call: Any, depth: int = 0) -> Part:
    """A call of a tool, as any of the formats writes it, `depth` levels inside of other parts."""
    if not isinstance(call, dict):
        return Part("call", name="tool", data=call)
    fields = Fields(call)
    fields.drop("type")
    inner = fields.take("function")
    inside = Fields(inner) if isinstance(inner, dict) else fields
    name = inside.text("name", "toolName", "function_name", "tool", "tool_name", "action")
    name = name or (inner if isinstance(inner, str) else "") or fields.text("name", "type") or "tool"
    given = inside.take("arguments", "input", "args", "params", "parameters", "action_args", "kwargs")
    own = fields.text("call_id", "tool_call_id", "toolCallId", "id")
    results = []
    for key in ("result", "output", "observation"):
        if (found := fields.take(key)) is not None:
            results += [Part("result", data=None, results=parts_of(found, depth + 1))]
    error = fields.take("error", "parse_error")
    if error is not None:
        results.append(Part("result", results=parts_of(error, depth + 1), is_error=True))
    more = fields.rest() | (inside.rest() if inside is not fields else {})
    return Part("call", name=name, call_id=own, data=_decoded(given), results=results, more=more)


def result_of(result: Any, depth: int = 0) -> Part:
    """The result of a call."""
    if not isinstance(result, dict):
        return Part("result", results=parts_of(result, depth + 1))
    fields = Fields(result)
    fields.drop("type", "role")
    own = fields.text("tool_use_id", "call_id", "tool_call_id", "toolCallId", "source_call_id")
    content = fields.take("content", "output", "result", "value", "text")
    error = fields.take("error")
    is_error = fields.take("is_error", "isError") is True or error is not None
    parts = [*parts_of(content, depth + 1), *parts_of(error, depth + 1)]
    fields.drop("is_error", "isError")
    name = fields.text("name", "function", "toolName")
    return Part("result", name=name, call_id=own, results=parts, is_error=is_error, more=fields.rest())


def _decoded(given: Any) -> Any:
    """Arguments are often JSON in a text."""
    if not isinstance(given, str):
        return given
    try:
        found = msgspec.json.decode(given)
    except (msgspec.DecodeError, RecursionError):
        return given
    return found if isinstance(found, dict | list) else given


_MEDIA = ("image", "audio", "video", "document", "file", "pdf")


def _is_media(kind: str, block: Mapping[str, Any]) -> bool:
    return any(word in kind for word in _MEDIA) or (not kind and any(key in block for key in ("image_url", "image")))


def named_media(block: Mapping[str, Any]) -> str:
    """A description of an image, a sound or a file: its type, and its size or its address."""
    kind = str(block.get("type") or "image").removeprefix("input_").removesuffix("_url")
    for value in _texts(block, 0):
        if value.startswith("data:"):
            head, _, content = value.partition(",")
            return f"{kind}: {head[5:_MAX_NAMED].partition(';')[0] or 'data'}, {len(content) * 3 // 4:,} bytes"
        if value.startswith(("http://", "https://", "file:", "attachment:")):
            return f"{kind}: {value[:_MAX_NAMED]}"
    sizes = [len(value) for value in _texts(block, 0)]
    named = next((value for value in _texts(block, 0) if "/" in value and len(value) < 60), "")
    return f"{kind}: {named or 'data'}, {max(sizes, default=0):,} characters"


def _texts(value: Any, depth: int) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth < 4:
        for name, inner in value.items():
            if name != "type":
                yield from _texts(inner, depth + 1)


def with_results(turns: list[Turn]) -> list[Turn]:
    """The turns, with the result of each call beside it; a turn that has nothing else is dropped."""
    places: dict[str, tuple[int, int]] = {}
    open_calls: list[tuple[int, int]] = []
    found: list[Turn] = []
    for one in turns:
        left: list[Part] = []
        for part in one.parts:
            place = _place(part, places, open_calls) if part.kind == "result" else None
            if place is None:
                left.append(part)
            else:
                open_calls = [other for other in open_calls if other != place]
                about = _about(one) if one.role in ("tool", "function") else {}
                _put(found, place, msgspec.structs.replace(part, more={**part.more, **about}))
        if not left and one.parts and one.role in ("tool", "user", "function", "result"):
            continue
        here = len(found)
        for at, part in enumerate(left):
            if part.kind == "call" and not part.results:
                open_calls.append((here, at))
                if part.call_id:
                    places[part.call_id] = here, at
        found.append(msgspec.structs.replace(one, parts=left))
    return found


def _place(
    part: Part, places: Mapping[str, tuple[int, int]], open_calls: list[tuple[int, int]]
) -> tuple[int, int] | None:
    if part.call_id:
        return places.get(part.call_id)
    return open_calls[0] if open_calls else None


def _put(turns: list[Turn], place: tuple[int, int], result: Part) -> None:
    at, within = place
    parts = list(turns[at].parts)
    call = parts[within]
    parts[within] = msgspec.structs.replace(call, results=[*call.results, result])
    turns[at] = msgspec.structs.replace(turns[at], parts=parts)


def _about(one: Turn) -> dict[str, Any]:
    """What a turn says beside its result: it moves to the result."""
    names = ("model", "at", "error", "input_tokens", "output_tokens", "cached_tokens", "latency_ms", "cost_usd")
    told = {name: value for name in names if (value := getattr(one, name)) not in (None, "")}
    return {**told, **one.more}


def merged(turn: Turn, **known: Any) -> Turn:
    """The turn with what was learned elsewhere, if it does not know better."""
    new = {name: value for name, value in known.items() if value is not None and getattr(turn, name) in (None, "", {})}
    return msgspec.structs.replace(turn, **new) if new else turn
