"""What became of a sample: its outcome, and the verdict of each scorer, however they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

Outcome = Literal["correct", "incorrect", "error", "unscored"]
"""An answer that is correct or not; a sample that ended in an error and has no answer; or neither is known."""

_PASSED = {"c", "correct", "pass", "passed", "yes", "true", "y", "success", "resolved"}
_FAILED = {"i", "incorrect", "fail", "failed", "no", "false", "n", "failure", "unresolved", "refused"}
_VALUES = ("value", "score", "passed", "pass", "success", "correct", "verdict", "label", "grade")
_REASONS = ("explanation", "reason", "reasoning", "rationale", "comment", "message", "feedback")
CATEGORY_NAMES = ("category", "topic", "subject", "domain", "subset", "group")
"""What samples call their category, the first that one has."""

_KIND = re.compile(r"\s*([A-Za-z_][\w.]{2,60})(?::|\(|$)")
_NUMBER = re.compile(r"\d+")
_MAX_KIND = 100


class Verdict(msgspec.Struct, frozen=True):
    """What one scorer says of a sample. `passed` is None if its value is neither a pass nor a failure."""

    name: str
    value: Any = None
    passed: bool | None = None
    answer: Any = None
    explanation: str = ""
    more: dict[str, Any] = {}


def outcome_of(sample: Mapping[str, Any]) -> Outcome:
    """What became of a sample."""
    if sample.get("error"):
        return "error"
    correct = sample.get("correct")
    return "unscored" if not isinstance(correct, bool) else "correct" if correct else "incorrect"


def verdicts_of(sample: Mapping[str, Any]) -> list[Verdict]:
    """The verdict of each scorer that a sample names: in `scores`, `scorers`, `judge` or `judges`."""
    return [_verdict(name, value) for name, value in _named(sample)]


def passed_by(value: Any) -> bool | None:
    """Whether a scorer's value is a pass: true, 1, or a word for it, such as Inspect's C."""
    if isinstance(value, dict):
        value = next((value[name] for name in _VALUES if name in value), None)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return True if value == 1 else False if value == 0 else None
    word = value.strip().lower() if isinstance(value, str) else ""
    return True if word in _PASSED else False if word in _FAILED else None


def scorers_that_failed(sample: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The names of a sample's scorers, and of those that judge it a failure."""
    named = list(_named(sample))
    return [name for name, _ in named], [name for name, value in named if passed_by(value) is False]


def category_of(sample: Mapping[str, Any]) -> str:
    """The category that a sample names, itself or in its metadata; empty if it names none."""
    metadata = sample.get("metadata")
    for table in (sample, metadata if isinstance(metadata, dict) else {}):
        for name in CATEGORY_NAMES:
            value = table.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                return str(value)
    return ""


def error_kind_of(sample: Mapping[str, Any]) -> str:
    """What kind of error a sample ended in: the name of an exception, or the first line without its numbers."""
    error = sample.get("error")
    if not error:
        return ""
    if isinstance(error, dict):
        error = error.get("type") or error.get("message") or error.get("code") or msgspec.json.encode(error).decode()
    text = str(error).strip()
    first = text.partition("\n")[0]
    if found := _KIND.match(first):
        return found[1]
    return _NUMBER.sub("#", first)[:_MAX_KIND] or "error"


def _named(sample: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field in ("scores", "scorers", "judges", "checks"):
        found = sample.get(field)
        if isinstance(found, dict):
            yield from ((str(name), value) for name, value in found.items())
        elif isinstance(found, list):
            for at, one in enumerate(found, 1):
                if isinstance(one, dict):
                    yield str(one.get("name") or one.get("scorer") or one.get("metric") or f"{field} {at}"), one
    judge = sample.get("judge")
    if isinstance(judge, dict) and any(name in judge for name in _VALUES):
        yield "judge", judge


def _verdict(name: str, value: Any) -> Verdict:
    if not isinstance(value, dict):
        return Verdict(name, value, passed_by(value))
    left = {key: inner for key, inner in value.items() if inner not in (None, "", [], {}) and key != "name"}
    shown = next((left.pop(key) for key in _VALUES if key in left), None)
    reason = next((left.pop(key) for key in _REASONS if isinstance(left.get(key), str)), "")
    return Verdict(name, shown, passed_by(value), left.pop("answer", None), reason, left)
