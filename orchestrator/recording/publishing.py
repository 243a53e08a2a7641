"""Publishes tables, and records that a run was reproduced."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...ledger.events import Json, NewEvent, PublishedRow, Record, TablePublished
from ...ledger.ledger import Ledger
from ...projections.published.document import Publication, table_id_of
from ...projections.published.rules import TableRules
from ..errors import UsageError


def equal_publication(
    earlier: Sequence[Publication], rules: TableRules, rows: Sequence[PublishedRow]
) -> Publication | None:
    """The last version of a table if it has these rules and rows already."""
    last = earlier[-1] if earlier else None
    is_equal = last is not None and last.event.rules == rules_of(rules) and last.event.rows == list(rows)
    return last if is_equal else None


def rules_of(rules: TableRules) -> Json:
    """Rules as the event has them."""
    found: Json = msgspec.to_builtins(rules)
    return found


def publish(
    ledger: Ledger,
    rules: TableRules,
    rows: Sequence[PublishedRow],
    earlier: Sequence[Publication],
    *,
    position: int,
    author: str,
    registration: Json | None,
    checkpoint: str,
) -> Record:
    """Record a new version of a table, whose rows are those of the first `position` events.

    Raises UsageError if another process has published one meanwhile.
    """
    table_id = table_id_of(ledger.store, rules.name)
    event = TablePublished(
        author=author,
        name=rules.name,
        version=1 + max((one.event.version for one in earlier), default=0),
        rules=rules_of(rules),
        rows=list(rows),
        position=position,
        registration=registration,
        checkpoint=checkpoint,
    )

    def decide(_: object) -> list[NewEvent]:
        if next(ledger.store.read(after=position, stream=table_id), None) is not None:
            raise UsageError(f"another process has published {rules.name} meanwhile", "publish it again")
        return [NewEvent(table_id, event)]

    return ledger.decide(decide).records[0]
