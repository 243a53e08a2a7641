"""Secrets stay out of everything that is kept or shown: events, logs, error texts.

A secret is the value of a provider's key variable, of any variable whose name says that it holds one, and of a secret
option. It is replaced by `[redacted:NAME]`.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from ..ledger.events import Event
from .models.providers import providers

_SECRET_NAME = re.compile(
    r"(^|[_-])(api_?key|key|key_base|token|secret|password|passwd|passphrase|credentials?)([_-]?\d+)?$", re.IGNORECASE
)
"""At the end of a name, or before a number: SSH_KEY_PATH holds no secret, but a path that is in every second line."""
_SHORTEST = 6
"""A shorter value is too likely a part of ordinary text: replacing it would garble logs and hide nothing."""

_AnEvent = TypeVar("_AnEvent", bound=Event)


class Redactor:
    """Replaces the values of `secrets` (name to value) wherever it is shown text."""

    def __init__(self, *secrets: Mapping[str, str]) -> None:
        self._marks: dict[str, str] = {}
        for name, value in itertools.chain.from_iterable(some.items() for some in secrets):
            # A secret with a quote, a backslash or an umlaut looks different inside a JSON text, in one of two ways.
            for form in (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
                if len(form) >= _SHORTEST:
                    self._marks.setdefault(form, f"[redacted:{name}]")
        forms = sorted(self._marks, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, forms))) if forms else None

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(lambda match: self._marks[match[0]], text) if self._pattern else text

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, in its keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value

    def event(self, event: _AnEvent) -> _AnEvent:
        """An event without secrets."""
        if self._pattern is None:
            return event
        return msgspec.convert(self.value(msgspec.to_builtins(event)), type(event))

    def stream(self) -> RedactedStream:
        """A filter for bytes that arrive in pieces."""
        return RedactedStream({form.encode(): mark.encode() for form, mark in self._marks.items()})


class RedactedStream:
    """Replaces secrets in a stream of bytes, also where one is split across pieces.

    Only what may be the beginning of a secret is held back, so that a log can be followed live.
    """

    def __init__(self, marks: dict[bytes, bytes]) -> None:
        self._marks = marks
        forms = sorted(marks, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, forms))) if forms else None
        self._longest = len(forms[0]) if forms else 0
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What can be written now."""
        if self._pattern is None:
            return piece
        text = self._held + piece
        done, out = 0, []
        for match in self._pattern.finditer(text):
            if self._may_grow(text[match.start() :]):
                break  # A longer secret begins with this one, and its rest may be on its way.
            out += [text[done : match.start()], self._marks[match[0]]]
            done = match.end()
        keep = self._unfinished(text[done:])
        out.append(text[done : len(text) - keep])
        self._held = text[len(text) - keep :]
        return b"".join(out)

    def flush(self) -> bytes:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, b""
        return self._pattern.sub(lambda match: self._marks[match[0]], held) if self._pattern else held

    def _may_grow(self, end: bytes) -> bool:
        return any(len(form) > len(end) and form.startswith(end) for form in self._marks)

    def _unfinished(self, text: bytes) -> int:
        """The length of the longest end of `text` with which a secret may begin."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            if self._may_grow(text[len(text) - length :]):
                return length
        return 0


def secrets_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that hold secrets."""
    keys = {name for provider in providers().values() for name in provider.key_variables}
    return {name: value for name, value in environ.items() if value and (name in keys or _SECRET_NAME.search(name))}


def secrets_of_url(url: str) -> dict[str, str]:
    """What of an address is secret: the password before its host, and values of its query whose name says so."""
    parts = urlsplit(url)
    # As they stand there, and as they are meant.
    given = [tuple(piece.partition("=")[::2]) for piece in parts.query.split("&")]
    found = {name: value for name, value in given if names_a_secret(name)}
    if parts.password:
        found["password"] = parts.password
    return found | {f"{name} of the address": unquote(value) for name, value in found.items()}


def names_a_secret(name: str) -> bool:
    """Whether an option or variable of that name holds a secret."""
    return bool(_SECRET_NAME.search(name))


def without_named_secrets(value: Any) -> Any:
    """A JSON value without what stands below a name that says that it is a secret."""
    if isinstance(value, dict):
        return {
            key: f"[redacted:{key}]" if names_a_secret(key) and item else without_named_secrets(item)
            for key, item in value.items()
        }
    return [without_named_secrets(item) for item in value] if isinstance(value, list) else value
