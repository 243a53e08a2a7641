"""Runs sample by sample: which of them solves it, their transcripts step by step, and what is set differently."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import falcon
import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from ...projections.scores.samples import SamplesUnusable
from ...projections.sqlite.rows import run_row
from ...projections.transcripts.alignment import Step, align, first_divergence
from ..api.answers import answer
from ..api.parameters import AS_OF, OFFSET, BadParameter, Form, Parameter, limit
from ..api.site import Site
from ..index.archive import Head
from ..index.sample_table import OUTCOMES, SampleTable
from .run import find_run
from .samples import MAX_SAMPLES, OneSampleAnswer, SampleRow, find_sample, row_of, table_of

MAX_RUNS = 6

_PAIRED = ("both", "only_a", "only_b", "neither")
_SHOWN = (*_PAIRED, "different", "same", "unpaired", "missing")
_SORTS = ("different", "file", "id", "category", "a", "b")

Outcome = Literal["both", "only_a", "only_b", "neither"]


class PairCounts(msgspec.Struct, frozen=True):
    """The number of samples that both runs answer correctly, only one of them, or neither.

    `unpaired` samples are in one run only, or nothing says whether both answers are correct. `different` samples are in
    several of the runs, with other outcomes or scores; `same` are the others that are in several. `missing` samples
    are not in all runs.
    """

    both: int = 0
    only_a: int = 0
    only_b: int = 0
    neither: int = 0
    unpaired: int = 0
    different: int = 0
    same: int = 0
    missing: int = 0


class Pair(msgspec.Struct, frozen=True):
    """A sample as both runs answered it."""

    id: str
    outcome: Outcome
    a: dict[str, Any]
    b: dict[str, Any]


class PairRow(msgspec.Struct, frozen=True):
    """A sample in a list, as each run answered it; None if the run has not the sample."""

    id: str
    category: str
    input: str
    is_different: bool
    sides: list[SampleRow | None]


class PairList(msgspec.Struct, frozen=True):
    """A page of pairs; `total` counts what is shown, `counts` all.

    With `brief=1`, `rows` has the page, of samples of any outcome, and `samples` is empty. If the samples of a run
    cannot be used, the list is empty, and `problem` names the run and the reason. `notes` name lines that were left
    out.
    """

    counts: PairCounts
    total: int
    samples: list[Pair]
    rows: list[PairRow] = []
    categories: dict[str, int] = {}
    problem: str = ""
    notes: list[str] = []
    head: Head = Head(0, "", "")


class CompareSamples:
    """Runs, sample by sample: which of them answers correctly."""

    about = "Runs sample by sample: both correct, only one, neither"
    parameters = Form(
        Parameter("a", "the id of a run", is_required=True),
        Parameter("b", "the id of another", is_required=True),
        Parameter("more", "the ids of up to four more runs", is_list=True),
        Parameter("show", "only samples with this outcome", "choice", choices=_SHOWN),
        Parameter("category", "only samples of this category", is_list=True),
        Parameter("q", "only samples whose id contains this text"),
        Parameter("sort", "the order of the samples", "choice", "file", choices=_SORTS),
        Parameter("brief", "1: a row with the beginning of each text, 0: whole samples", "number", 0, maximum=1),
        OFFSET,
        limit(100, MAX_SAMPLES),
        AS_OF,
    )
    answer = PairList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The samples that several have, in the order of the first run."""
        asked = self.parameters.read(req)
        head = self._site.archive.peek(asked["as_of"]).head
        tables = []
        notes = []
        for run in _runs(self._site, [asked["a"], asked["b"], *asked["more"]], asked["as_of"]):
            try:
                table = table_of(self._site, run)
            except SamplesUnusable as problem:
                answer(req, resp, PairList(PairCounts(), 0, [], problem=f"{run.run_id}: {problem}", head=head))
                return
            tables.append(table)
            if table.unreadable:
                notes.append(f"{run.run_id}: {table.unreadable} lines of samples.jsonl are not JSON objects")
        try:
            answer(req, resp, _pairs(tables, asked, notes, head))
        except SamplesUnusable as problem:
            answer(req, resp, PairList(PairCounts(), 0, [], problem=str(problem), head=head))

    on_head = on_get


def _runs(site: Site, names: Sequence[str], as_of: str | None) -> list[Run]:
    if len(names) > MAX_RUNS:
        raise BadParameter("more", f"at most {MAX_RUNS - 2} more runs")
    return [find_run(site, name, as_of) for name in names]


class _Row(msgspec.Struct, frozen=True):
    """A sample: its place in each table, whether it is in several, and what the first two make of it."""

    id: str
    places: list[int | None]
    is_shared: bool
    is_different: bool
    outcome: Outcome | None

    def is_a(self, shown: str | None) -> bool:
        if shown is None:
            return True
        if shown in ("different", "same"):
            return self.is_shared and self.is_different == (shown == "different")
        if shown == "missing":
            return None in self.places
        return self.outcome is None if shown == "unpaired" else self.outcome == shown


def _rows(tables: Sequence[SampleTable]) -> Iterator[_Row]:
    firsts = [_first_places(table) for table in tables]
    for name in dict.fromkeys(name for table in tables for name in table.ids):
        places = [first.get(name) for first in firsts]
        found = [
            (table.outcomes[at], None if math.isnan(table.scores[at]) else table.scores[at])
            for table, at in zip(tables, places, strict=True)
            if at is not None
        ]
        yield _Row(name, places, len(found) > 1, len(set(found)) > 1, _outcome(tables, places))


def _first_places(table: SampleTable) -> dict[str, int]:
    return {name: at for at, name in reversed([*enumerate(table.ids)])}


def _outcome(tables: Sequence[SampleTable], places: Sequence[int | None]) -> Outcome | None:
    """What the first two runs make of a sample; None if one of them says nothing about it."""
    correct = []
    for table, at in zip(tables[:2], places[:2], strict=True):
        outcome = "" if at is None else OUTCOMES[table.outcomes[at]]
        if outcome not in ("correct", "incorrect"):
            return None
        correct.append(outcome == "correct")
    return _PAIRED[0 if all(correct) else 1 if correct[0] else 2 if correct[1] else 3]  # type: ignore[return-value]


def _pairs(tables: Sequence[SampleTable], asked: dict[str, Any], notes: list[str], head: Head) -> PairList:
    every = list(_rows(tables))
    counts = PairCounts(**{name: sum(row.is_a(name) for row in every) for name in PairCounts.__struct_fields__})
    wanted, categories = (asked["q"] or "").lower(), frozenset(asked["category"])
    near = [row for row in every if row.is_a(asked["show"]) and wanted in row.id.lower()]
    named = Counter(name for row in near if (name := _category(tables, row)))
    shown = [row for row in near if not categories or _category(tables, row) in categories]
    if not asked["brief"]:
        shown = [row for row in shown if row.outcome is not None]
    _sort(shown, asked["sort"], tables)
    page = shown[asked["offset"] : asked["offset"] + asked["limit"]]
    read = [_read(table, [row.places[side] for row in page]) for side, table in enumerate(tables)]
    return PairList(
        counts,
        len(shown),
        [] if asked["brief"] else list(_whole(page, read)),
        list(_brief(page, read, tables)) if asked["brief"] else [],
        dict(named),
        notes=notes,
        head=head,
    )


def _whole(page: Sequence[_Row], read: Sequence[Sequence[Json | None]]) -> Iterator[Pair]:
    """The samples of a page as the first two runs answered them."""
    for row, a, b in zip(page, read[0], read[1], strict=True):
        if row.outcome is not None and a is not None and b is not None:
            yield Pair(row.id, row.outcome, a, b)


def _brief(
    page: Sequence[_Row], read: Sequence[Sequence[Json | None]], tables: Sequence[SampleTable]
) -> Iterator[PairRow]:
    """The samples of a page in a list; each is asked as in the first run that says it."""
    for row, samples in zip(page, zip(*read, strict=True), strict=True):
        sides = [
            None if place is None or sample is None else row_of(table, place, sample)
            for table, place, sample in zip(tables, row.places, samples, strict=True)
        ]
        text = next((side.input for side in sides if side is not None and side.input), "")
        yield PairRow(row.id, _category(tables, row), text, row.is_shared and row.is_different, sides)


def _read(table: SampleTable, places: Sequence[int | None]) -> list[Json | None]:
    found = iter(table.read([at for at in places if at is not None]))
    return [None if at is None else next(found) for at in places]


def _category(tables: Sequence[SampleTable], row: _Row) -> str:
    for table, at in zip(tables, row.places, strict=True):
        if at is not None and (name := table.categories.names[table.categories.numbers[at]]):
            return name
    return ""


def _sort(rows: list[_Row], sort: str, tables: Sequence[SampleTable]) -> None:
    if sort == "different":
        rows.sort(key=lambda row: (not (row.is_shared and row.is_different), not row.is_shared))
    elif sort == "id":
        rows.sort(key=lambda row: row.id)
    elif sort == "category":
        rows.sort(key=lambda row: _category(tables, row))
    elif sort in ("a", "b"):
        side = "ab".index(sort)

        def key(row: _Row) -> float:
            at = row.places[side]
            return math.inf if at is None or math.isnan(score := tables[side].scores[at]) else score

        rows.sort(key=key)


class SideBySideSample(msgspec.Struct, frozen=True):
    """A sample of two runs, or a trajectory with one name: both, and their transcripts step by step.

    `a` or `b` is None if the run has neither; `missing` says so. `first_divergence` is the index of the first step that
    is not the same; None if all are.
    """

    id: str
    a: OneSampleAnswer | None
    b: OneSampleAnswer | None
    steps: list[Step]
    first_divergence: int | None
    missing: list[str]
    head: Head


class CompareTranscripts:
    """A sample as two runs answered it, with both transcripts step by step."""

    about = "A sample of two runs: both transcripts step by step, and where they part"
    parameters = Form(
        Parameter("a", "the id of a run", is_required=True),
        Parameter("b", "the id of another", is_required=True),
        Parameter("id", "the id of a sample, or the name of a trajectory", default=""),
        Parameter("id_b", "its name in the second run, if it is another one"),
        AS_OF,
    )
    answer = SideBySideSample

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Steps are the same if the same was said, with the same calls."""
        asked = self.parameters.read(req)
        head = self._site.archive.peek(asked["as_of"]).head
        found: list[OneSampleAnswer | None] = []
        missing = []
        names = (asked["id"], asked["id_b"] or asked["id"])
        for run, name in zip(_runs(self._site, [asked["a"], asked["b"]], asked["as_of"]), names, strict=True):
            try:
                found.append(find_sample(self._site, run, name, None, head))
            except falcon.HTTPNotFound as problem:
                found.append(None)
                missing.append(f"{run.run_id}: {problem.description}")
        a, b = found
        steps = []
        if a is not None and b is not None and a.transcript is not None and b.transcript is not None:
            steps = align(a.transcript.turns, b.transcript.turns)
        answer(req, resp, SideBySideSample(asked["id"], a, b, steps, first_divergence(steps), missing, head))

    on_head = on_get


class Setting(msgspec.Struct, frozen=True):
    """Something that was set for a run, with its value in each of the runs; None if it has none there."""

    name: str
    values: list[str | None]
    differs: bool


class SettingList(msgspec.Struct, frozen=True):
    """What was set for some runs: those that differ first."""

    run_ids: list[str]
    settings: list[Setting]
    head: Head


class CompareSettings:
    """The configurations of runs side by side."""

    about = "The configurations of two to six runs side by side"
    parameters = Form(Parameter("run", "the id of a run; two to six times", is_list=True), AS_OF)
    answer = SettingList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Options, versions, commits, the command and the environment."""
        asked = self.parameters.read(req)
        if not 2 <= len(asked["run"]) <= MAX_RUNS:
            raise BadParameter("run", f"give it two to {MAX_RUNS} times, not {len(asked['run'])}")
        head = self._site.archive.peek(asked["as_of"]).head
        runs = _runs(self._site, asked["run"], asked["as_of"])
        tables = [dict(_settings(run_row(run))) for run in runs]
        names = dict.fromkeys(name for table in tables for name in table)
        settings = []
        for name in list(names)[:_MAX_SETTINGS]:
            values = [table.get(name) for table in tables]
            settings.append(Setting(name, values, any(one != other for one, other in pairwise(values))))
        settings.sort(key=lambda one: not one.differs)
        answer(req, resp, SettingList([run.run_id for run in runs], settings, head))

    on_head = on_get


_MAX_SETTINGS = 1_000
_MAX_VALUE = 2_000
_SETTINGS = (
    "agent",
    "provider",
    "model",
    "served_model",
    "extra_config",
    "benchmark_id",
    "benchmark_version",
    "task_revision",
    "benchmarks_commit",
    "eliza_version",
    "eliza_commit",
    "command",
    "provenance",
)


def _settings(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _SETTINGS:
        yield from _flat("option" if name == "extra_config" else name, row.get(name))


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None or value in ({}, []):
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif name.endswith("packages") and isinstance(value, list) and all(isinstance(one, str) for one in value):
        for one in value:
            package, _, version = one.partition("==")
            yield f"{name}.{package}", version or "installed"
    elif name == "command" and isinstance(value, list):
        yield name, " ".join(map(str, value))[:_MAX_VALUE]
    else:
        yield name, (value if isinstance(value, str) else msgspec.json.encode(value).decode())[:_MAX_VALUE]
