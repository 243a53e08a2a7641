"""`/api/compare`: runs, groups, models, agents or times side by side; and two runs sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import falcon
import msgspec

from ...ledger.fold import Run
from ...projections.scores.comparison import Comparison, compare
from ...projections.scores.samples import SampleScores, read_samples
from ...projections.scores.selection import Catalogue, SelectionError, select
from ...projections.sqlite.database import read_groups
from ..api.answers import answer
from ..api.parameters import AS_OF, OFFSET, Form, NoQuestion, Parameter, limit
from ..api.site import Site
from ..index.archive import Head, NoSuchMoment
from ..index.row import RunRow, as_run
from . import samples
from .leaderboard import INCLUDE
from .run import find_run

_MOST_SIDES = 6
_SHOWN = ("both", "only_a", "only_b", "neither")


class SideBySide(Comparison, frozen=True, kw_only=True):
    """A comparison, and the state of the history that it is about."""

    head: Head


class Compare:
    """Two to six of them, the others against the first."""

    about = "Runs, groups, models, agents or times side by side"
    parameters = Form(Parameter("of", "what to compare, two to six times", is_list=True), INCLUDE, AS_OF)
    answer = SideBySide

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Task by task, with what is more than noise."""
        asked = self.parameters.read(req)
        if not 2 <= len(asked["of"]) <= _MOST_SIDES:
            raise NoQuestion("of", f"give two to {_MOST_SIDES} of them, not {len(asked['of'])}")
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
        catalogue = Catalogue(runs=list(map(as_run, rows)), groups=groups, past=past, include=asked["include"])
        try:
            comparison = compare([select(spec, catalogue) for spec in asked["of"]], read)
        except SelectionError as problem:
            raise NoQuestion("of", str(problem)) from problem
        return SideBySide(**msgspec.structs.asdict(comparison), head=head)


class PairCounts(msgspec.Struct, frozen=True):
    """How many samples both runs have right, only one of them, or neither; `unpaired` ones can't be told."""

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
    """A page of pairs; `total` counts what is shown, `counts` all."""

    counts: PairCounts
    total: int
    samples: list[Pair]


class CompareSamples:
    """Two runs, sample by sample: which of them has it right."""

    about = "Two runs sample by sample: both right, only one, neither"
    parameters = Form(
        Parameter("a", "the id of a run", is_needed=True),
        Parameter("b", "the id of another", is_needed=True),
        Parameter("show", "only those", "choice", choices=_SHOWN),
        OFFSET,
        limit(100, samples.MOST_SAMPLES),
    )
    answer = PairList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The samples that both have, in the order of the first."""
        asked = self.parameters.read(req)
        a, b = (self._read(asked[name]) for name in ("a", "b"))
        pairs = [Pair(id, _outcome(a[id], b[id]), a[id], b[id]) for id in a if id in b]
        shown = [pair for pair in pairs if asked["show"] in (None, pair.outcome)]
        counts = {name: sum(pair.outcome == name for pair in pairs) for name in _SHOWN}
        page = shown[asked["offset"] : asked["offset"] + asked["limit"]]
        answer(req, resp, PairList(PairCounts(**counts, unpaired=len(a.keys() ^ b.keys())), len(shown), page))

    on_head = on_get

    def _read(self, run_id: str) -> dict[str, dict[str, Any]]:
        """The samples of a run that say whether they are right, by their id."""
        read = samples.read_samples(self._site, find_run(self._site, run_id))
        return {
            str(sample["id"]): sample
            for _, sample in read
            if sample is not None and "id" in sample and isinstance(sample.get("correct"), bool)
        }


def _outcome(a: dict[str, Any], b: dict[str, Any]) -> Literal["both", "only_a", "only_b", "neither"]:
    name = _SHOWN[0 if a["correct"] and b["correct"] else 1 if a["correct"] else 2 if b["correct"] else 3]
    return cast('Literal["both", "only_a", "only_b", "neither"]', name)
