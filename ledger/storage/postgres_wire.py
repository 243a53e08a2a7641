"""The statements of an append, sent straight through libpq: several in one message, with binary values.

They are few, and the same for every append. A cursor of psycopg takes several times as much processor time for each,
and a message for each: while a writer has its turn, all others wait for that.
"""

from __future__ import annotations

import select
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

Connection = psycopg.Connection[Any]

INT8, TEXT, BYTEA, FLOAT8 = 20, 25, 17, 701
"""The numbers that every version of PostgreSQL gives to these types."""
INT8_ARRAY, TEXT_ARRAY, BYTEA_ARRAY = 1016, 1009, 1001

_INT8, _FLOAT8 = struct.Struct(">q"), struct.Struct(">d")
int8, float8 = _INT8.pack, _FLOAT8.pack
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_length = struct.Struct(">i").pack
_array = struct.Struct(">5i").pack


class Statement(msgspec.Struct, frozen=True):
    """A statement that a connection prepares when it performs it for the first time, and the types of its values."""

    name: bytes
    text: bytes
    types: tuple[int, ...] = ()


Call = tuple[Statement, Sequence["bytes | None"]]
"""A statement with its values in binary form."""


def array(kind: int, items: Sequence[bytes]) -> bytes:
    """An array in binary form; `kind` is the type of its items."""
    parts = [_array(1, 0, kind, len(items), 1)]
    for item in items:
        parts += (_length(len(item)), item)
    return b"".join(parts)


def integer(result: PGresult, column: int = 0) -> int:
    """The `bigint` in the first row."""
    return int(_INT8.unpack(result.get_value(0, column) or b"")[0])


def real(result: PGresult, column: int = 0) -> float | None:
    """The `double precision` in the first row; None for NULL."""
    value = result.get_value(0, column)
    return None if value is None else float(_FLOAT8.unpack(value)[0])


class Wire:
    """One connection of psycopg, which does nothing else while statements are performed here."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._libpq = connection.pgconn
        self._prepared: set[bytes] = set()
        self._has_pipeline = psycopg.Pipeline.is_supported()  # libpq since version 14
        self._poll = select.poll()
        self._poll.register(self._libpq.socket, select.POLLIN)

    def perform(self, *calls: Call) -> list[PGresult]:
        """The results of calls that are sent together; after one that fails, the later ones are not performed.

        Raises psycopg.Error. After an interrupt, and if the connection is of no use any more, it is closed.
        """
        try:
            for statement, _ in calls:
                self._prepare(statement)
            results = self._perform_together(calls) if len(calls) > 1 else [self._perform_one(*calls[0])]
        except BaseException:
            # The next question would get the answers to this one.
            self._connection.close()
            raise
        for result in results:
            if result.status not in _GOOD:
                raise error_from_result(result)
        return results

    def _prepare(self, statement: Statement) -> None:
        if statement.name in self._prepared:
            return
        self._libpq.send_prepare(statement.name, statement.text, statement.types)
        result = self._only_result()
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
        self._prepared.add(statement.name)

    def _perform_one(self, statement: Statement, values: Sequence[bytes | None]) -> PGresult:
        self._libpq.send_query_prepared(statement.name, values, (1,) * len(values), 1)
        return self._only_result()

    def _perform_together(self, calls: Sequence[Call]) -> list[PGresult]:
        if not self._has_pipeline:
            results = []
            for call in calls:
                results.append(self._perform_one(*call))
                if results[-1].status == ExecStatus.FATAL_ERROR:
                    break
            return results
        libpq = self._libpq
        libpq.enter_pipeline_mode()
        for statement, values in calls:
            libpq.send_query_prepared(statement.name, values, (1,) * len(values), 1)
        libpq.pipeline_sync()
        results = [self._only_result() for _ in calls]
        self._next_result()  # That of the sync.
        libpq.exit_pipeline_mode()
        return results

    def _only_result(self) -> PGresult:
        """The result of the next statement. Raises OperationalError if the connection was lost."""
        result = self._next_result()
        if result is None:
            raise psycopg.OperationalError(self._libpq.get_error_message())
        self._next_result()  # None: each statement has one result.
        return result

    def _next_result(self) -> PGresult | None:
        libpq = self._libpq
        while libpq.flush():
            self._poll.modify(libpq.socket, select.POLLIN | select.POLLOUT)
            self._poll.poll()
            libpq.consume_input()
            self._poll.modify(libpq.socket, select.POLLIN)
        while libpq.is_busy():
            self._poll.poll()
            libpq.consume_input()
        return libpq.get_result()
