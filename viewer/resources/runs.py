"""`/api/runs`: the list of runs, filtered, sorted, counted and paged; and all matching runs as a file."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any, get_args

import falcon
import msgspec

from ...ledger.fold import Status
from ..api.download import send_csv, send_json
from ..api.parameters import AS_OF, MAX_NUMBER, BadParameter, Form, Parameter, limit
from ..api.site import Site
from ..index.archive import Head, View
from ..index.orders import COLUMNS, NEWEST, Sort
from ..index.row import ListedRun, RunRow
from ..index.run_table import FILTERS, KINDS, Question

MAX_ROWS = 1000
_CHOICES: dict[str, tuple[str, ...]] = {"status": get_args(Status), "kind": tuple(KINDS)}
_ABOUT = {
    "options": "options as text, such as `context=32000 seed=42`",
    "kind": "what a reader must know about the run",
    "tag": "tags of annotations",
}


class RunList(msgspec.Struct, frozen=True):
    """A page of runs. `total` counts the matching runs, `all` every run, `facets` the values of each column."""

    runs: list[ListedRun]
    total: int
    all: int
    next: str | None
    facets: dict[str, dict[str, int]]
    facets_left_out: dict[str, int]
    head: Head


class Runs:
    """The runs, the newest first by default."""

    about = "The list of runs: filtered, sorted, paged, with facets"
    parameters = Form(
        *(
            Parameter(
                name,
                f"only runs with one of these: {_ABOUT.get(name) or COLUMNS[name]}",
                "choice" if name in _CHOICES else "text",
                choices=_CHOICES.get(name, ()),
                is_list=True,
            )
            for name in FILTERS
        ),
        Parameter("since", "started at this time or later", "moment"),
        Parameter("until", "started before this time", "moment"),
        Parameter("q", "words; each must be part of a name of the run or of its error"),
        Parameter("sort", "columns, the most important first, - for descending"),
        Parameter("desc", "1 reverses the direction of all columns", "choice", choices=("0", "1")),
        limit(100, MAX_ROWS),
        Parameter("offset", "the number of runs to skip", "number"),
        Parameter("cursor", "`next` of the previous page"),
        Parameter("facets", "0 leaves them out", "choice", "1", choices=("0", "1")),
        Parameter("format", "all matching runs as a file", "choice", choices=("csv", "json")),
        AS_OF,
    )
    answer = RunList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """A page, or a file."""
        asked = self.parameters.read(req)
        question = _question(asked)
        cursor = _cursor(asked, question.sort)
        if asked["format"]:
            with self._site.archive.look(asked["as_of"]) as view:
                rows = view.listed(view.table.page(view.table.matching(question), question.sort))
            (send_csv if asked["format"] == "csv" else send_json)(resp, rows)
        else:
            self._site.answer(req, resp, asked["as_of"], lambda view: self._page(asked, question, cursor, view))

    on_head = on_get

    def _page(self, asked: dict[str, Any], question: Question, cursor: _Cursor | None, view: View) -> RunList:
        table = view.table
        found = table.matching(question)
        first, most = asked["offset"] or 0, asked["limit"]
        if cursor is None:
            rows = table.page(found, question.sort, first=first, most=most + 1)
        else:
            try:
                rows = table.page_after(found, question.sort, cursor.stand(), cursor.number, most + 1)
            except TypeError:
                raise BadParameter("cursor", "not a value of this list") from None
        more = len(rows) > most
        rows = rows[:most]
        last = _Cursor.of(question.sort, rows[-1], table.numbers[rows[-1].run_id]) if more else None
        facets = table.facets(question) if asked["facets"] == "1" else None
        return RunList(
            runs=view.listed(rows),
            total=table.count(found),
            all=len(table.rows),
            next=last.text() if last else None,
            facets=facets.counts if facets else {},
            facets_left_out=facets.left_out if facets else {},
            head=view.head,
        )


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The end of a page: the order, the values of its last row in the columns of that order, and its number."""

    sort: Sort
    values: list[str | float | bool | None]
    number: int

    @staticmethod
    def of(sort: Sort, row: RunRow, number: int) -> _Cursor:
        return _Cursor(sort, [getattr(row, COLUMNS[name]) for name, _ in sort], number)

    def stand(self) -> SimpleNamespace:
        """An object with the columns of that row."""
        return SimpleNamespace(
            **{COLUMNS[name]: value for (name, _), value in zip(self.sort, self.values, strict=True)}
        )

    def text(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def _cursor(asked: dict[str, Any], sort: Sort) -> _Cursor | None:
    text = asked["cursor"]
    if text is None:
        return None
    if asked["offset"] is not None:
        raise BadParameter("offset", "cannot be used with a cursor")
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        cursor = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Cursor)
    except (ValueError, RecursionError):
        raise BadParameter("cursor", "not a value returned in `next`") from None
    if cursor.sort != sort or len(cursor.values) != len(sort) or not 0 <= cursor.number <= MAX_NUMBER:
        raise BadParameter("cursor", "belongs to a list in another order; give the same sort, or leave it out")
    return cursor


def _question(asked: dict[str, Any]) -> Question:
    return Question(
        names={name: frozenset(asked[name]) for name in FILTERS if asked[name]},
        since=asked["since"] or "",
        until=asked["until"] or "",
        words=tuple(sorted({word.lower() for word in (asked["q"] or "").split()})),
        sort=_sort(asked["sort"], asked["desc"]),
    )


def _sort(text: str | None, desc: str | None) -> Sort:
    keys: dict[str, bool] = {}
    for part in (text or "").split(",") if text else ():
        name = part.strip().removeprefix("-")
        if name not in COLUMNS:
            raise BadParameter("sort", f"unknown column '{name}'; known: {', '.join(sorted(COLUMNS))}")
        keys.setdefault(name, part.strip().startswith("-"))
    if not keys:
        return (("started", desc != "0"),) if desc else NEWEST
    return tuple((name, is_descending != (desc == "1")) for name, is_descending in keys.items())
