"""How a run or a group becomes a row, and a row becomes a run again.

A row has the names that readers of the first orchestrator know. In a table, structured values stand as JSON text in
columns that end in `_json`; elsewhere the ending is off and the value decoded.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..ledger.events import Record, Unknown
from ..ledger.fold import Group, Run

Row = dict[str, Any]

TOKEN_COLUMNS = ("input_tokens", "output_tokens", "total_tokens", "cached_tokens", "call_count")
"""Counts of a run's model calls, taken from its usage; they stand behind a run's own columns."""

_TEXT = {"str", "str | None", "Status"}
_REAL = {"float", "float | None"}
_INTEGER = {"int", "int | None", "bool", "bool | None"}
_LARGEST = 2**63 - 1


class Column(msgspec.Struct, frozen=True):
    """A column of a table: its name there, the field that it holds, its SQLite type, and whether it holds JSON."""

    name: str
    field: str
    kind: str
    json: bool


def _columns(struct: type[msgspec.Struct]) -> tuple[Column, ...]:
    columns = []
    annotations = {**struct.__annotations__}
    for field in struct.__struct_fields__:
        hint = annotations[field]
        json = hint not in _TEXT | _REAL | _INTEGER
        kind = "REAL" if hint in _REAL else "INTEGER" if hint in _INTEGER else "TEXT"
        columns.append(Column(f"{field}_json" if json else field, field, kind, json))
    return tuple(columns)


RUN_COLUMNS = _columns(Run)
GROUP_COLUMNS = _columns(Group)

_encode = msgspec.json.Encoder(order="sorted").encode


def token_counts(run: Run) -> list[int | None]:
    """The values of TOKEN_COLUMNS; None where the run's usage does not say, or says what is no count."""
    usage = run.usage
    count = {name: _count(usage.get(name)) for name in TOKEN_COLUMNS}
    count["call_count"] = _count(usage.get("calls", usage.get("call_count")))
    read, written = count["input_tokens"], count["output_tokens"]
    if count["total_tokens"] is None and read is not None and written is not None:
        count["total_tokens"] = read + written
    return [count[name] for name in TOKEN_COLUMNS]


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def run_values(run: Run) -> list[Any]:
    """The values of a run for RUN_COLUMNS and TOKEN_COLUMNS."""
    return [*_values(run, RUN_COLUMNS), *map(_sql, token_counts(run))]


def group_values(group: Group) -> list[Any]:
    """The values of a group for GROUP_COLUMNS."""
    return _values(group, GROUP_COLUMNS)


def _values(struct: msgspec.Struct, columns: tuple[Column, ...]) -> list[Any]:
    return [
        _encode(value).decode() if column.json and value is not None else _sql(value)
        for column, value in ((column, getattr(struct, column.field)) for column in columns)
    ]


def _sql(value: Any) -> Any:
    # SQLite's integers have 64 bits. Nobody counts further, but a result can say anything, and the ledger keeps it.
    return max(-_LARGEST, min(value, _LARGEST)) if isinstance(value, int) else value


def load_run(values: tuple[Any, ...]) -> Run:
    """The run that `run_values` took apart."""
    return msgspec.convert(_fields(values, RUN_COLUMNS), Run, strict=False)


def load_group(values: tuple[Any, ...]) -> Group:
    """The group that `group_values` took apart."""
    return msgspec.convert(_fields(values, GROUP_COLUMNS), Group, strict=False)


def _fields(values: tuple[Any, ...], columns: tuple[Column, ...]) -> Row:
    return {
        column.field: msgspec.json.decode(value) if column.json and value is not None else value
        for column, value in zip(columns, values, strict=False)
    }


def run_row(run: Run) -> Row:
    """A run as plain JSON values, as in `viewer_data.json` and `show-runs --json`."""
    row: Row = msgspec.to_builtins(run)
    row.update(zip(TOKEN_COLUMNS, token_counts(run), strict=True))
    return row


def group_row(group: Group) -> Row:
    """A group as plain JSON values."""
    row: Row = msgspec.to_builtins(group)
    return row


def event_row(record: Record) -> Row:
    """An event as it stands on its line: the keys in their order. Its data is for a JSON encoder."""
    data: Any = record.data.raw if isinstance(record.data, Unknown) else record.data
    return {
        "seq": record.seq,
        "id": record.id,
        "at": record.at,
        "type": record.type,
        "stream": record.stream,
        "version": record.version,
        "data": data,
        "prev": record.prev,
        "hash": record.hash,
    }
