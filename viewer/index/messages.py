"""Failures by what they say: the line of an error that gives the reason, and which errors are the same."""

from __future__ import annotations

import re

_NAMED = re.compile(r"\b[A-Za-z_.]*(?:Error|Exception|Exit|Timeout|Warning)\b|\b[Ee]rror:")
_NUMBER = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\b(?![1-5]\d\d\b)\d+(?:[.:]\d+)*")
_MAX = 200


def message_of(error: str | None) -> str:
    """The line of an error that says most: the last one that names an error, or else the first one."""
    lines = [line.strip() for line in (error or "").splitlines() if line.strip()]
    if not lines:
        return ""
    told = [line for line in lines if _NAMED.search(line)]
    found = told[-1] if told else lines[0].removesuffix("; the last of stderr:").removesuffix("; the last of stdout:")
    return found if len(found) <= _MAX else found[: _MAX - 1] + "…"


def pattern_of(message: str) -> str:
    """What messages of one kind share: numbers do not matter, except those of three digits, such as 429."""
    return _NUMBER.sub("#", message)
