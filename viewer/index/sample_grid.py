"""The samples of a task as a grid: a row for each sample, a column for each contender, and its repeats behind it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...ledger.events import Artifact
from ...ledger.files.elsewhere import Elsewhere
from ...projections.scores.samples import Line, SamplesUnusable, read_lines, recorded_texts
from ...projections.scores.scorers import CATEGORY_NAMES, category_of
from .sample_table import score_in

MAX_CONTENDERS = 30
MAX_SAMPLES = 100_000
MAX_REPEATS = 5
MAX_READ = 3_000_000
"""Samples that are read for one grid: repeats beyond it are left out, the oldest first."""

_NONE = math.nan
_ERROR = -math.inf


class Source(msgspec.Struct, frozen=True):
    """A run whose samples are read, without those that a person `excluded`."""

    run_id: str
    folder: Path
    artifacts: Sequence[Artifact]
    samples: int
    elsewhere: Elsewhere | None = None
    excluded: frozenset[str] = frozenset()


class Column(msgspec.Struct, frozen=True):
    """A contender in the grid: its runs with samples, the newest first, and why others have none that can be used."""

    sources: list[Source]
    scores: list[array[float]]
    problems: list[str]


class Cell(msgspec.Struct, frozen=True):
    """A contender on a sample, by its newest run. `score` is None if it ended in an error.

    `repeats` are its runs with this sample, `solved` of them have the best score, and `flaky`: they do not agree.
    """

    score: float | None
    is_error: bool
    repeats: int
    solved: int
    flaky: bool


class Grid:
    """The scores of a task's samples, four bytes for each sample of a run."""

    def __init__(self, contenders: Sequence[Sequence[Source]], *, higher_is_better: bool = True) -> None:
        """Read the samples of each contender's runs, of each the newest first."""
        self.ids: list[str] = []
        self.categories: dict[str, str] = {}
        self.columns = [Column([], [], []) for _ in contenders]
        self.left_out = 0
        self._known: dict[str, int] = {}
        read = 0
        for repeat in range(MAX_REPEATS):
            for column, sources in zip(self.columns, contenders, strict=True):
                if repeat >= len(sources):
                    continue
                if repeat and read + sources[repeat].samples > MAX_READ:
                    self.left_out += 1
                    continue
                read += self._read(column, sources[repeat])
        for column in self.columns:
            for scores in column.scores:
                scores.extend([_NONE] * (len(self.ids) - len(scores)))
        self._measure(higher_is_better=higher_is_better)
        self.difficulties = array("d", map(self._difficulty, range(len(self.ids))))

    def _measure(self, *, higher_is_better: bool) -> None:
        """Find the lowest and the highest score, and which score solves a sample if these are all."""
        found = {score for column in self.columns for scores in column.scores for score in set(scores)}
        known = sorted(score for score in found if math.isfinite(score))
        self.is_binary = len(known) < 3
        self.low, self.high = (known[0], known[-1]) if known else (0.0, 1.0)
        if self.low == self.high:
            self.low, self.high = (0.0, self.high) if self.high > 0 else (self.low, self.low + 1.0)
        self._solved = self.high if higher_is_better else self.low

    def _read(self, column: Column, source: Source) -> int:
        scores = array("f", [_NONE]) * len(self.ids)
        seen = 0
        try:
            for name, score, category in _scores(source):
                at = self._known.get(name)
                if at is None:
                    if len(self.ids) >= MAX_SAMPLES:
                        continue
                    at = self._known[name] = len(self.ids)
                    self.ids.append(name)
                if category:
                    self.categories.setdefault(name, category)
                scores.extend([_NONE] * (at + 1 - len(scores)))
                scores[at] = score
                seen += 1
        except SamplesUnusable as problem:
            column.problems.append(f"{source.run_id}: {problem}")
            return seen
        column.sources.append(source)
        column.scores.append(scores)
        return seen

    def cell(self, column: int, at: int) -> Cell | None:
        """A contender on a sample; None if none of its runs has the sample."""
        found = [scores[at] for scores in self.columns[column].scores if not math.isnan(scores[at])]
        if not found:
            return None
        newest = found[0]
        known = [score for score in found if score != _ERROR]
        return Cell(
            score=None if newest == _ERROR else newest,
            is_error=newest == _ERROR,
            repeats=len(found),
            solved=sum(map(self.is_solved, known)),
            flaky=self._differ(known),
        )

    def is_solved(self, score: float) -> bool:
        """Whether a score is the best there is."""
        return score == self._solved

    def _differ(self, scores: Collection[float]) -> bool:
        """Whether repeats do not agree: graded scores differ by more than half of the range."""
        return len(scores) > 1 and max(scores) - min(scores) > (0.0 if self.is_binary else (self.high - self.low) / 2)

    def _difficulty(self, at: int) -> float:
        """How many of the contenders solve a sample, as a share, or their mean score; NaN if no contender has it."""
        newest = self.newest(at)
        if self.is_binary:
            return sum(map(self.is_solved, newest)) / len(newest) if newest else _NONE
        found = [self.low if score == _ERROR else score for score in newest]
        return math.fsum(found) / len(found) if found else _NONE

    def newest(self, at: int) -> list[float]:
        """The newest score of each contender that has the sample; minus infinity for an error."""
        return [scores[0][at] for column in self.columns if (scores := column.scores) and not math.isnan(scores[0][at])]

    def is_flaky(self, at: int) -> bool:
        """Whether the repeats of a contender do not agree."""
        return any(
            self._differ([score for scores in column.scores if math.isfinite(score := scores[at])])
            for column in self.columns
        )


_METADATA = "metadata"
_OF_SAMPLE = ("id", "score", "correct", "error", *CATEGORY_NAMES)


class _Lean(msgspec.Struct):
    """What a grid needs of a sample: to skip its transcript is several times faster than to decode it."""

    metadata: msgspec.Raw = msgspec.Raw(b"null")


_fields: list[tuple[str, Any, Any]] = [(name, Any, None) for name in _OF_SAMPLE]
_decoder = msgspec.json.Decoder(msgspec.defstruct("_LeanSample", _fields, bases=(_Lean,)))
_categories = msgspec.json.Decoder(msgspec.defstruct("_Categories", [(name, Any, None) for name in CATEGORY_NAMES]))


def _scores(source: Source) -> Iterator[tuple[str, float, str]]:
    """The id, the score and the category of each sample that has an id. Raises SamplesUnusable."""
    for line in recorded_texts(source.folder, source.artifacts, source.elsewhere):
        row = _row(line)
        if row is None or row.get("id") is None:
            continue
        name = str(row["id"])
        if name not in source.excluded:
            yield name, _score(row), category_of(row)


def _row(line: Line) -> Mapping[str, Any] | None:
    try:
        found = msgspec.structs.asdict(_decoder.decode(line.text))
        metadata = found[_METADATA]
        found[_METADATA] = (
            msgspec.structs.asdict(_categories.decode(metadata)) if bytes(metadata).startswith(b"{") else None
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return next((one.row for one in read_lines([line.text])), None)
    return found


def _score(row: Mapping[str, Any]) -> float:
    if row.get("error"):
        return _ERROR
    return score_in(row)
