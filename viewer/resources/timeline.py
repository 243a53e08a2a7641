"""`/api/timeline`: when the runs of some days began and ended, for lanes over time."""

from __future__ import annotations

from typing import Any

import falcon
import msgspec

from ..api.parameters import AS_OF, Form, limit
from ..api.site import Site
from ..index.archive import Head, View
from .attention import DAYS, since_of

_MAX_BARS = 5000


class Bar(msgspec.Struct, frozen=True):
    """A run over time. `ended_at` is None while it is running."""

    run_id: str
    run_group_id: str
    benchmark_id: str
    agent: str
    provider: str
    model: str
    status: str
    reason: str | None
    started_at: str
    ended_at: str | None


class TimelineAnswer(msgspec.Struct, frozen=True):
    """The newest runs of the time, the newest first; `total` counts all. `since` and `until` are its bounds."""

    bars: list[Bar]
    total: int
    since: str
    until: str
    head: Head


class RunsOverTime:
    """When runs began and ended."""

    about = "When the runs of the last days began and ended, and how"
    parameters = Form(DAYS, limit(1000, _MAX_BARS), AS_OF)
    answer = TimelineAnswer

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Runs that ended in these days, or are running."""
        asked = self.parameters.read(req)
        self._site.answer(req, resp, asked["as_of"], lambda view: _bars(asked, view))

    on_head = on_get


def _bars(asked: dict[str, Any], view: View) -> TimelineAnswer:
    table, since = view.table, since_of(view, asked["days"])
    numbers = table.latest_since(since)
    rows = [table.rows[number] for number in numbers[: asked["limit"]]]
    bars = [Bar(*(getattr(row, name) for name in Bar.__struct_fields__)) for row in rows]
    return TimelineAnswer(bars, len(numbers), since, view.head.at, view.head)
