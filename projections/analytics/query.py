"""One question to the history: the views brought up to the ledger's head, and a SELECT over them in a sandbox."""

from __future__ import annotations

from ...ledger.store import EventReader
from ..sqlite.keeping import Notice
from ..workspace import Workspace
from .build import open_analytics
from .sandbox import Limits, QueryResult, ask


def run_query(
    workspace: Workspace,
    store: EventReader,
    sql: str,
    limits: Limits | None = None,
    *,
    notice: Notice | None = None,
) -> QueryResult:
    """The answer to one SELECT over the views (see `describe`), of the ledger as it is now, or of a `Past`.

    It first brings `analytics.duckdb` up to the ledger's head. The values of the rows are plain JSON: numbers, texts,
    bools, None, lists and dicts; a time is an ISO 8601 UTC text, and a JSON column is decoded. Safe to call from many
    threads and processes at once.

    Raises BadQuery (no SELECT, more than one, not allowed, or wrong: DuckDB's message with its hint), LimitExceeded
    (time, memory, or size of the answer; says which option raises it), both QueryErrors with a message for the person
    who asked; AnalyticsError where the database can't be built or opened; and LedgerDamaged.
    """
    with open_analytics(workspace, store, notice=notice) as database:
        return ask(database, sql, limits or Limits())
