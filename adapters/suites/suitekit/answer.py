"""What a server of chat completions answered: the text, why it ends, what it took; or an error that looks like one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .usage import Usage, usage_of

_FAILED = {"error", "network_error", "insufficient_system_resource", "abort", "malformed_function_call"}
"""Reasons to end an answer by which the server says that it failed."""
_CUT_OFF = {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}
_FILTERED = {
    "content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii", "sensitive", "refusal",
    "content_filtered", "guardrail_intervened",
}  # fmt: skip
_TEXT_PARTS = {None, "text", "output_text"}
_LONGEST_ERROR = 1000


class ErrorInAnswer(Exception):
    """A server answered with an error under HTTP 200: its words, and its codes if it gave some."""

    def __init__(self, words: str, codes: Sequence[object] = ()) -> None:
        self.codes = codes
        code = next(iter(codes), None)
        given = "" if code in (None, "") or str(code) in words else f" (code {code})"
        super().__init__(f"{words}{given}"[:_LONGEST_ERROR])


@dataclass(frozen=True)
class Answer:
    """What a model said, why it ended, the tokens that it took, and how long it took in milliseconds.

    `finish_reason` is the server's word. `refusal` is what the model said in place of an answer. `only` says what came
    in place of text: "reasoning", "tool calls", or "" if there is text or nothing at all.
    """

    text: str
    finish_reason: str
    model: str
    usage: Usage = field(default_factory=Usage)
    latency_ms: float = 0.0
    refusal: str = ""
    only: str = ""

    @property
    def is_cut_off(self) -> bool:
        """Whether it ended at a limit of tokens."""
        return self.finish_reason.lower() in _CUT_OFF

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing, and nothing that says why."""
        return not (self.text.strip() or self.only or self.refusal or self.is_cut_off or self.is_filtered)

    @property
    def is_filtered(self) -> bool:
        """Whether the provider withheld it, or a part of it."""
        return self.finish_reason.lower() in _FILTERED


def read_answer(document: Any, milliseconds: float) -> Answer:
    """The answer in a chat completion.

    Raises ErrorInAnswer for an error in its place; ValueError, LookupError, TypeError or AttributeError for anything
    else that is not a chat completion.
    """
    _raise_error(document)
    if not document["choices"]:
        raise ValueError("it has no choices")
    choice = document["choices"][0]
    message = choice.get("message")
    _raise_choice_error(choice, message)
    if not isinstance(message, Mapping):
        raise TypeError("a choice without a message")
    parts = _parts(message.get("content"))
    text = "".join(_texts(parts))
    refusal = message.get("refusal") or next((part.get("refusal") for part in parts if part.get("refusal")), "")
    return Answer(
        text=text,
        finish_reason=str(choice.get("finish_reason") or ""),
        model=str(document.get("model") or ""),
        usage=usage_of(document.get("usage") or document.get("usageMetadata")),
        latency_ms=round(milliseconds, 3),
        refusal=str(refusal),
        only="" if text else _in_place_of_text(message, parts),
    )


def words_of(told: Any) -> str:
    """The words of an error, wherever in its JSON a server puts them; empty if there are none."""
    if isinstance(told, str):
        return told.strip()
    if isinstance(told, Mapping):
        for name in ("message", "msg", "error", "detail", "details", "errors", "description", "title"):
            if words := words_of(told.get(name)):
                return words
    if isinstance(told, Sequence) and not isinstance(told, bytes):
        return "; ".join(filter(None, map(words_of, told[:5])))
    return ""


def _raise_error(document: Any) -> None:
    if not isinstance(document, Mapping) or document.get("choices"):
        return
    error = document.get("error") or document.get("errors")
    if error or document.get("object") == "error" or ("choices" not in document and words_of(document)):
        told = error or document
        raise ErrorInAnswer(words_of(told) or str(told), _codes(told) or _codes(document))


def _raise_choice_error(choice: Mapping[str, Any], message: Any) -> None:
    error = choice.get("error") or (message.get("error") if isinstance(message, Mapping) else None)
    reason = str(choice.get("finish_reason") or "")
    if error:
        raise ErrorInAnswer(words_of(error) or str(error), _codes(error))
    if reason.lower() in _FAILED:
        raise ErrorInAnswer(f"the answer ended with finish_reason {reason}")


def _codes(told: Any) -> list[object]:
    if isinstance(told, list):
        told = told[0] if told else None
    if not isinstance(told, Mapping):
        return []
    return [told[name] for name in ("code", "status", "type") if told.get(name) not in (None, "", "error")]


def _parts(content: Any) -> list[Mapping[str, Any]]:
    """Content as a list of parts. Raises TypeError for what is neither text nor a list of parts."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, Mapping):
        return [content]
    if isinstance(content, list):
        return [part for item in content for part in _parts(item)]
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
    if message.get("tool_calls") or message.get("function_call"):
        return "tool calls"
    has_thoughts = any(part.get("type") in ("thinking", "reasoning") or part.get("thought") for part in parts)
    names = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
    return "reasoning" if has_thoughts or any(message.get(name) for name in names) else ""
