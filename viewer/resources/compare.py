"""`/api/compare`: runs, groups, models, agents or moments side by side; and two runs sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import falcon
import msgspec

from ...ledger.fold import Run
from ...projections.scores.comparison import Comparison, compare
from ...projections.scores.leaderboard import Score
from ...projections.scores.means import mean
from ...projections.scores.samples import SampleScores, SamplesUnusable, read_rows, read_samples
from ...projections.scores.selection import ListedCatalogue, Selection, SelectionError, select
from ...projections.sqlite.database import read_groups
from ..api.answers import answer
from ..api.parameters import AS_OF, OFFSET, BadParameter, Form, Parameter, limit
from ..api.site import Site
from ..index.archive import Head, NoSuchMoment
from ..index.row import RunRow, as_run
from .leaderboard import INCLUDE
from .run import find_run
from .samples import MAX_SAMPLES, outcome_of

_MAX_SIDES = 6
_SHOWN = ("both", "only_a", "only_b", "neither")


class Spent(msgspec.Struct, frozen=True):
    """What a side used for a row: means over the `runs` that its score counts. None if no run reports it."""

    runs: int
    cost_usd: float | None
    seconds: float | None
    input_tokens: float | None
    output_tokens: float | None


class SideBySide(Comparison, frozen=True, kw_only=True):
    """A comparison, what each side `spent` for each row (None: it has no score there), and the state of the history."""

    spent: list[list[Spent | None]]
    head: Head


class Compare:
    """Two to six sides, each against the first."""

    about = "Runs, groups, models, agents or moments side by side"
    parameters = Form(
        Parameter("of", "a side of the comparison; two to six times", is_list=True),
        Parameter("benchmark", "only of these benchmarks", is_list=True),
        INCLUDE,
        AS_OF,
    )
    answer = SideBySide

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Task by task, with the differences that are more than noise."""
        asked = self.parameters.read(req)
        if not 2 <= len(asked["of"]) <= _MAX_SIDES:
            raise BadParameter("of", f"give it two to {_MAX_SIDES} times, not {len(asked['of'])}")
        self._site.answer_slowly(req, resp, asked["as_of"], lambda rows, head: self._compare(asked, rows, head))

    on_head = on_get

    def _compare(self, asked: dict[str, Any], rows: Sequence[RunRow], head: Head) -> SideBySide:
        archive = self._site.archive

        def past(when: str) -> list[Run]:
            try:
                with archive.look(when) as then:
                    return list(map(as_run, then.table.rows))
            except NoSuchMoment as problem:
                raise SelectionError(str(problem)) from problem

        def read(run: Run) -> SampleScores:
            whole = archive.find_run(run.run_id)
            return read_samples(whole or run, archive.workspace)

        with archive.database() as connection:
            groups = {group.run_group_id: group for group in read_groups(connection) if group.created_at <= head.at}
        catalogue = ListedCatalogue(runs=list(map(as_run, rows)), groups=groups, past=past, include=asked["include"])
        try:
            selections = [_only(select(spec, catalogue), asked["benchmark"]) for spec in asked["of"]]
        except SelectionError as problem:
            raise BadParameter("of", str(problem)) from problem
        comparison = compare(selections, read)
        known = {row.run_id: row for row in rows}
        spent = [[_spent(score, known) for score in row.scores] for row in comparison.rows]
        return SideBySide(**msgspec.structs.asdict(comparison), spent=spent, head=head)


def _only(selection: Selection, benchmarks: Sequence[str]) -> Selection:
    """The part of a selection that is about some benchmarks; all of it if none is named."""
    if not benchmarks:
        return selection
    runs = [run for run in selection.runs if run.benchmark_id in benchmarks]
    return msgspec.structs.replace(selection, runs=runs, count=len(runs))


def _spent(score: Score | None, known: Mapping[str, RunRow]) -> Spent | None:
    if score is None:
        return None
    runs = [known[run_id] for run_id in score.run_ids if run_id in known]

    def middle(name: str) -> float | None:
        values = [float(value) for run in runs if (value := getattr(run, name)) is not None]
        return mean(values) if values else None

    return Spent(
        len(runs),
        middle("cost_usd"),
        middle("duration_seconds"),
        middle("input_tokens"),
        middle("output_tokens"),
    )


class PairCounts(msgspec.Struct, frozen=True):
    """The number of samples that both runs answer correctly, only one of them, or neither.

    `unpaired` samples are in one run only, or nothing says whether both answers are correct.
    """

    both: int = 0
    only_a: int = 0
    only_b: int = 0
    neither: int = 0
    unpaired: int = 0


class Pair(msgspec.Struct, frozen=True):
    """A sample as both runs answered it."""

    id: str
    outcome: Literal["both", "only_a", "only_b", "neither"]
    a: dict[str, Any]
    b: dict[str, Any]


class PairList(msgspec.Struct, frozen=True):
    """A page of pairs; `total` counts what is shown, `counts` all.

    If the samples of a run cannot be used, the list is empty, and `problem` names the run and the reason. `notes` name
    lines that were left out.
    """

    counts: PairCounts
    total: int
    samples: list[Pair]
    problem: str = ""
    notes: list[str] = []


class CompareSamples:
    """Two runs, sample by sample: which of them answers correctly."""

    about = "Two runs sample by sample: both correct, only one, neither"
    parameters = Form(
        Parameter("a", "the id of a run", is_required=True),
        Parameter("b", "the id of another", is_required=True),
        Parameter("show", "only samples with this outcome", "choice", choices=_SHOWN),
        OFFSET,
        limit(100, MAX_SAMPLES),
    )
    answer = PairList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The samples that both have, in the order of the first."""
        asked = self.parameters.read(req)
        runs = [find_run(self._site, asked[name]) for name in ("a", "b")]
        read = []
        notes = []
        for run in runs:
            try:
                recorded = read_rows(run, self._site.archive.workspace)
            except SamplesUnusable as problem:
                answer(req, resp, PairList(PairCounts(), 0, [], problem=f"{run.run_id}: {problem}"))
                return
            read.append({str(sample["id"]): sample for sample in recorded.rows})
            if recorded.note:
                notes.append(f"{run.run_id}: {recorded.note}")
        answer(req, resp, _pairs(read[0], read[1], asked, notes))

    on_head = on_get


_Samples = dict[str, dict[str, Any]]


def _pairs(a: _Samples, b: _Samples, asked: dict[str, Any], notes: list[str]) -> PairList:
    judged_a, judged_b = ({id: sample for id, sample in some.items() if _is_judged(sample)} for some in (a, b))
    pairs = [
        Pair(id, _outcome(sample, judged_b[id]), sample, judged_b[id])
        for id, sample in judged_a.items()
        if id in judged_b
    ]
    shown = [pair for pair in pairs if asked["show"] in (None, pair.outcome)]
    counts = {name: sum(pair.outcome == name for pair in pairs) for name in _SHOWN}
    page = shown[asked["offset"] : asked["offset"] + asked["limit"]]
    unpaired = len(a.keys() | b.keys()) - len(pairs)
    return PairList(PairCounts(**counts, unpaired=unpaired), len(shown), page, notes=notes)


def _is_judged(sample: dict[str, Any]) -> bool:
    return outcome_of(sample) in ("correct", "incorrect")


def _outcome(a: dict[str, Any], b: dict[str, Any]) -> Literal["both", "only_a", "only_b", "neither"]:
    name = _SHOWN[0 if a["correct"] and b["correct"] else 1 if a["correct"] else 2 if b["correct"] else 3]
    return cast('Literal["both", "only_a", "only_b", "neither"]', name)
