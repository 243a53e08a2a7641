"""`/api/leaderboard`: what each agent with each model scored on each task, and who is ahead."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import falcon
import msgspec

from ...projections.scores.leaderboard import DOUBTFUL, Standing, leaderboard
from ..api.parameters import AS_OF, Form, Parameter
from ..api.site import Site
from ..index.archive import Head
from ..index.row import RunRow, as_run
from .high_scores import references_that_hold

INCLUDE = Parameter("include", "count these kinds of runs too", "choice", choices=DOUBTFUL, is_list=True)
_FILTERS = ("benchmark", "agent", "provider", "model")


class Leaderboard(msgspec.Struct, frozen=True):
    """The standings by benchmark, newest task and rank; a rank is among all of its task, whatever is filtered."""

    standings: list[Standing]
    head: Head


class Standings:
    """The leaderboard, or the part of it that is asked for."""

    about = "What each agent with each model scored on each task, and who is ahead"
    parameters = Form(*(Parameter(name, f"only of these: {name}", is_list=True) for name in _FILTERS), INCLUDE, AS_OF)
    answer = Leaderboard

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The standings, with the references that held."""
        asked = self.parameters.read(req)
        self._site.answer_slowly(req, resp, asked["as_of"], lambda rows, head: self._stand(asked, rows, head))

    on_head = on_get

    def _stand(self, asked: dict[str, Any], rows: Sequence[RunRow], head: Head) -> Leaderboard:
        held = references_that_hold(self._site.archive, head)
        standings = leaderboard(map(as_run, rows), held, include=asked["include"])
        wanted = {name: frozenset(asked[name]) for name in _FILTERS if asked[name]}
        return Leaderboard([some for some in standings if _is_of(some, wanted)], head)


def _is_of(standing: Standing, wanted: Mapping[str, Collection[str]]) -> bool:
    has = {
        "benchmark": standing.task.benchmark_id,
        "agent": standing.agent,
        "provider": standing.provider,
        "model": standing.model,
    }
    return all(has[name] in values for name, values in wanted.items())
