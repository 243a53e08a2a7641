"""`/api/compare`: runs, groups, models, agents or moments side by side; and two runs sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import falcon
import msgspec

from ...ledger.fold import Run
from ...projections.scores.comparison import Comparison, compare
from ...projections.scores.leaderboard import Score
from ...projections.scores.means import mean
from ...projections.scores.samples import SampleScores
from ...projections.scores.selection import ListedCatalogue, Selection, SelectionError, select
from ...projections.sqlite.database import read_groups
from ..api.parameters import AS_OF, BadParameter, Form, Parameter
from ..api.site import Site
from ..index.archive import Head, NoSuchMoment
from ..index.row import RunRow, as_run
from .leaderboard import INCLUDE

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
            pairs = self._site.pairs
            return pairs.samples(pairs.at(run.run_id, run.last_seq) or run)

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
