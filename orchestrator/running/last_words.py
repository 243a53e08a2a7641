"""Quotes why a child failed: the lines near the end of its output that give a reason.

The last line often gives none: Bun and Node.js print their version last, a Python library may print something at exit,
and many JavaScript suites print the reason to stdout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..machine.logs import last_lines

LINES = 5
"""The maximum number of lines that are quoted."""

_FOLLOWS = "the last of {}:"
_LOOKED_AT = 200
_BYTES = 16 * 1024
_MAX_QUOTE_LENGTH = 200

_NOISE = re.compile(
    r"(?:"
    r"Bun v\d\S*.*|Node\.js v\d\S*|"
    r"npm (?:ERR!|error)\s*(?:A complete log of this run.*|\S*/_logs/\S+|code \S+|errno \S+)?|"
    r"error: script \".*\" (?:exited with code|was terminated by).*|"
    r"error Command failed with exit code \d+\.?|info Visit https?://\S+.*|"
    r"ELIFECYCLE\s.*|.* Exit status \d+|"
    r"at .+|\^+|[-=_*~. ]+|"
    r"\d+%\|.*\|.*"
    r")"
)
"""Lines at the end of an output that give no reason: versions, stack frames, rulers, progress bars.

It is matched against a stripped line: with the spaces, a line of many spaces would take hours.
"""

_NO_REASON = re.compile(
    r"\b(?:no|0|without) (?:errors?|failures?|failed)\b|\b(?:errors?|failed|failures?)[:=] ?0\b", re.IGNORECASE
)
_REASON = re.compile(
    r"error\b|exception\b|\b(?:fatal|panic(?:ked)?|abort(?:ed)?|killed|fail(?:ed|ure|s)?|unable|"
    r"cannot|can't|could ?n[o']t|"
    r"not (?:found|set|supported|installed|allowed|permitted)|no such|denied|refused|invalid|unknown|missing|required|"
    r"unauthorized|forbidden|timed out|too many requests|out of memory|unrecognized)\b",
    re.IGNORECASE,
)


def with_last_words(error: str, folder: Path, *, with_stdout: bool = False) -> str:
    """An error with the lines of the run's stderr that give a reason, if there are any.

    `with_stdout`: quote stdout instead if stderr gives no reason and stdout does, or if stderr is empty.
    """
    found = [(name, *_excerpt(folder / f"{name}.log")) for name in ("stderr", "stdout")[: 1 + with_stdout]]
    named = [one for one in found if one[2]] or [one for one in found if one[1]]
    if not named:
        return error
    name, lines, _ = named[0]
    return "; ".join(filter(None, [error, "\n".join([_FOLLOWS.format(name), *lines])]))


def in_a_line(error: str, *, quotes_child: bool) -> str:
    """An error in one line: what happened, and the child's line with a reason, or the beginning of uv's output."""
    what, *more = error.strip().splitlines() or [""]
    if not what.endswith(":") or not more:
        return what
    opening = next((text for name in ("stderr", "stdout") if what.endswith(text := _FOLLOWS.format(name))), "")
    lines = [more[_telling(more)]] if opening else more
    quote = " ".join(" ".join(lines).split()) if quotes_child else ""
    if len(quote) > _MAX_QUOTE_LENGTH:
        quote = f"{quote[: _MAX_QUOTE_LENGTH - 2]} …"
    return ": ".join(filter(None, [what.removesuffix(opening).removesuffix("; ").removesuffix(":"), quote]))


def _excerpt(log: Path) -> tuple[list[str], bool]:
    """The lines of a log to quote, and whether one of them gives a reason."""
    lines = last_lines(log, lines=_LOOKED_AT, limit=_BYTES).splitlines()
    place = _telling(lines)
    if not lines or _is_noise(lines[place]):
        return [], False
    end = len(lines)
    while end > place + 1 and (not lines[end - 1].strip() or _is_noise(lines[end - 1])):
        end -= 1
    begin = min(place, max(0, end - LINES))
    return lines[begin : min(end, begin + LINES)], _gives_reason(lines[place])


def _telling(lines: Sequence[str]) -> int:
    """The index of the last line that gives a reason, else of the last line that is not noise; -1 if there is none."""
    plain = [place for place, line in enumerate(lines) if line.strip() and not _is_noise(line)]
    return next((place for place in reversed(plain) if _gives_reason(lines[place])), plain[-1] if plain else -1)


def _is_noise(line: str) -> bool:
    return _NOISE.fullmatch(line.strip()) is not None


def _gives_reason(line: str) -> bool:
    return bool(_REASON.search(line)) and not _NO_REASON.search(line)
