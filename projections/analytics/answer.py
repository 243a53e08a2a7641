"""The answer to a query in the forms that Python programs work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .sandbox import QueryResult

if TYPE_CHECKING:
    import duckdb

_BATCH_ROWS = 500
"""Rows for each INSERT."""


class Answer:
    """Rows of plain values with the names and DuckDB types of their columns.

    >>> answer = place.query("SELECT benchmark_id, score FROM runs")
    >>> answer.columns
    [('benchmark_id', 'VARCHAR'), ('score', 'DOUBLE')]
    >>> answer.dicts()
    [{'benchmark_id': 'human_eval', 'score': 0.5}]
    """

    def __init__(self, result: QueryResult) -> None:
        self.columns = result.columns
        self.rows = result.rows
        self.truncated = result.truncated
        self.seconds = result.seconds

    def __len__(self) -> int:
        return len(self.rows)

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts; of two columns with one name, the last one stays."""
        names = [name for name, _ in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def relation(self) -> duckdb.DuckDBPyRelation:
        """The rows as a DuckDB relation in memory, with the types of the answer."""
        import duckdb

        connection = duckdb.connect()
        typed = ", ".join(f"{_quoted(name)} {kind}" for name, kind in self._unique_columns())
        connection.execute(f"CREATE TABLE answer ({typed})")
        marks = f"({', '.join(f'CAST(? AS {kind})' for _, kind in self.columns)})"
        for batch in _batches(self.rows):
            values = [_typed(value, kind) for row in batch for value, (_, kind) in zip(row, self.columns, strict=True)]
            connection.execute(f"INSERT INTO answer VALUES {', '.join([marks] * len(batch))}", values)  # noqa: S608
        return connection.table("answer")

    def arrow(self) -> Any:
        """The rows as a `pyarrow.Table`. Raises ImportError if pyarrow is not installed."""
        return self.relation().to_arrow_table()

    def pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`. Raises ImportError if pandas is not installed."""
        return self.relation().df()

    def polars(self) -> Any:
        """The rows as a `polars.DataFrame`. Raises ImportError if polars or pyarrow is not installed."""
        return self.relation().pl()

    def _unique_columns(self) -> list[tuple[str, str]]:
        """The columns; a name that a column before it has gets a number."""
        seen: dict[str, int] = {}
        unique = []
        for name, kind in self.columns:
            count = seen[name.lower()] = seen.get(name.lower(), 0) + 1
            unique.append((name if count == 1 else f"{name}_{count}", kind))
        return unique


def _batches(rows: list[list[Any]]) -> list[list[list[Any]]]:
    return [rows[begin : begin + _BATCH_ROWS] for begin in range(0, len(rows), _BATCH_ROWS)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _typed(value: Any, kind: str) -> Any:
    """A plain value in the form that DuckDB casts to that type."""
    if kind == "JSON" and value is not None:
        return msgspec.json.encode(value).decode()
    return value.removesuffix("Z") if isinstance(value, str) and kind.startswith("TIMESTAMP") else value
