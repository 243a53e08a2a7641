"""Parameters that a server refuses: which ones it names, and what to ask without them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

OPTIONAL = (
    "seed",
    "temperature",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "top_p",
    "stop",
    "n",
)
"""What a model can be asked without. In this order they are tried if a refusal names none."""
REPLACED = {"max_tokens": "max_completion_tokens"}
"""Newer names: asked for by them first, and only then without."""

_REFUSED = re.compile(
    r"un-?supported|not (?:be )?(?:supported|permitted|allowed|available|accepted|recognized|valid)|"
    r"(?:does|do|did)(?:n['’]t| not) (?:support|accept|allow)|unrecognized|unknown|unexpected|extra|forbidden|"
    r"invalid (?:parameter|argument|field|key|property|request)|deprecated|unavailable|cannot be|can ?not be|can't be|"
    r"only the default|no longer|only \S+ (?:is|are) |may only|can only|only (?:supports?|allows?|accepts?|takes?)|"
    r"must (?:not )?be|should be|has to be|requires? |strictly positive",
    re.IGNORECASE,
)
_TOO_MUCH = re.compile(
    r"too (?:large|long|many|high|big)|at most|maximum context|context length|exceed|less than|range", re.I
)
_NAMES = {
    "response_format": r"response[_ ]?format|json[_ ]?schema|structured output|json mode",
    "max_tokens": r"max_?tokens",
    "max_completion_tokens": r"max_?completion_?tokens",
    "n": r"['\"`]n['\"`]",
}
_QUOTES = r"['\"`\u2018\u201c\u201e\u00ab\u300c]{}['\"`\u2019\u201d\u201c\u00bb\u300d]"
_QUOTED_PLACE = re.compile(r"""['"]loc['"]: *[(\[]([^)\]]*)[)\]]""")


@dataclass(frozen=True)
class Changes:
    """What a server takes another way: by the name of a parameter, its newer name, or None to leave it out."""

    names: Mapping[str, str | None] = field(default_factory=dict)

    def applied(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A request as the server takes it."""
        named = {self.names.get(name, name): value for name, value in body.items()}
        return {name: value for name, value in named.items() if name is not None}

    def after(self, asked: Mapping[str, Any], explanation: str) -> Changes | None:
        """These and more, after such a request was refused with those words; None if they refuse no parameter."""
        names = refused(asked, explanation)
        if not names and "response_format" in asked:
            names = ["response_format"]  # Servers refuse a schema in many words.
        elif not names and is_about_parameters(asked, explanation):
            names = [name for name in OPTIONAL if name in asked][:1]
        more = dict(self.names)
        for name in names:
            older = next((old for old, new in REPLACED.items() if new == name), None)
            more[older or name] = None if older else REPLACED.get(name)
        return Changes(more) if names else None

    def facts(self) -> dict[str, Any]:
        """What was left out and what was renamed, for the result."""
        return {
            "left_out": sorted(name for name, other in self.names.items() if other is None),
            "renamed": {name: other for name, other in self.names.items() if other is not None},
        }

    def notes(self) -> list[str]:
        """The same as sentences, if there is something to say."""
        facts = self.facts()
        notes = []
        if facts["left_out"]:
            notes.append(f"the model was asked without {', '.join(facts['left_out'])}, which its server refused")
        for name, other in facts["renamed"].items():
            notes.append(f"{name} was sent as {other}, because the server refused the older name")
        return notes


def refused(body: Mapping[str, Any], explanation: str) -> list[str]:
    """The parameters of a request that the words of HTTP 400 or 422 refuse; empty if they refuse none."""
    document = _json(explanation)
    sent = [name for name in OPTIONAL if name in body]
    # A place or a parameter that the server names says more than its words, which may repeat the request.
    places = [name for place in _places(document) for name in sent if name == place]
    if places:
        words = _words(document) or explanation
        return [] if _TOO_MUCH.search(words) and not _REFUSED.search(words) else list(dict.fromkeys(places))
    words = _words(document) or explanation
    quoted = " ".join(_QUOTED_PLACE.findall(words))
    if quoted:
        return [name for name in sent if re.search(rf"\b{name}\b", quoted)]
    # In whatever language: a name in quotes is what the words are about.
    found = [name for name in sent if re.search(_QUOTES.format(name), words)]
    if _REFUSED.search(words):
        found = [name for name in sent if _is_named(name, words)]
    return [] if found and set(found) <= {"max_tokens", "max_completion_tokens"} and _TOO_MUCH.search(words) else found


def is_about_parameters(body: Mapping[str, Any], explanation: str) -> bool:
    """Whether words of HTTP 400 or 422 refuse parameters and name none of the request: a value is another matter."""
    words = _words(_json(explanation)) or explanation
    if any(_is_named(name, words) for name in OPTIONAL if name in body):
        return False
    return bool(re.search(r"parameter|argument|extra inputs|extra fields|propert(?:y|ies)|sampling", words, re.I))


def _is_named(name: str, words: str) -> bool:
    return bool(re.search(rf"(?<![\w.]){_NAMES.get(name, name)}(?!\w)", words, re.IGNORECASE))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _places(document: Any, depth: int = 8) -> Iterator[str]:
    """What `param` and `loc` name, at any depth."""
    if depth < 0:
        return
    if isinstance(document, Mapping):
        param, loc = document.get("param"), document.get("loc")
        if isinstance(param, str):
            yield re.split(r"[.\[]", param)[0]
        if isinstance(loc, list):
            yield from (part for part in loc if isinstance(part, str))
        for name, value in document.items():
            if name != "input":
                yield from _places(value, depth - 1)
    elif isinstance(document, list):
        for value in document:
            yield from _places(value, depth - 1)


def _words(document: Any, depth: int = 8) -> str:
    """All texts of an error but those that repeat the request."""
    if isinstance(document, str):
        return document
    if depth < 0:
        return ""
    if isinstance(document, Mapping):
        return " ".join(
            filter(None, (_words(v, depth - 1) for k, v in document.items() if k not in ("input", "ctx", "url")))
        )
    if isinstance(document, list):
        return " ".join(filter(None, (_words(value, depth - 1) for value in document)))
    return ""
