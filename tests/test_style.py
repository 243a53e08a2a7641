"""STYLE.md: the patterns that may not come back, in the folders and pages that are free of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CLEAN = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "__init__.py",
    "adapters",
    "cli",
    "docs",
    "ledger",
    "orchestrator",
    "projections",
    "tests/adapters",
    "tests/cli",
    "tests/conftest.py",
    "tests/e2e",
    "tests/ledger",
    "tests/orchestrator",
    "tests/perf",
    "tests/projections",
    "tests/test_docs.py",
    "tests/test_layout.py",
    "tests/test_library.py",
    "tests/viewer",
    "viewer",
]
"""Files and folders that are free of the patterns. Add one when it is rewritten."""

TO_COME: list[str] = []
"""Folders that are not rewritten yet, or not as a whole."""

PATTERNS = {
    r"\b(is|are|was|were|be) no (?!longer\b|more\b|later\b|less\b|better\b)": "write: is not a ...",
    r"\bso (many|much|long)\b(?! as\b)": "write: the number, maximum or limit of ...",
    r"\b(is|are|was|were|be|been) told\b": "write: reports, shows, prints, is named",
    r"\bwhoever\b": "name the actor: the reader, the writer, another process",
    r"\bnobody('s)?\b": "name the actor, or write: unknown, not used",
    r"\b(he|his|him)\b": "a program, reader or user is not `he`",
}


def texts() -> Iterator[tuple[str, str]]:
    for name in CLEAN:
        path = ROOT / name
        endings = ("*.py", "*.md", "*.toml", "*.js", "*.mjs", "*.html", "*.css")
        files = [path] if path.is_file() else sorted(file for ending in endings for file in path.rglob(ending))
        assert files, f"{name} does not exist"
        for file in files:
            yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")


def found_in(text: str) -> list[str]:
    """Each place with a pattern, as `line: match: advice`; a match may go over the end of a line."""
    return [
        f"{text.count(chr(10), 0, match.start()) + 1}: {' '.join(match[0].split())}: {advice}"
        for pattern, advice in PATTERNS.items()
        for match in re.finditer(pattern.replace(" ", r"\s+"), text, re.IGNORECASE)
    ]


def test_clean_texts_stay_clean() -> None:
    faults = [f"{name}:{fault}" for name, text in texts() for fault in found_in(text)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("folder", TO_COME)
def test_a_folder_is_taken_from_the_list_when_it_is_clean(folder: str) -> None:
    files = [
        file for ending in ("*.py", "*.md") for file in (ROOT / folder).rglob(ending) if not file.samefile(__file__)
    ]
    assert any(found_in(file.read_text(encoding="utf-8")) for file in files), f"{folder} is clean: add it to CLEAN"


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
