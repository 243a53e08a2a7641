"""The samples of a run as columns, which can be filtered, counted and sorted; their texts stay in the file."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_args

import msgspec

from ...ledger.events import Artifact, Json
from ...ledger.files.elsewhere import Elsewhere
from ...projections.scores.samples import (
    Line,
    SamplesUnusable,
    lines_at,
    recorded_lines,
    recorded_texts,
    samples_path,
    samples_state,
)
from ...projections.scores.scorers import Outcome, category_of, error_kind_of, outcome_of, scorers_that_failed
from .kept import Kept

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
SORTS = ("failed", "file", "id", "score", "latency", "tokens", "cost")
"""What samples can be sorted by; a `-` before it turns the order. `failed`: errors, then incorrect answers."""

BINS = 20
MAX_SCORERS = 60
_FAILED_FIRST = {"error": 0, "incorrect": 1, "unscored": 2, "correct": 3}
_MAX_NAMES = 65_000
_MAX_KEPT_ROWS = 400_000
_ORDERS = 8
_MARK_BYTES = 8
_NONE = math.nan


class Question(msgspec.Struct, frozen=True):
    """Which samples are asked for, and in which order. An empty field keeps all."""

    outcomes: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()
    scorers: frozenset[str] = frozenset()
    text: str = ""
    lowest: float | None = None
    highest: float | None = None
    sort: str = "failed"


class CategoryCounts(msgspec.Struct, frozen=True):
    """The samples of a category by their outcome. `score` is the mean of those that have one."""

    name: str
    total: int
    correct: int
    incorrect: int
    error: int
    unscored: int
    score: float | None


class Spread(msgspec.Struct, frozen=True):
    """How scores are spread: the samples in each of the bins of one width from `low` to `high`."""

    low: float
    high: float
    counts: list[int]


class SampleTable:
    """A row for each sample of a file, as columns of numbers: about a hundred bytes a sample.

    The file is read once, and its digest is checked. Later only single lines are read, and each must have the digest
    that it had then.
    """

    def __init__(
        self,
        folder: Path,
        artifacts: Sequence[Artifact],
        elsewhere: Elsewhere | None = None,
        excluded: Collection[str] = (),
    ) -> None:
        """Read the file. Raises SamplesUnusable."""
        self._folder, self._artifacts, self._elsewhere = folder, artifacts, elsewhere
        self.state = samples_state(folder, artifacts)
        self.ids: list[str] = []
        self.outcomes = bytearray()
        self.scores, self.latencies, self.tokens, self.costs = (array("d") for _ in range(4))
        self.categories, self.errors = _Names(), _Names()
        self.scorers: list[str] = []
        self.excluded = bytearray()
        self.unreadable = 0
        self._failed = array("Q")
        self._lines, self._lengths = array("L"), array("L")
        self._offsets = array("Q")
        self._marks = bytearray()
        self._places: dict[str, list[int]] | None = None
        self._orders: Kept[Question, array[int]] = Kept(lambda orders: len(orders) > _ORDERS)
        known: dict[str, int] = {}
        for line in recorded_lines(folder, artifacts, elsewhere):
            if line.row is None:
                self.unreadable += 1
            else:
                self._add(line, line.row, known, excluded)
        self.scorers = list(known)

    def __len__(self) -> int:
        return len(self.ids)

    def _add(self, line: Line, row: Json, known: dict[str, int], excluded: Collection[str]) -> None:
        name = "" if row.get("id") is None else str(row["id"])
        self.ids.append(name)
        self.excluded.append(name in excluded)
        self.outcomes.append(OUTCOMES.index(outcome_of(row)))
        self.scores.append(score_in(row))
        self.latencies.append(latency_of(row))
        self.tokens.append(_tokens(row))
        self.costs.append(_first(row, "cost_usd", "cost"))
        self.categories.append(category_of(row))
        self.errors.append(error_kind_of(row))
        named, failed = scorers_that_failed(row)
        for scorer in named:
            if len(known) < MAX_SCORERS:
                known.setdefault(scorer, len(known))
        self._failed.append(sum(1 << known[scorer] for scorer in set(failed) if scorer in known))
        self._lines.append(line.number)
        self._offsets.append(line.offset)
        self._lengths.append(len(line.text))
        self._marks += _mark(line.text)

    def find(self, name: str, line: int | None = None) -> int | None:
        """The place of a sample by its id, or of the one in a line of the file."""
        if line is not None:
            return next((at for at, number in enumerate(self._lines) if number == line), None)
        return next(iter(self.places(name)), None)

    def places(self, name: str) -> list[int]:
        """The places of all samples with an id: it was asked several times, if there are more than one."""
        if self._places is None:
            places: dict[str, list[int]] = {}
            for at, one in enumerate(self.ids):
                places.setdefault(one, []).append(at)
            self._places = places
        return self._places.get(name, [])

    def line(self, place: int) -> int:
        """The number of a sample's line in the file."""
        return self._lines[place]

    def read(self, places: Iterable[int]) -> list[Json]:
        """The samples as they were written. Raises SamplesUnusable if the file is not the one of the table."""
        wanted = list(places)
        where = [(self._offsets[at], self._lengths[at]) for at in wanted]
        found = []
        for at, line in zip(wanted, lines_at(self._folder, self._artifacts, where, self._elsewhere), strict=True):
            if line.row is None or _mark(line.text) != self._marks[at * _MARK_BYTES : (at + 1) * _MARK_BYTES]:
                raise SamplesUnusable("samples.jsonl is not the file that was recorded")
            found.append(line.row)
        return found

    def order(self, question: Question) -> array[int]:
        """The places of the samples that a question asks for, in its order. Raises SamplesUnusable."""
        return self._orders.get(question, lambda: self._ordered(question))

    def _ordered(self, question: Question) -> array[int]:
        kept = [at for at, keeps in enumerate(self._kept(question)) if keeps]
        self._sort(kept, question.sort)
        return array("L", kept)

    def _sort(self, kept: list[int], sort: str) -> None:
        name, is_down = sort.removeprefix("-"), sort.startswith("-")
        if name == "file":
            if is_down:
                kept.reverse()
        elif name == "failed":
            ranks = [_FAILED_FIRST[outcome] for outcome in OUTCOMES]
            kept.sort(key=lambda at: (ranks[self.outcomes[at]], _or_last(self.scores[at], is_down=False)))
            if is_down:
                kept.reverse()
        elif name == "id":
            kept.sort(key=lambda at: _natural(self.ids[at]), reverse=is_down)
        else:
            column = {"score": self.scores, "latency": self.latencies, "tokens": self.tokens, "cost": self.costs}[name]
            kept.sort(key=lambda at: _or_last(column[at], is_down=is_down))

    def _kept(self, question: Question, but: str = "") -> bytearray:
        """For each sample 1 if the question keeps it, without one of its parts."""
        kept = bytearray(b"\x01") * len(self)
        if question.outcomes and but != "outcomes":
            wanted = {at for at, name in enumerate(OUTCOMES) if name in question.outcomes}
            _keep(kept, (outcome in wanted for outcome in self.outcomes))
        if question.categories and but != "categories":
            _keep(kept, self.categories.among(question.categories))
        if question.errors and but != "errors":
            _keep(kept, self.errors.among(question.errors))
        if question.scorers and but != "scorers":
            bits = sum(1 << at for at, name in enumerate(self.scorers) if name in question.scorers)
            _keep(kept, (failed & bits != 0 for failed in self._failed))
        if question.lowest is not None:
            lowest = question.lowest
            _keep(kept, (score >= lowest for score in self.scores))
        if question.highest is not None:
            highest = question.highest
            _keep(kept, (score <= highest for score in self.scores))
        if question.text:
            found = self._containing(question.text)
            _keep(kept, (line in found for line in self._lines))
        return kept

    def _containing(self, text: str) -> set[int]:
        wanted = text.lower()
        return {
            line.number
            for line in recorded_texts(self._folder, self._artifacts, self._elsewhere)
            if wanted in line.text.decode(errors="replace").lower() or wanted in _unescaped(line.text)
        }

    def facets(self, question: Question) -> dict[str, dict[str, int]]:
        """How many samples each choice of a facet would keep, beside the other choices. Raises SamplesUnusable."""
        whole = self._kept(question)

        def kept(part: str) -> bytearray:
            return self._kept(question, but=part) if getattr(question, part) else whole

        outcomes = Counter(outcome for outcome, keeps in zip(self.outcomes, kept("outcomes"), strict=True) if keeps)
        failed = Counter(bits for bits, keeps in zip(self._failed, kept("scorers"), strict=True) if keeps and bits)
        return {
            "outcome": {name: outcomes[at] for at, name in enumerate(OUTCOMES)},
            "category": self.categories.counted(kept("categories")),
            "error": self.errors.counted(kept("errors")),
            "scorer": {
                name: sum(many for bits, many in failed.items() if bits >> at & 1)
                for at, name in enumerate(self.scorers)
            },
        }

    def by_category(self) -> list[CategoryCounts]:
        """A line for each category of the whole file, the worst first; none if no sample names a category."""
        if not self.categories.has_names:
            return []
        counts: dict[int, list[int]] = {}
        sums: dict[int, list[float]] = {}
        for at, category in enumerate(self.categories.numbers):
            counts.setdefault(category, [0] * len(OUTCOMES))[self.outcomes[at]] += 1
            if not math.isnan(self.scores[at]):
                sums.setdefault(category, []).append(self.scores[at])
        found = [
            CategoryCounts(
                self.categories.names[number],
                sum(some),
                **dict(zip(OUTCOMES, some, strict=True)),
                score=math.fsum(sums[number]) / len(sums[number]) if number in sums else None,
            )
            for number, some in counts.items()
        ]
        return sorted(found, key=lambda one: (math.inf if one.score is None else one.score, one.name))

    def spread(self) -> Spread | None:
        """How the scores are spread if they are more than right and wrong, which has two scores."""
        known = [score for score in self.scores if not math.isnan(score)]
        if len(set(known)) < 3:
            return None
        low, high = min(known), max(known)
        width = (high - low) / BINS or 1.0
        counts = [0] * BINS
        for score in known:
            counts[min(BINS - 1, int((score - low) / width))] += 1
        return Spread(low, high, counts)


class SampleTables:
    """The tables that were asked for last. Safe for many threads, which read different files at the same time."""

    def __init__(self) -> None:
        self._tables: Kept[tuple[str, ...], SampleTable] = Kept(
            lambda tables: sum(map(len, tables.values())) > _MAX_KEPT_ROWS
        )

    def table(
        self,
        folder: Path,
        artifacts: Sequence[Artifact],
        elsewhere: Elsewhere | None = None,
        excluded: Collection[str] = frozenset(),
    ) -> SampleTable:
        """The table of a run's samples, read anew if the file has changed. Raises SamplesUnusable."""
        path = samples_path(artifacts)
        digest = next((one.sha256 for one in artifacts if one.path == path), "")
        key = (str(folder), digest, *sorted(excluded))
        return self._tables.get(
            key,
            lambda: SampleTable(folder, artifacts, elsewhere, excluded),
            lambda table: table.state == samples_state(folder, artifacts),
        )


class _Names:
    """A column of names, of which many are equal."""

    def __init__(self) -> None:
        self.numbers = array("H")
        self.names: list[str] = []
        self._known: dict[str, int] = {}

    @property
    def has_names(self) -> bool:
        """Whether any name is not empty."""
        return any(self.names)

    def append(self, name: str) -> None:
        number = self._known.get(name)
        if number is None:
            name = name if len(self.names) < _MAX_NAMES else "(other)"
            number = self._known.setdefault(name, len(self.names))
            if number == len(self.names):
                self.names.append(name)
        self.numbers.append(number)

    def among(self, wanted: Collection[str]) -> Iterator[bool]:
        numbers = {self._known[name] for name in wanted if name in self._known}
        return (number in numbers for number in self.numbers)

    def counted(self, kept: bytearray) -> dict[str, int]:
        """How often each name is kept, the most frequent first; the empty one is left out."""
        counts = Counter(number for number, keeps in zip(self.numbers, kept, strict=True) if keeps)
        return {self.names[number]: many for number, many in counts.most_common() if self.names[number]}


def latency_of(row: Json) -> float:
    """The milliseconds of a sample; NaN if they are not known."""
    found = _first(row, "latency_ms", "duration_ms")
    if math.isnan(found):
        found = 1000 * _first(row, "latency_seconds", "total_time", "duration_seconds", "seconds")
    return found


def _tokens(row: Json) -> float:
    for table in (row, row.get("usage")):
        if not isinstance(table, dict):
            continue
        parts = [
            _first(table, "input_tokens", "prompt_tokens"),
            _first(table, "output_tokens", "completion_tokens"),
        ]
        if known := [part for part in parts if not math.isnan(part)]:
            return sum(known)
        if not math.isnan(total := _first(table, "total_tokens")):
            return total
    return _NONE


def score_in(row: Mapping[str, Any]) -> float:
    """The score of a sample; NaN if it has none."""
    score = row.get("score")
    if score is None and not row.get("error"):  # An error is not a wrong answer.
        score = row.get("correct")
    if not isinstance(score, bool | int | float):
        return _NONE
    try:
        return float(score) if math.isfinite(score) else _NONE
    except OverflowError:
        return _NONE


def _first(row: Json, *names: str) -> float:
    for name in names:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return float(value) if math.isfinite(value) else _NONE
            except OverflowError:
                return _NONE
    return _NONE


def _or_last(value: float, *, is_down: bool) -> tuple[bool, float]:
    """A key that puts unknown numbers at the end of both orders."""
    return (True, 0.0) if math.isnan(value) else (False, -value if is_down else value)


def _natural(name: str) -> tuple[tuple[bool, float, str], ...]:
    """`s9` before `s10`."""
    parts: list[tuple[bool, float, str]] = []
    for is_number, some in _runs(name):
        parts.append((not is_number, float(some[:15]) if is_number else 0.0, some))
    return tuple(parts)


def _runs(name: str) -> Iterator[tuple[bool, str]]:
    begin = 0
    for at in range(1, len(name) + 1):
        if at == len(name) or name[at].isdecimal() != name[begin].isdecimal():
            yield name[begin].isdecimal() and name[begin:at].isascii(), name[begin:at]
            begin = at


def _keep(kept: bytearray, flags: Iterable[bool]) -> None:
    for at, flag in enumerate(flags):
        if not flag:
            kept[at] = 0


def _mark(text: bytes) -> bytes:
    return blake2b(text, digest_size=_MARK_BYTES).digest()


def _unescaped(text: bytes) -> str:
    """A line that writes letters as numbers, in lower case; empty if it does not."""
    if b"\\u" not in text:
        return ""
    try:
        values: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return ""
    return msgspec.json.encode(values).decode(errors="replace").lower()
