"""`/api/high-scores`: the published scores, those that hold and those that held before."""

from __future__ import annotations

import falcon
import msgspec

from ...projections.scores.high_scores import HighScore, holding, read_history
from ..api.parameters import AS_OF, Form, Parameter
from ..api.site import Site
from ..index.archive import Archive, Head, View


class Reference(HighScore, frozen=True, kw_only=True):
    """A published score; `holds`: runs are measured against this one."""

    holds: bool = False


class ReferenceList(msgspec.Struct, frozen=True):
    """Published scores in the order of their publication."""

    high_scores: list[Reference]
    head: Head


class HighScores:
    """The published scores of all benchmarks, or of some."""

    about = "Published reference scores"
    parameters = Form(Parameter("benchmark", "only of these", is_list=True), AS_OF)
    answer = ReferenceList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """All of them; those that hold are marked."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], lambda view: self._list(asked["benchmark"], view))

    on_head = on_get

    def _list(self, benchmarks: list[str], view: View) -> ReferenceList:
        published = references(self._site.archive, view.head)
        return ReferenceList([r for r in published if not benchmarks or r.benchmark_id in benchmarks], view.head)


def references(archive: Archive, head: Head) -> list[Reference]:
    """The scores that had been published at that moment, in that order."""
    with archive.database() as connection:
        query = "SELECT count(*) FROM high_scores WHERE seq <= ?"
        (number,) = connection.execute(query, (head.position,)).fetchone()
        published = read_history(connection)[:number]
    held = {id(score) for score in holding(published).values()}
    return [Reference(**msgspec.structs.asdict(score), holds=id(score) in held) for score in published]


def references_that_hold(archive: Archive, head: Head) -> dict[str, HighScore]:
    """The published score that holds for each benchmark."""
    return {reference.benchmark_id: reference for reference in references(archive, head) if reference.holds}
