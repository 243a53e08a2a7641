"""A user's SQL, in a child process that can read one database and do nothing else, for a bounded time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from ...ledger.errors import ExpectedError

_CHILD = Path(__file__).with_name("child.py")
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "HOME", "LANG", "LC_ALL")
"""What the child needs to find its libraries; keys of providers are not among it."""

_START_SECONDS = 10.0
"""Granted on top of a query's own seconds, for the start of the child on a busy machine."""


class QueryError(ExpectedError):
    """A question that has no answer; the message is for the person who asked."""


class BadQuery(QueryError):
    """It is not one read-only SELECT, or DuckDB finds it wrong."""


class LimitExceeded(QueryError):
    """It took more time or memory, or gave a larger answer, than it was granted; `limit` is the field of Limits."""

    def __init__(self, limit: str, message: str) -> None:
        self.limit = limit
        super().__init__(message)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a query may take: seconds of wall time, MiB of DuckDB's memory, rows and MiB of the answer, threads.

    More rows are left out, and `QueryResult.truncated` says so; to exceed anything else is an error.
    """

    seconds: float = 30.0
    memory_mb: int = 1024
    rows: int = 10_000
    answer_mb: int = 64
    threads: int = 2


class QueryResult(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of plain JSON values; `columns` are pairs of a name and a DuckDB type, `seconds` those of the query."""

    columns: list[tuple[str, str]]
    rows: list[list[Any]]
    truncated: bool
    seconds: float


class _Request(msgspec.Struct, frozen=True):
    database: str
    sql: str
    limits: Limits


class _Answer(msgspec.Struct, frozen=True):
    result: QueryResult | None = None
    bad: str | None = None
    exceeded: str | None = None


def ask(database: Path, sql: str, limits: Limits) -> QueryResult:
    """The answer of a DuckDB file to one SELECT. Raises BadQuery and LimitExceeded."""
    request = msgspec.json.encode(_Request(str(database.absolute()), sql, limits))
    # -P: a folder of the caller must not shadow a module. The child can't be a module of ours (`-m`) then either.
    child = subprocess.Popen(
        [sys.executable, "-P", str(_CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
    )
    begin = time.monotonic()
    with child:
        try:
            told, _ = child.communicate(request, timeout=limits.seconds + _START_SECONDS)
        except subprocess.TimeoutExpired:
            raise _too_slow(limits) from None
        finally:
            child.kill()
    return _read(told, child.returncode, time.monotonic() - begin, limits)


def _read(told: bytes, returncode: int, seconds: float, limits: Limits) -> QueryResult:
    try:
        answer = msgspec.json.decode(told, type=_Answer)
    except msgspec.DecodeError:
        if returncode >= 0:
            raise QueryError(f"the process that asks ended with code {returncode}, and no answer") from None
        # Killed: by its clock, by the memory it could not get, or by the system.
        raise (_too_slow(limits) if seconds >= limits.seconds else _too_big(limits)) from None
    if answer.result is not None:
        return answer.result
    if answer.bad is not None:
        raise BadQuery(answer.bad)
    raise {"seconds": _too_slow, "memory_mb": _too_big}.get(answer.exceeded or "", _too_long)(limits)


def _too_slow(limits: Limits) -> LimitExceeded:
    return LimitExceeded(
        "seconds", f"the query took longer than {limits.seconds:g} s: narrow it with WHERE, or raise --timeout"
    )


def _too_big(limits: Limits) -> LimitExceeded:
    return LimitExceeded(
        "memory_mb", f"the query needs more than {limits.memory_mb} MiB of memory: narrow it, or raise --memory"
    )


def _too_long(limits: Limits) -> LimitExceeded:
    return LimitExceeded(
        "answer_mb",
        f"the answer is larger than {limits.answer_mb} MiB: choose fewer columns or rows, or raise --max-answer",
    )
