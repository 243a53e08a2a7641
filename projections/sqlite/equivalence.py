"""Equivalent revisions in the tables: runs of one class have one comparison key.

The tables hold every declaration. If one changes which revisions are equivalent, the runs of that benchmark whose key
is another one now are found, and no others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from ...ledger.equivalence import Classes, Statement, classes_of
from ...ledger.events import UNKNOWN_REVISION
from ...ledger.fold import Run, fenced

_AT_ONCE = 1_000
_MAX_POSITION = 2**63 - 1
_STATEMENTS = (
    "SELECT benchmark_id, one, other, is_declared FROM equivalences WHERE NOT merged AND seq <= ? ORDER BY seq"
)
DIGEST = "coalesce(task_revision_json ->> '$.digest', ?)"
"""The digest of a run's revision in SQL; its value is UNKNOWN_REVISION."""
SCORER = "scorer_json ->> '$.sha256'"
"""The digest of the later scorer of a run's score in SQL; null if there is none."""
_KEYS = f"SELECT DISTINCT options_key, comparison_key, {DIGEST}, {SCORER} FROM benchmark_runs WHERE benchmark_id = ?"  # noqa: S608
_RUNS = (
    "SELECT run_id FROM benchmark_runs "  # noqa: S608 - our names
    f"WHERE benchmark_id = ? AND options_key = ? AND comparison_key = ? AND {DIGEST} = ? AND {SCORER} IS ?"
)


def read_classes(connection: sqlite3.Connection, position: int = _MAX_POSITION) -> Classes:
    """The classes of equivalent revisions, now or after the event at a position."""
    rows = connection.execute(_STATEMENTS, (position,))
    return classes_of(Statement(name, one, other, bool(declared)) for name, one, other, declared in rows)


def meeting(run: Run, classes: Classes) -> Run:
    """The run with the comparison key of its class; the same object if it has it."""
    key = key_of(classes, run.benchmark_id, run.options_key, run.revision, run.later_scorer)
    return run if key == run.comparison_key else replace(run, comparison_key=key)


def key_of(classes: Classes, benchmark_id: str, options_key: str, revision: str, scorer: str | None) -> str:
    """The comparison key of runs with these options, this revision and this later scorer."""
    return fenced(options_key, classes.get(benchmark_id, {}).get(revision, revision), scorer)


def runs_to_rename(
    connection: sqlite3.Connection, classes: Classes, benchmarks: Iterable[str]
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Conditions, from WHERE on, for the runs of these benchmarks that have another key, some at a time."""
    for benchmark_id in benchmarks:
        keys = connection.execute(_KEYS, (UNKNOWN_REVISION, benchmark_id)).fetchall()
        for options_key, key, revision, scorer in keys:
            if key == key_of(classes, benchmark_id, options_key, revision, scorer):
                continue
            values = (benchmark_id, options_key, key, UNKNOWN_REVISION, revision, scorer)
            ids = [run_id for (run_id,) in connection.execute(_RUNS, values).fetchall()]
            for begin in range(0, len(ids), _AT_ONCE):
                some = tuple(ids[begin : begin + _AT_ONCE])
                yield f"WHERE run_id IN ({', '.join('?' * len(some))})", some
