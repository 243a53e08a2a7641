"""What a server of chat completions answered: the text, why it ends, what it took; or an error that looks like one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .usage import Usage, usage_of

_WITHHELD = re.compile(
    r"filter|safety|toxic|block|prohibited|recitation|spii|sensitive|refus|guardrail|moderat|policy", re.I
)
_FAILED = re.compile(
    r"error(?!_limit)|abort|cancel|time_?out|fail|malformed|unexpected|insufficient|overload|rate_?limit|unavailable",
    re.I,
)
_CUT_OFF = re.compile(r"length|limit|max_?(?:output_?|completion_?)?tokens|context_window|truncat|incomplete", re.I)
_ENDED = re.compile(
    r"|stop|stop_?sequence|end_?turn|eos(?:_token)?|completed?|done|finished|tool_?(?:calls?|use)|function_?call", re.I
)
"""Reasons to end an answer, in the words of any server: the first of the kinds that fits is the one."""
_THOUGHTS = re.compile(r"\s*(?:<(think|thinking|thought|reasoning)>|\[THINK\])", re.I)
_END_OF_THOUGHTS = re.compile(r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]", re.I)
_TEXT_PARTS = {None, "text", "output_text"}
_MAX_ERROR = 1000


class ErrorInAnswer(Exception):
    """A server answered with an error under HTTP 200: its words, its codes if it gave some, and what the call took."""

    def __init__(self, words: str, codes: Sequence[object] = (), usage: Usage | None = None) -> None:
        self.codes = codes
        self.usage = usage or Usage()
        code = next(iter(codes), None)
        given = "" if code in (None, "") or str(code) in words else f" (code {code})"
        super().__init__(f"{words}{given}"[:_MAX_ERROR])


@dataclass(frozen=True)
class Answer:
    """What a model said, why it ended, the tokens that it took, and how long it took in milliseconds.

    `finish_reason` is the server's word. `refusal` is what the model said in place of an answer. `only` says what came
    in place of text: "reasoning", "tool calls", or "" if there is text or nothing at all. `fingerprint` is what
    the server calls the system that answered.
    """

    text: str
    finish_reason: str
    model: str
    usage: Usage = field(default_factory=Usage)
    latency_ms: float = 0.0
    refusal: str = ""
    only: str = ""
    fingerprint: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether the provider withheld it, or a part of it."""
        return bool(_WITHHELD.search(self.finish_reason))

    @property
    def is_cut_off(self) -> bool:
        """Whether it ended at a limit of tokens."""
        return not self.is_filtered and bool(_CUT_OFF.search(self.finish_reason))

    @property
    def is_odd(self) -> bool:
        """Whether it ended for a reason that this program does not know."""
        return not (self.is_filtered or self.is_cut_off or _ENDED.fullmatch(self.finish_reason))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing, and nothing that says why."""
        return not (self.text.strip() or self.only or self.refusal or self.is_cut_off or self.is_filtered)


def read_answer(document: Any, milliseconds: float) -> Answer:
    """The answer in a chat completion.

    Raises ErrorInAnswer for an error in its place or beside it; ValueError, LookupError, TypeError or AttributeError
    for anything else that is not a chat completion.
    """
    choices = document.get("choices") if isinstance(document, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    usage = usage_of(document.get("usage") or document.get("usageMetadata")) if isinstance(document, Mapping) else None
    _raise_error(document, choice, usage)
    if choice is None or usage is None:
        raise ErrorInAnswer(words_of(document) or json.dumps(document), _codes(document), usage)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise TypeError("a choice without a message")
    parts = _parts(message.get("content"))
    text, has_thoughts = _without_thoughts("".join(_texts(parts)))
    if usage.output_tokens == 0 and (text or has_thoughts):
        usage = Usage(usage.input_tokens, cached_tokens=usage.cached_tokens)  # Text has tokens: they were not counted.
    refusal = message.get("refusal") or next((part.get("refusal") for part in parts if part.get("refusal")), "")
    return Answer(
        text=text,
        finish_reason=_reason(choice),
        model=str(document.get("model") or ""),
        fingerprint=str(document.get("system_fingerprint") or ""),
        usage=usage,
        latency_ms=round(milliseconds, 3),
        refusal=str(refusal),
        only="" if text else _in_place_of_text(message, parts) or ("reasoning" if has_thoughts else ""),
    )


_WORDS = (
    "message", "msg", "error", "detail", "details", "errors", "error_msg", "error_message", "errormessage",
    "status_msg", "base_resp", "fault", "faultstring", "description", "error_description", "reason", "title",
)  # fmt: skip
"""Where servers put the words of an error, in small letters."""
_CODES = ("code", "error_code", "errorcode", "status_code", "statuscode", "status", "type")


def words_of(error: Any) -> str:
    """The words of an error, at any place in its JSON; empty if there are none."""
    if isinstance(error, str):
        return error.strip()
    if isinstance(error, Mapping):
        named = {str(name).lower(): value for name, value in error.items()}
        words = next(filter(None, (words_of(named.get(name)) for name in _WORDS)), "")
        # A router's own words say only that another server failed.
        metadata = error.get("metadata")
        raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
        return f"{words}: {raw}" if words and raw and isinstance(raw, str) else words
    if isinstance(error, Sequence) and not isinstance(error, bytes):
        return "; ".join(filter(None, map(words_of, error[:5])))
    return ""


def _raise_error(document: Any, choice: Any, usage: Usage | None) -> None:
    """An error stands in place of the choices, beside them, in the first of them, or in its message."""
    message = choice.get("message") if isinstance(choice, Mapping) else None
    places = [place for place in (document, choice, message) if isinstance(place, Mapping)]
    errors = [error for place in places for name in ("error", "errors") if (error := place.get(name))]
    if errors:
        # The one that says most: a choice may repeat the error, and only a part of it.
        error = max(errors, key=lambda error: len(words_of(error)))
        raise ErrorInAnswer(words_of(error) or json.dumps(error), _codes(error) or _codes(document), usage)
    if isinstance(choice, Mapping):
        reason = _reason(choice)
        if _FAILED.search(reason) and not _WITHHELD.search(reason):
            raise ErrorInAnswer(f"the answer ended with finish_reason {reason}", usage=usage)


def _reason(choice: Mapping[str, Any]) -> str:
    """Why an answer ended, in the server's word."""
    reason = choice.get("finish_reason")
    if isinstance(reason, Mapping):
        reason = reason.get("type") or reason.get("reason")
    return "" if reason is None else str(reason)


def _codes(error: Any) -> list[object]:
    """What an error's own table calls a code, or a table within: a number or a word."""
    if isinstance(error, list):
        error = error[0] if error else None
    if not isinstance(error, Mapping):
        return []
    named = {str(name).lower(): value for name, value in error.items()}
    told_codes: list[object] = [named.get(name) for name in _CODES]
    values = [value for value in told_codes if isinstance(value, str | int) and value not in ("", "error")]
    inner = next(
        (named[name] for name in ("error", "base_resp", "fault") if isinstance(named.get(name), Mapping)), None
    )
    return list[object](values) or _codes(inner)


def _without_thoughts(text: str) -> tuple[str, bool]:
    """A text without the thoughts at its beginning, which some servers leave there; and whether there were some."""
    ends = list(_END_OF_THOUGHTS.finditer(text))
    if opened := _THOUGHTS.match(text):
        # The first end counts: a later one is something that the answer says.
        return (text[ends[0].end() :].lstrip() if ends else ""), bool(opened)
    # The template of some models opens the thoughts before the answer begins.
    return (text[ends[0].end() :].lstrip(), True) if len(ends) == 1 else (text, False)


def _parts(content: Any, *, is_listed: bool = False) -> list[Mapping[str, Any]]:
    """Content as a list of parts. Raises TypeError for what is neither text nor a list of parts."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, Mapping):
        if not content.keys() & {"type", "text", "thought", "refusal"} and not is_listed:
            raise TypeError("content that is a table and not a part")
        return [content]
    if isinstance(content, list):
        return [part for item in content for part in _parts(item, is_listed=True)]
    raise TypeError(f"content of type {type(content).__name__}")


def _texts(parts: list[Mapping[str, Any]]) -> list[str]:
    """The texts of an answer: thinking, pictures and calls are none of it."""
    found = []
    for part in parts:
        text = part.get("text")
        if isinstance(text, Mapping):
            text = text.get("value")
        if part.get("type") in _TEXT_PARTS and isinstance(text, str) and not part.get("thought"):
            found.append(text)
    return found


def _in_place_of_text(message: Mapping[str, Any], parts: list[Mapping[str, Any]]) -> str:
    kinds = " ".join(str(part.get("type") or " ".join(map(str, part))).lower() for part in parts)
    if message.get("tool_calls") or message.get("function_call") or re.search(r"tool|function", kinds):
        return "tool calls"
    has_thoughts = bool(re.search(r"think|reason", kinds)) or any(part.get("thought") for part in parts)
    names = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
    return "reasoning" if has_thoughts or any(message.get(name) for name in names) else ""
