"""A database that another program has changed: what differs from the ledger, and what must not be lost.

Another orchestrator may have written its own runs into the file. The ledger does not have those, so such a file is
kept under another name before a new one takes its place.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import msgspec

from .tables import INDEXES, NAME, TABLES, VERSION

_MAX_SECONDS = 10.0
_INSTRUCTIONS = 10_000
_ENDINGS = ("-wal", "-shm", "-journal", "")
"""Of the files that SQLite keeps beside a database; the database itself is the last one to go."""

_KEYS = {
    "benchmark_runs": "run_id",
    "run_groups": "run_group_id",
    "high_scores": "seq",
    "equivalences": "seq",
    "registrations": "registration_id",
    "publications": "seq",
    "reproductions": "seq",
    "ledger_problems": "seq",
}


class Difference(msgspec.Struct, frozen=True):
    """How a database differs from the ledger: in words, and the number of runs that only the database has."""

    differences: list[str]
    strangers: int


def put_aside(database: Path) -> Path:
    """Rename a database, with the files that SQLite keeps beside it; its new path. Raises OSError.

    If it was a projection, it loses the mark of one, so that its runs can be imported.
    """
    names = (f"{database.stem}.first{number or ''}{database.suffix}" for number in range(1_000))
    kept = next(path for path in map(database.with_name, names) if not path.exists() and not path.is_symlink())
    for ending in _ENDINGS:
        beside = database.with_name(database.name + ending)
        if beside.exists() or beside.is_symlink():
            beside.rename(kept.with_name(kept.name + ending))
    if kept.is_file() and not kept.is_symlink():
        _make_importable(kept)
    return kept


def _make_importable(kept: Path) -> None:
    uri = f"{kept.absolute().as_uri()}?mode=ro&immutable=1"
    query = "SELECT count(*) FROM sqlite_schema WHERE name = 'projection_state'"
    with contextlib.suppress(sqlite3.Error):
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as looked_at:
            (is_projection,) = looked_at.execute(query).fetchone()
        if is_projection:  # A database that never was one is kept as it is.
            with contextlib.closing(sqlite3.connect(kept)) as connection:
                connection.execute("DROP TABLE projection_state")
                connection.commit()


def difference(database: Path, built: sqlite3.Connection) -> Difference:
    """Compare a database with the one that was just built from the ledger."""
    uri = f"{database.absolute().as_uri()}?mode=ro&immutable=1"
    end = time.monotonic() + _MAX_SECONDS
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as old:
            # The file may hold anything: no function of its schema is called, and queries have a time limit.
            old.execute("PRAGMA trusted_schema = OFF")
            old.set_progress_handler(lambda: time.monotonic() > end, _INSTRUCTIONS)
            return _compare(old, built)
    except (sqlite3.Error, ValueError, OverflowError, TypeError, AttributeError, MemoryError) as problem:
        # A text may be broken, a number too large, and a schema may hold values of any type.
        return Difference([f"it cannot be read ({problem})"], 0)


def _compare(old: sqlite3.Connection, built: sqlite3.Connection) -> Difference:
    query = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
    schema = {(kind, name): sql for kind, name, sql in old.execute(query)}
    is_same_schema = sorted(schema.values()) == sorted([*TABLES, *INDEXES])
    differences = [] if is_same_schema or _is_of_other_version(old, schema) else ["its tables are not the same"]
    if not _is_plain_table(schema, "benchmark_runs"):
        return Difference(differences, 0)
    ours = {run_id for (run_id,) in built.execute("SELECT run_id FROM benchmark_runs")}
    strangers = sum(1 for (run_id,) in old.execute("SELECT run_id FROM benchmark_runs") if run_id not in ours)
    if is_same_schema:
        differences = _compare_rows(old, built)
    return Difference(differences, strangers)


def _is_of_other_version(old: sqlite3.Connection, schema: dict[tuple[str, str], str]) -> bool:
    """Whether another version of this program may have made the tables."""
    if not _is_plain_table(schema, "projection_state"):
        return False
    row = old.execute("SELECT version FROM projection_state WHERE name = ?", (NAME,)).fetchone()
    return row is not None and row[0] != VERSION


def _is_plain_table(schema: dict[tuple[str, str], str], name: str) -> bool:
    return schema.get(("table", name), "").upper().startswith("CREATE TABLE")


def _compare_rows(old: sqlite3.Connection, built: sqlite3.Connection) -> list[str]:
    """The tables in which rows differ, each with how many. A copy of an earlier state only lacks what came later."""
    query = f"SELECT position, head_hash, at FROM projection_state WHERE name = '{NAME}'"  # noqa: S608
    before, now = old.execute(query).fetchone(), built.execute(query).fetchone()
    if before is None or not isinstance(before[0], int):
        return ["its checkpoint was changed"]
    (last,) = old.execute("SELECT max(last_seq) FROM benchmark_runs").fetchone()
    is_same_state = before == now
    if not is_same_state and (before[0] >= now[0] or (last or 0) > before[0]):
        return ["its checkpoint was changed"]
    differences = []
    for table, key in _KEYS.items():
        if not is_same_state and table == "run_groups":
            continue  # A group does not say when it changed.
        where = "" if is_same_state else f" WHERE {'last_seq' if table == 'benchmark_runs' else key} <= ?"
        values = () if is_same_state else (before[0],)
        ours = {row[0]: hash(row) for row in built.execute(f"SELECT {key}, rowid, * FROM {table}{where}", values)}  # noqa: S608
        count = 0
        for row in old.execute(f"SELECT {key}, rowid, * FROM {table}"):  # noqa: S608 - our own names
            expected = ours.pop(row[0], None)
            count += expected != hash(row) if is_same_state else expected not in (None, hash(row))
        if count := count + len(ours):
            differences.append(f"{count} {'row differs' if count == 1 else 'rows differ'} in {table}")
    return differences
