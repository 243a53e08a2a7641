"""Files of other programs, read as `import` reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.adapters.imports.found import ForeignRun, UnreadableResult
from benchmarks.adapters.imports.reading import Choices, Findings, find_sources

DATA = Path(__file__).parent / "data"


@pytest.fixture
def data() -> Path:
    """The folder of files as other programs wrote them, with names replaced."""
    return DATA


@pytest.fixture
def document() -> Callable[[str], Any]:
    """The JSON of one of those files."""
    return lambda name: json.loads((DATA / name).read_text())


@pytest.fixture
def find(tmp_path) -> Callable[..., Findings]:
    """What is found in paths and in documents, which are written to files first; every complaint is an error."""

    def find(*given: Any, metric: str | None = None, **choices: Any) -> Findings:
        def fail(problem: UnreadableResult) -> None:
            raise problem

        paths = []
        for number, one in enumerate(given):
            path = one if isinstance(one, Path) else tmp_path / f"{number}.json"
            if not isinstance(one, Path):
                path.write_text(json.dumps(one))
            paths.append(path)
        findings = [source.read() for source in find_sources(paths, Choices(metric=metric, **choices), fail)]
        return Findings(
            [run for one in findings for run in one.runs], [text for one in findings for text in one.remarks]
        )

    return find


@pytest.fixture
def only(find) -> Callable[..., ForeignRun]:
    """The one run of a path or document."""

    def only(given: Any, **choices: Any) -> ForeignRun:
        [run] = find(given, **choices).runs
        return run

    return only


@pytest.fixture
def table(tmp_path) -> Callable[[str], Path]:
    """A CSV file with that text."""

    def table(text: str) -> Path:
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return table
