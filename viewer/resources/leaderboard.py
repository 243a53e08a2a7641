"""`/api/leaderboard`: the score of each agent with each model on each task, and its rank."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import falcon
import msgspec

from ...projections.scores.leaderboard import DOUBTFUL, Standing
from ...projections.scores.revisions import newest_revisions
from ...projections.scores.standing_runs import RUNS
from ..api.parameters import AS_OF, Form, Parameter
from ..api.site import Site
from ..index.archive import Head, View
from .high_scores import references_that_hold

WHICH = Parameter(
    "runs",
    "what a contender's score is made of: the newest run with the repeats of its campaign, or the newest campaign that "
    "has several repeats",
    "choice",
    "newest",
    choices=RUNS,
)
INCLUDE = Parameter("include", "count these kinds of runs too", "choice", choices=DOUBTFUL, is_list=True)
_HAS: dict[str, Callable[[Standing], str]] = {
    "benchmark": lambda standing: standing.task.benchmark_id,
    "agent": lambda standing: standing.agent,
    "provider": lambda standing: standing.provider,
    "model": lambda standing: standing.model,
}
_FILTERS = tuple(_HAS)


class Leaderboard(msgspec.Struct, frozen=True):
    """The standings by benchmark, newest task and rank; a rank is among all of its task, whatever the filters.

    `left_out` are sentences about runs of earlier task revisions, which are not among them.
    """

    standings: list[Standing]
    left_out: list[str]
    head: Head


class Standings:
    """The leaderboard, or a part of it."""

    about = "The score of each agent with each model on each task, and its rank"
    parameters = Form(
        *(Parameter(name, f"only of these: {name}", is_list=True) for name in _FILTERS),
        Parameter(
            "revision",
            "the newest task revision of each benchmark, or all",
            "choice",
            "newest",
            choices=("newest", "all"),
        ),
        WHICH,
        INCLUDE,
        AS_OF,
    )
    answer = Leaderboard

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The standings, with the published scores that held."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], lambda view: self._list(asked, view))

    on_head = on_get

    def _list(self, asked: dict[str, Any], view: View) -> Leaderboard:
        held = references_that_hold(self._site.archive, view.head)
        standings = view.table.scoreboard.standings(held, asked["include"], asked["runs"])
        wanted = {name: frozenset(asked[name]) for name in _FILTERS if asked[name]}
        of_benchmarks = {"benchmark": wanted["benchmark"]} if "benchmark" in wanted else {}
        shown, left_out = _only(standings, of_benchmarks), list[str]()
        if asked["revision"] == "newest":
            shown, left_out = newest_revisions(shown)
        return Leaderboard(_only(shown, wanted), left_out, view.head)


def _only(standings: list[Standing], wanted: Mapping[str, Collection[str]]) -> list[Standing]:
    for name, values in wanted.items():
        has = _HAS[name]
        standings = [some for some in standings if has(some) in values]
    return standings
