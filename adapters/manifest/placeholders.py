"""Placeholders such as `{model}` in commands and variables: which there are, and how they are filled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

PLACEHOLDERS = (
    "python",
    "model",
    "provider",
    "base_url",
    "agent",
    "output_dir",
    "run_id",
    "workspace",
    "suite_dir",
    "value",
)
"""The names between braces in a command, its folder and its environment; `value` only in an option."""

EACH_VALUE = "{values}"
"""In an argument of a list option, stands for an item: the argument is repeated for each."""

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}|\{(\w+)\}")
_TYPO_SIMILARITY = 0.75
"""An unknown name between braces that is at least so similar to a known one is taken for a typing error."""


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with `{name}` replaced by its value; `{{name}}` becomes `{name}`.

    All other braces stay as they are: commands often hold JSON or code.
    """

    def replaced(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped is not None:
            return f"{{{escaped}}}" if escaped in PLACEHOLDERS else match[0]
        return values.get(name, match[0])

    return _PLACEHOLDER.sub(replaced, text)


def has_value(text: str) -> bool:
    """Whether the text has the placeholder for an option's value."""
    return any(match[2] == "value" for match in _PLACEHOLDER.finditer(text))


def text_faults(text: str, *, in_option: bool = False) -> Iterator[str]:
    """What is wrong with an argument, a folder or a variable's text: a NUL, or a name that is almost a placeholder."""
    if "\0" in text:
        yield "contains a NUL character, which neither a command nor a variable can have"
    known = PLACEHOLDERS if in_option else PLACEHOLDERS[:-1]
    for match in _PLACEHOLDER.finditer(text):
        name = match[2]
        if name is None or name in known:
            continue
        if name == "value":
            yield f"{{value}} in '{text}': only an option has a value"
        elif guess := get_close_matches(name.lower(), known, n=1, cutoff=_TYPO_SIMILARITY):
            yield f"unknown placeholder {{{name}}} in '{text}': did you mean {{{guess[0]}}}?"
