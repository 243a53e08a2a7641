"""How a run or a group becomes a row, and a row becomes a run again.

A row has the names that readers of the first orchestrator know. In a table, structured values stand as JSON text in
columns that end in `_json`; elsewhere the ending is off and the value decoded.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect
from msgspec.structs import astuple

from ...ledger.events import HighScorePublished, Record, Unknown
from ...ledger.fold import Group, Run
from ...ledger.usage import tokens_of, whole

Row = dict[str, Any]

TOKEN_COLUMNS = ("input_tokens", "output_tokens", "total_tokens", "cached_tokens", "call_count")
"""Counts of a run's model calls, taken from its usage; they stand behind a run's own columns."""

FIRST_COLUMNS: dict[str, tuple[str, str]] = {
    "trajectory_count": ("INTEGER", "trajectories"),
    "llm_call_count": ("INTEGER", "call_count"),
    "total_prompt_tokens": ("INTEGER", "input_tokens"),
    "total_completion_tokens": ("INTEGER", "output_tokens"),
    "total_cache_read_input_tokens": ("INTEGER", "cached_tokens"),
    "total_cache_creation_input_tokens": ("INTEGER", "cache_creation_tokens"),
    "mean_latency_ms": ("REAL", "latency_mean_ms"),
    "p95_latency_ms": ("REAL", "latency_p95_ms"),
    "throughput_per_second": ("REAL", "throughput_per_second"),
}
"""What readers of the first orchestrator's rows look for: each name with its kind, and the column of TOKEN_COLUMNS or
else the entry of a run's usage that it repeats. They stand at the end of a row."""

STORED_COLUMNS = tuple(name for name, (_, source) in FIRST_COLUMNS.items() if source not in TOKEN_COLUMNS)
"""Those of them that a table has to hold."""

_STORED = [FIRST_COLUMNS[name] for name in STORED_COLUMNS]
_NOTHING_STORED = [None] * len(STORED_COLUMNS)

_KINDS: dict[type[inspect.Type], str] = {
    inspect.StrType: "TEXT",
    inspect.LiteralType: "TEXT",
    inspect.FloatType: "REAL",
    inspect.IntType: "INTEGER",
    inspect.BoolType: "INTEGER",
}
"""SQLite's type for a field of one of these types, or of one of them and None. All other fields are kept as JSON."""
_MAX_INTEGER = 2**63 - 1


class Column(msgspec.Struct, frozen=True):
    """A column of a table: its name there, the field that it holds, its SQLite type, and whether it holds JSON.

    A flag is true, false or null, and 1, 0 or null in the table.
    """

    name: str
    field: str
    kind: str
    json: bool
    is_flag: bool


def _columns(struct: type[msgspec.Struct]) -> tuple[Column, ...]:
    described = inspect.type_info(struct)
    fields = described.fields if isinstance(described, inspect.StructType) else ()
    return tuple(map(_column, fields))


def _column(field: inspect.Field) -> Column:
    types = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
    values = [type(one) for one in types if not isinstance(one, inspect.NoneType)]
    kind = _KINDS.get(values[0]) if len(values) == 1 else None
    name = f"{field.name}_json" if kind is None else field.name
    return Column(name, field.name, kind or "TEXT", kind is None, values == [inspect.BoolType])


RUN_COLUMNS = _columns(Run)
GROUP_COLUMNS = _columns(Group)
HIGH_SCORE_COLUMNS = _columns(HighScorePublished)

_RUN_JSON, _GROUP_JSON = (
    tuple(place for place, column in enumerate(columns) if column.json) for columns in (RUN_COLUMNS, GROUP_COLUMNS)
)
_RUN_INTEGERS = tuple(place for place, column in enumerate(RUN_COLUMNS) if column.kind == "INTEGER")

_NULL = float("nan")

_encode = msgspec.json.Encoder().encode


def token_counts(run: Run) -> list[int | None]:
    """The values of TOKEN_COLUMNS; None if the field is absent or is not a count."""
    usage = run.usage
    if not usage:
        return [None] * len(TOKEN_COLUMNS)
    get = usage.get
    calls = whole(get("calls", get("call_count")))
    return [
        whole(get("input_tokens")),
        whole(get("output_tokens")),
        tokens_of(usage),
        whole(get("cached_tokens")),
        calls,
    ]


def first_values(run: Run) -> list[int | float | None]:
    """The values of FIRST_COLUMNS."""
    if not run.usage:
        return [None] * len(FIRST_COLUMNS)
    tokens = dict(zip(TOKEN_COLUMNS, token_counts(run), strict=True))
    return [
        tokens[source] if source in tokens else _from_usage(run, kind, source)
        for kind, source in FIRST_COLUMNS.values()
    ]


def _from_usage(run: Run, kind: str, source: str) -> int | float | None:
    value = run.usage.get(source)
    return None if value is None else whole(value) if kind == "INTEGER" else _amount(value)


def first_column(name: str) -> str:
    """The declaration of one of FIRST_COLUMNS: what repeats another column takes no room in a table."""
    kind, source = FIRST_COLUMNS[name]
    return f"{name} {kind}" + (f" GENERATED ALWAYS AS ({source}) VIRTUAL" if source in TOKEN_COLUMNS else "")


def table_values(run: Run) -> list[Any]:
    """The values of a run for `run_values` and STORED_COLUMNS."""
    values = run_values(run)
    if usage := run.usage:
        for kind, source in _STORED:
            if source not in usage:
                values.append(None)
            else:
                value = _from_usage(run, kind, source)
                values.append(_within(value) if isinstance(value, int) else value)
    else:
        values += _NOTHING_STORED
    return values


def _amount(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except OverflowError:
        return None


def run_values(run: Run) -> list[Any]:
    """The values of a run for RUN_COLUMNS and TOKEN_COLUMNS."""
    # A hundred thousand runs come by here when the tables are built anew, so nothing is looked up by name.
    values = list(astuple(run))
    for place in _RUN_JSON:
        if (value := values[place]) is not None:
            values[place] = _encode(value).decode() if value else "[]" if isinstance(value, list) else "{}"
    for place in _RUN_INTEGERS:
        if (value := values[place]) is not None and not -_MAX_INTEGER <= value <= _MAX_INTEGER:
            values[place] = _within(value)
    values += map(_within, token_counts(run))
    return values


def group_values(group: Group) -> list[Any]:
    """The values of a group for GROUP_COLUMNS."""
    values = list(astuple(group))
    for place in _GROUP_JSON:
        if (value := values[place]) is not None:
            values[place] = _encode(value).decode()
    return values


def bound(values: list[Any]) -> list[Any]:
    """The same values for SQLite, which takes NaN for NULL.

    For each None and each bool, Python's `sqlite3` first looks for an adapter: of all that storing a run cost, that
    was a third.
    """
    return [_NULL if value is None else +value if value is True or value is False else value for value in values]


def _within(value: int | None) -> int | None:
    # SQLite's integers have 64 bits. A result can hold any number, and the ledger keeps it; the table clamps it.
    return (
        value
        if value is None or -_MAX_INTEGER <= value <= _MAX_INTEGER
        else max(-_MAX_INTEGER, min(value, _MAX_INTEGER))
    )


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
    row.update(zip(FIRST_COLUMNS, first_values(run), strict=True))
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
