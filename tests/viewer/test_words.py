"""The pages use the words of the field. Words that were replaced may not come back."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import benchmarks.projections.published
import benchmarks.viewer

OLD = {
    r"\bAsk\b|The question has no answer|What there is|into the question": "SQL, Query failed, Tables, Insert",
    r"As of now|In the past\b|As it was known|what came later": "History, Viewing ..., Snapshot as of ...",
    r"come by themselves|goes on by itself|Asking the server": "Live, Reconnects automatically, Connecting",
    r"sign of life|no progress told|under way": "heartbeat, no progress reported, running",
    r"own best|own scores beaten": "previous best, best so far, new bests",
    r"Δ|\bReference\b": "vs published, published score",
    r"Finished last|in this time|worse than the run before|got worse": "Recently finished, last 7 days, below previous",
    r"Other attempts|the same work": "Other runs of this configuration, Re-runs",
    r"Spread over repeats|\bleast,|\bmost\"": "Distribution by model, min, max",
    r"How it was made|\bFolder\b|\btook \d|\bsupervision\b": "Details, Working directory, duration, Supervisor notes",
    r"\b(right|wrong) \d|not judged": "correct, incorrect, unscored",
    r"No sample is like|Nothing like that|\(nothing\)": "No samples match, No matches, No output",
    r"(is|are) measured against|Measure against|Leave out": "Baseline, Set as baseline, Remove",
    r"\d no difference|a difference counts below": "not significant, significant at p < 0.05",
    r"only the (first|second)$": "only A correct, only B correct",
    r"from the last to the first|is first$": "worst to best on each benchmark",
    r"for a million tokens": "per 1M input / output tokens",
    r"not as written|^broken$": "hash mismatch",
    r"kept apart|known here since|Taken over": "not ranked, recorded, imported",
    r"No such page|The address names none": "Page not found",
    r"take a filter away|empty the search|\brun before\b|^Keys$": "Remove a filter, Clear search, Previous run",
    r"\d in the ledger|Choose two to six": "188 runs, Choose 2-6",
    r"told apart": "tied with",
}
"""What the pages may not say, and what they say instead."""

_COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`\\])//[^\n]*", re.DOTALL)
_TEXT = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')


def texts_of_scripts(folder: Path) -> list[tuple[str, str]]:
    """Each text of the scripts and documents of a page, with its file."""
    texts = [(file.name, re.sub(r"<[^>]*>", " ", file.read_text())) for file in folder.rglob("*.html")]
    for file in folder.rglob("*.js"):
        for found in _TEXT.finditer(_COMMENT.sub("", file.read_text())):
            # A place that is filled stands for any number.
            texts.append((file.name, re.sub(r"\$\{[^}]*\}", "1", found[1] or found[2] or "")))
    return texts


def texts_of_modules(folder: Path) -> list[tuple[str, str]]:
    """Each text of the modules that is not a docstring: titles and messages that the pages show."""
    texts = []
    for file in folder.rglob("*.py"):
        tree = ast.parse(file.read_text())
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                texts.append((file.name, node.value))
    return texts


def test_no_page_says_an_old_word():
    viewer = Path(benchmarks.viewer.__file__).parent
    published = Path(benchmarks.projections.published.__file__).parent
    texts = texts_of_scripts(viewer / "page") + texts_of_scripts(published / "page")
    messages = texts_of_modules(viewer)
    assert len(texts) > 1000 and len(messages) > 300
    for pattern, better in OLD.items():
        found = [(file, text) for file, text in texts + messages if re.search(pattern, text)]
        assert not found, f"write {better}: {found}"
