"""`/api/ledger`: the first and the last event of the history, and marks between them for the slider."""

from __future__ import annotations

import falcon
import msgspec

from ..api.parameters import Form
from ..api.site import Site
from ..index.archive import Head, View

_MARKS = 200


class Mark(msgspec.Struct, frozen=True):
    """A moment: a position of the ledger, and when its event was written."""

    position: int
    at: str


class AboutLedger(msgspec.Struct, frozen=True):
    """The ledger's size, and marks over its whole length.

    `unreadable` counts events that made no sense at their position. `proven` is the last event whose chain was proven
    in the background; `damage` names the first fault, or is empty.
    """

    head: Head
    first_at: str | None
    events: int
    bytes: int
    runs: int
    unreadable: int
    proven: int
    damage: str
    marks: list[Mark]


class LedgerExtent:
    """The extent of the ledger."""

    about = "The ledger's head, size and range of times"
    parameters = Form()
    answer = AboutLedger

    def __init__(self, site: Site) -> None:
        self._site = site
        self._marks: dict[int, str] = {}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The extent now."""
        self.parameters.read(req)
        proof = self._site.proof
        self._site.answer(req, resp, None, self._measure, lambda _: [str(proof.position), proof.damage])

    on_head = on_get

    def _measure(self, view: View) -> AboutLedger:
        archive, head = self._site.archive, view.head
        with archive.database() as connection:
            (unreadable,) = connection.execute("SELECT count(*) FROM ledger_problems").fetchone()
        marks = self._look_up(head)
        return AboutLedger(
            head=head,
            first_at=marks[0].at if marks else None,
            events=head.position,
            bytes=archive.store.size(),
            runs=len(view.table.rows),
            unreadable=unreadable,
            proven=self._site.proof.position,
            damage=self._site.proof.damage,
            marks=marks,
        )

    def _look_up(self, head: Head) -> list[Mark]:
        """The marks. They are at round positions, so while the ledger grows only new ones are looked up."""
        if head.position == 0:
            return []
        step = 1
        while head.position > step * (_MARKS - 2):
            step *= 2
        positions = [1, *range(step, head.position, step)] if step > 1 else list(range(1, head.position))
        kept = self._marks
        self._marks = {position: kept.get(position) or self._time_of(position) for position in positions}
        times = [Mark(position, at) for position, at in self._marks.items()]
        return [*times, Mark(head.position, head.at)]

    def _time_of(self, position: int) -> str:
        return next(self._site.archive.store.read(after=position - 1, details=False)).at
