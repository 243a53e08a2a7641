"""STYLE.md: no text of the project has the patterns that may not come back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ["adapters", "cli", "docs", "ledger", "orchestrator", "projections", "tests", "viewer"]
ENDINGS = ("*.py", "*.md", "*.toml", "*.js", "*.mjs", "*.html", "*.css")
QUOTES = ["STYLE.md", "tests/test_style.py"]
"""They name the patterns."""

PATTERNS = {
    r"\b(is|are|was|were|be) no (?!longer\b|more\b|later\b|less\b|better\b)": "write: is not a ...",
    r"\bso (many|much|long)\b(?! as\b)": "write: the number, maximum or limit of ...",
    r"\b(is|are|was|were|be|been) told\b": "write: reports, shows, prints, is named",
    r"\bwhoever\b": "name the actor: the reader, the writer, another process",
    r"\bnobody('s)?\b": "name the actor, or write: unknown, not used",
    r"\b(he|his|him)\b": "a program, reader or user is not `he`",
}


def texts() -> Iterator[tuple[str, str]]:
    """Every text of the project, by its path."""
    files = [file for ending in ENDINGS for file in ROOT.glob(ending)]
    files += [file for folder in FOLDERS for ending in ENDINGS for file in (ROOT / folder).rglob(ending)]
    for file in sorted(files):
        name = file.relative_to(ROOT).as_posix()
        if name not in QUOTES:
            yield name, file.read_text(encoding="utf-8")


def found_in(text: str) -> list[str]:
    """Each place with a pattern, as `line: match: advice`; a match may go over the end of a line."""
    return [
        f"{text.count(chr(10), 0, match.start()) + 1}: {' '.join(match[0].split())}: {advice}"
        for pattern, advice in PATTERNS.items()
        for match in re.finditer(pattern.replace(" ", r"\s+"), text, re.IGNORECASE)
    ]


def test_no_text_has_a_pattern_that_may_not_come_back() -> None:
    found = list(texts())
    assert {name.partition("/")[0] for name, _ in found} >= {*FOLDERS, "README.md"}
    faults = [f"{name}:{fault}" for name, text in found for fault in found_in(text)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("that is no\nnumber", 1),
        ("it is no longer here, and no more than two are", 0),
        ("So many at once; as long as it runs, so long as it runs", 1),
        ("the user is told", 1),
        ("Whoever reads, nobody's", 2),
        ("the other, this, hiss", 0),
        ("he waits for his lock", 2),
        ("there is not a number", 0),
    ],
)
def test_the_patterns_are_found(text: str, count: int) -> None:
    assert len(found_in(text)) == count
