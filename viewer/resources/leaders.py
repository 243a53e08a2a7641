"""`/api/leaders`: who leads each task, who is tied with the leader, and who led before."""

from __future__ import annotations

from typing import Any

import falcon
import msgspec

from ..api.parameters import AS_OF, Form
from ..api.site import Site
from ..index.archive import Head, View
from ..index.board import BoardTask, Cell, TaskChoice, build, choose, untested_cells
from .attention import DAYS, since_of
from .board import Gathered, names_of
from .high_scores import references_that_hold


class Leader(msgspec.Struct, frozen=True):
    """A contender with its score on a task."""

    agent: str
    provider: str
    model: str
    cell: Cell


class Leading(msgspec.Struct, frozen=True):
    """The leader of a task. `tied` are the contenders tied with it; `contenders` counts all.

    `before` is who led some days ago, None if the task had no score then; `moved`: it was another.
    """

    task: BoardTask
    leader: Leader
    tied: list[Leader]
    before: Leader | None
    moved: bool


class LeadersAnswer(msgspec.Struct, frozen=True):
    """The leader of each task, by benchmark and options; `since` is the time of the leaders before."""

    leaders: list[Leading]
    since: str
    head: Head


class Leaders:
    """Who leads each task."""

    about = "The leader of each task, the contenders that are tied with it, and who led some days before"
    parameters = Form(DAYS, AS_OF)
    answer = LeadersAnswer

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """By the newest run of each contender."""
        asked = self.parameters.read(req)
        self._site.answer_in_two(req, resp, asked["as_of"], lambda view: self._gather(asked, view), self._build)

    on_head = on_get

    def _gather(self, asked: dict[str, Any], view: View) -> tuple[Gathered, list[TaskChoice], str]:
        since = since_of(view, asked["days"])
        now = choose(view.table), references_that_hold(self._site.archive, view.head)
        return now, choose(view.table, before=since) if since else [], since

    def _build(self, gathered: tuple[Gathered, list[TaskChoice], str], head: Head) -> LeadersAnswer:
        (choices, references), before, since = gathered
        pairs = self._site.pairs
        board = build(choices, pairs, references, names_of(self._site.archive, choices))
        then = {one.task: _first(one) for one in before if one.chosen}
        found = []
        for place, task in enumerate(board.tasks):
            cells = [
                Leader(one.agent, one.provider, one.model, cell)
                for one in board.contenders
                if (cell := one.cells[place]) is not None
            ]
            cells.sort(key=lambda one: one.cell.rank)
            leader = cells[0]
            earlier = then.get(task.task)
            found.append(
                Leading(
                    task=task,
                    leader=leader,
                    tied=[one for one in cells[1:] if one.cell.is_tied],
                    before=earlier,
                    moved=earlier is not None and _who(earlier) != _who(leader),
                )
            )
        return LeadersAnswer(found, since, head)


def _first(one: TaskChoice) -> Leader:
    """Who led, without tests."""
    cells = zip(one.chosen, untested_cells(one), strict=True)
    return min(
        (Leader(chosen.agent, chosen.provider, chosen.model, cell) for chosen, cell in cells),
        key=lambda some: some.cell.rank,
    )


def _who(leader: Leader) -> tuple[str, str, str]:
    return leader.agent, leader.provider, leader.model
