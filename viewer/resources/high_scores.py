"""`/api/high-scores`: the published references, those that hold and those that held before."""

from __future__ import annotations

from collections.abc import Iterable

import falcon
import msgspec

from ...projections.viewer_data import read_high_scores
from ..index.archive import Archive, Head, View
from ..index.row import Task
from ..parameters import AS_OF, Form, Parameter
from .site import Site


class Reference(msgspec.Struct, frozen=True):
    """A published score, in the unit of its benchmark; `holds`: it is the one that runs are measured against."""

    benchmark_id: str
    label: str
    value: float
    unit: str | None
    higher_is_better: bool
    source: str
    date: str | None
    published_at: str
    holds: bool = False

    def measures(self, task: Task) -> bool:
        """Whether scores of a task can be measured against it: one without a unit is taken for one in theirs."""
        return self.unit in (None, task[2] or None) and self.higher_is_better == task[3]


class ReferenceList(msgspec.Struct, frozen=True):
    """References in the order of their publication."""

    high_scores: list[Reference]
    head: Head


class HighScores:
    """The references of all benchmarks, or of some."""

    about = "Published reference scores"
    parameters = Form(Parameter("benchmark", "only of these", is_list=True), AS_OF)
    answer = ReferenceList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Those that hold say so."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], lambda view: self._list(asked["benchmark"], view))

    on_head = on_get

    def _list(self, benchmarks: list[str], view: View) -> ReferenceList:
        published = references(self._site.archive, view)
        return ReferenceList([r for r in published if not benchmarks or r.benchmark_id in benchmarks], view.head)


def references(archive: Archive, view: View) -> list[Reference]:
    """What had been published at the time of the view, in that order."""
    with archive.database() as connection:
        rows = read_high_scores(connection, view.head.position)
    held = {row["benchmark_id"]: number for number, row in enumerate(rows)}
    return [Reference(**row, holds=held[row["benchmark_id"]] == number) for number, row in enumerate(rows)]


def holding(published: Iterable[Reference]) -> dict[str, Reference]:
    """The reference that holds for each benchmark."""
    return {reference.benchmark_id: reference for reference in published if reference.holds}
