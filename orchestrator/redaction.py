"""Removes secrets from everything that is recorded or shown: events, logs, error texts.

A secret is the value of a variable or an option with a secret name, or a text with the shape of a secret. The lists of
names and shapes are in `adapters.secret_names` and `adapters.secret_shapes`. A value is replaced by `[redacted:NAME]`.

A short plain word, a word of this program, or a name in the campaign, such as that of a model, is not a secret: to hide
the value of `OPENAI_API_KEY=ollama` would protect nothing, and would garble every text about ollama.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from ..adapters.secret_names import is_plain, secrets_of
from ..adapters.secret_shapes import hide_arguments, hide_named, is_secret_item, looks_random
from ..ledger.events import EVENT_TYPES, Artifact, Event, Outcome, Recovered
from ..ledger.wording import reword
from .redacted_stream import RedactedStream

_MIN_LENGTH = 6
"""A shorter value is probably a part of ordinary text. To replace it would garble logs and protect nothing."""

_AnEvent = TypeVar("_AnEvent", bound=Event)
_AnOutcome = TypeVar("_AnOutcome", bound=Outcome)


class Redactor:
    """Replaces secrets in text. It knows all secrets before the first run begins.

    `ignored` holds the names whose values are not treated as secrets.
    """

    def __init__(self, *secrets: Mapping[str, str], identities: Iterable[str] = ()) -> None:
        self._secrets: dict[str, str] = {}
        self._identities: set[str] = set()
        self._marks: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self.ignored: list[str] = []
        self.learn(*secrets, identities=identities)

    def learn(self, *secrets: Mapping[str, str], identities: Iterable[str] = ()) -> None:
        """Hide more values (names to values), except values that are in `identities`."""
        self._identities |= {identity.lower() for identity in identities}
        for name, value in itertools.chain.from_iterable(mapping.items() for mapping in secrets):
            self._secrets.setdefault(value, name)
        self._marks, self.ignored = {}, []
        for value, name in self._secrets.items():
            if self._is_ordinary(value):
                self.ignored.append(name)
                continue
            for form in forms_of(value):
                if len(form) >= _MIN_LENGTH:
                    self._marks.setdefault(form, f"[redacted:{name}]")
        forms = sorted(self._marks, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, forms))) if forms else None

    def _is_ordinary(self, value: str) -> bool:
        return is_plain(value) or value.lower() in self._identities or value.lower() in _own_words()

    @property
    def identities(self) -> frozenset[str]:
        """The names that are not treated as secrets, in lower case."""
        return frozenset(self._identities)

    @property
    def names(self) -> dict[str, str]:
        """Every text that is replaced, plain and in its JSON forms, with the name of its secret."""
        return {form: mark.removeprefix("[redacted:").removesuffix("]") for form, mark in self._marks.items()}

    def key_in(self, text: str) -> str | None:
        """What kind of key a text holds: the value of a variable, or text that looks like a key. None without a key."""
        for value, name in self._secrets.items():
            if len(value) >= _MIN_LENGTH and value in text and looks_random(value):
                return f"the value of {name}"
        return "what looks like a key" if hide_named(text) != text else None

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._pattern:
            text = self._pattern.sub(lambda match: self._marks[match[0]], text)
        return hide_named(text)

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, in its keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {
                self.text(key): f"[redacted:{key}]" if is_secret_item(key, item) else self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value

    def event(self, event: _AnEvent) -> _AnEvent:
        """An event without secrets in its texts; its identities are not changed (see `ledger.wording`)."""
        if isinstance(event, Outcome):
            event = self._without_secret_paths(event)
        elif isinstance(event, Recovered) and event.adopted is not None:
            event = replace(event, adopted=self._without_secret_paths(event.adopted))
        return reword(event, self._rewrite)

    def stream(self) -> RedactedStream:
        """A filter for bytes that arrive in pieces."""
        return RedactedStream({form.encode(): mark.encode() for form, mark in self._marks.items()})

    def _rewrite(self, path: str, value: Any) -> Any:
        if path.rpartition(".")[2] == "command" and isinstance(value, list):
            # The argument before may show that an argument is a key, such as --api-key.
            value = hide_arguments([str(part) for part in value])
        return self.value(value)

    def _without_secret_paths(self, outcome: _AnOutcome) -> _AnOutcome:
        """Leave out paths that hold a secret, with a note. A path is an identity, so it cannot be changed."""

        def is_secret(path: str) -> bool:
            return self.text(path) != path

        kept: list[Artifact] = [artifact for artifact in outcome.artifacts if not is_secret(artifact.path)]
        count = len(outcome.artifacts) - len(kept)
        result = outcome.result_json_path
        notes = list(outcome.notes)
        if count:
            notes.append(f"{count} artifacts are not listed: their names hold a secret")
        if result is not None and is_secret(result):
            result = None
            notes.append("the path of the result is not recorded: it holds a secret")
        if len(notes) == len(outcome.notes):
            return outcome
        return replace(outcome, artifacts=kept, result_json_path=result, notes=notes)


def forms_of(value: str) -> set[str]:
    """A secret as plain text and in its JSON forms, with and without escapes of non-ASCII characters."""
    return {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}


_REASONS = """
running_elsewhere last_succeeded already_succeeded last_failed never_ran orchestrator_lost interrupted cancelled
exit_code no_result bad_result invalid_result no_score no_samples timeout stalled environment workspace completed
unfinished stdout.log stderr.log
""".split()


@functools.cache
def _own_words() -> frozenset[str]:
    """The words of this program in lower case. To replace them would garble its output."""
    from .models.providers import providers

    fields = {field.name for event in EVENT_TYPES.values() for field in msgspec.structs.fields(event)}
    statuses = {"running", "succeeded", "failed", "skipped", "incompatible"}
    return frozenset({*EVENT_TYPES, *fields, *statuses, *providers(), "benchmarks", *_REASONS})


__all__ = ["Redactor", "forms_of", "secrets_of"]
