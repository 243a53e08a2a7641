"""`/api/query`: SQL over the analytics views, in a sandbox; and the list of these views."""

from __future__ import annotations

import threading
from typing import Any

import falcon
import msgspec

from ...ledger.past import Past
from ..api.answers import answer
from ..api.parameters import Form
from ..api.site import Site
from ..index.archive import Head
from .examples import EXAMPLES, Example, saved_queries

_AT_ONCE = 2
_SECONDS = 20.0
_MAX_ROWS = 10_000
_MAX_SQL = 100_000


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SELECT over the views; at most `limit` rows of its answer; `as_of` as in other requests."""

    sql: str
    limit: int = 1000
    as_of: str | None = None


class AnswerColumn(msgspec.Struct, frozen=True):
    """A column of an answer, with its DuckDB type."""

    name: str
    type: str


class QueryAnswer(msgspec.Struct, frozen=True):
    """The rows, as plain JSON; `truncated`: there are more; `seconds` are those of the query."""

    columns: list[AnswerColumn]
    rows: list[list[Any]]
    truncated: bool
    seconds: float
    head: Head


class AskQuery:
    """Answers SQL."""

    about = "One SELECT over the analytics views, in a sandbox"
    parameters = Form()
    question = Query
    answer = QueryAnswer

    def __init__(self, site: Site) -> None:
        self._site = site
        self._running = threading.BoundedSemaphore(_AT_ONCE)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The rows. Raises HTTPBadRequest with DuckDB's message; HTTPTooManyRequests."""
        self.parameters.read(req)
        asked = _read(req)
        if not self._running.acquire(blocking=False):
            raise falcon.HTTPTooManyRequests(
                title="too many queries",
                description=f"{_AT_ONCE} queries are running; try again",
                retry_after=2,
            )
        try:
            answer(req, resp, self._ask(asked))
        finally:
            self._running.release()

    def _ask(self, asked: Query) -> QueryAnswer:
        from ...projections.analytics.query import run_query
        from ...projections.analytics.sandbox import Limits, QueryError

        archive = self._site.archive
        head = archive.peek(asked.as_of).head
        reader = Past(archive.store, head.position) if head.past else archive.store
        limits = Limits(seconds=_SECONDS, rows=asked.limit)
        try:
            result = run_query(archive.workspace, reader, asked.sql, limits, notice=archive.notice)
        except QueryError as problem:
            raise falcon.HTTPBadRequest(title="the query failed", description=str(problem)) from problem
        columns = [AnswerColumn(name, kind) for name, kind in result.columns]
        return QueryAnswer(columns, result.rows, result.truncated, result.seconds, head)


def _read(req: falcon.Request) -> Query:
    """The query. Raises HTTPBadRequest, and HTTPUnsupportedMediaType: a form of another site cannot send JSON."""
    if (req.content_type or "").partition(";")[0].strip() != falcon.MEDIA_JSON:
        raise falcon.HTTPUnsupportedMediaType(title="not JSON", description='send {"sql": "SELECT …"} as JSON')
    if req.get_header("Content-Encoding"):
        raise falcon.HTTPUnsupportedMediaType(title="compressed body", description="send the query without compression")
    try:
        asked = msgspec.json.decode(req.bounded_stream.read(), type=Query)
    except msgspec.DecodeError as problem:
        raise falcon.HTTPBadRequest(title="bad query", description=str(problem)) from problem
    if not 1 <= asked.limit <= _MAX_ROWS:
        raise falcon.HTTPBadRequest(
            title="bad limit", description=f"limit: must be from 1 to {_MAX_ROWS}, got {asked.limit}"
        )
    if len(asked.sql) > _MAX_SQL:
        raise falcon.HTTPBadRequest(title="bad sql", description=f"sql: longer than {_MAX_SQL} characters")
    return asked


class QueryColumn(msgspec.Struct, frozen=True):
    """A column of a view, and its meaning."""

    name: str
    type: str
    about: str


class QueryView(msgspec.Struct, frozen=True):
    """A view, with its columns."""

    name: str
    about: str
    columns: list[QueryColumn]


class ViewList(msgspec.Struct, frozen=True):
    """The views, and examples; the saved queries of the workspace come first."""

    views: list[QueryView]
    examples: list[Example]


class QueryViews:
    """The views, their columns, and some examples."""

    about = "The views with their columns, and examples"
    parameters = Form()
    answer = ViewList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The list."""
        from ...projections.analytics.views import describe

        self.parameters.read(req)
        views = [
            QueryView(view.name, view.about, [QueryColumn(c.name, c.type, c.about) for c in view.columns])
            for view in describe()
        ]
        answer(req, resp, ViewList(views, saved_queries(self._site.archive.workspace.root) + EXAMPLES))

    on_head = on_get
