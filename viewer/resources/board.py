"""`/api/board`: the leaderboard by contender: a row for each agent with a model, a column for each task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import falcon
import msgspec

from ...projections.scores.high_scores import HighScore
from ..api.parameters import AS_OF, Form, Parameter
from ..api.site import Site
from ..index.archive import Archive, Head, View
from ..index.board import Board, TaskChoice, build, choose
from .high_scores import references_that_hold
from .leaderboard import INCLUDE, WHICH

Gathered = tuple[list[TaskChoice], dict[str, HighScore]]


class BoardAnswer(Board, frozen=True, kw_only=True):
    """The leaderboard by contender, and the state of the history."""

    head: Head


class ByContender:
    """The leaderboard by contender."""

    about = "The leaderboard by contender: scores, ties with the best, ranks, cost and time"
    parameters = Form(WHICH, Parameter("benchmark", "only of these: benchmark", is_list=True), INCLUDE, AS_OF)
    answer = BoardAnswer

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Every task and contender; scores are tested against the best of their task."""
        asked = self.parameters.read(req)
        self._site.answer_in_two(req, resp, asked["as_of"], lambda view: self._gather(asked, view), self._build)

    on_head = on_get

    def _gather(self, asked: dict[str, Any], view: View) -> Gathered:
        choices = choose(view.table, asked["runs"], include=asked["include"])
        wanted = frozenset(asked["benchmark"])
        shown = [one for one in choices if not wanted or one.task.benchmark_id in wanted]
        return shown, references_that_hold(self._site.archive, view.head)

    def _build(self, gathered: Gathered, head: Head) -> BoardAnswer:
        choices, references = gathered
        board = build(choices, self._site.pairs, references, names_of(self._site.archive, choices))
        return BoardAnswer(**msgspec.structs.asdict(board), head=head)


def names_of(archive: Archive, choices: Iterable[TaskChoice]) -> dict[str, tuple[str, str]]:
    """The name and the description of each benchmark, as the manifest of its newest run has them."""
    newest = {}
    for one in choices:
        rows = [chosen.rows[-1] for chosen in one.chosen]
        newest[one.task.benchmark_id] = max(rows, key=lambda row: row.moment).run_id
    query = (
        "SELECT provenance_json ->> '$.manifest.name', provenance_json ->> '$.manifest.description' "
        "FROM benchmark_runs WHERE run_id = ?"
    )
    found = {}
    with archive.database() as connection:
        for benchmark, run_id in newest.items():
            name, about = connection.execute(query, (run_id,)).fetchone() or (None, None)
            found[benchmark] = _text(name), _text(about)
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
