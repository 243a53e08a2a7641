"""The tables of `orchestrator.sqlite`, and the number that tells their versions apart."""

from __future__ import annotations

from hashlib import sha256

from .rows import FIRST_COLUMNS, GROUP_COLUMNS, HIGH_SCORE_COLUMNS, RUN_COLUMNS, TOKEN_COLUMNS, Column, first_column

NAME = "orchestrator"
"""Of the row in `projection_state`."""

APPLICATION = 0x42454E43
"""SQLite's `application_id` of every file that this program makes: it stays, whatever is done to the tables."""

_MEANING = 6
"""Raised where the same columns come to say something else."""

RUN_NAMES = [*(column.name for column in RUN_COLUMNS), *TOKEN_COLUMNS]
GROUP_NAMES = [column.name for column in GROUP_COLUMNS]
HIGH_SCORE_NAMES = ["seq", "benchmark_id", *(column.name for column in HIGH_SCORE_COLUMNS), "published_at", "merged"]


def _declared(columns: tuple[Column, ...], key: str = "") -> list[str]:
    return [f"{column.name} {column.kind}" + (" PRIMARY KEY" if column.name == key else "") for column in columns]


def _table(name: str, columns: list[str]) -> str:
    return f"CREATE TABLE {name} (\n  " + ",\n  ".join(columns) + "\n)"


TABLES = (
    _table("run_groups", _declared(GROUP_COLUMNS, "run_group_id")),
    _table(
        "benchmark_runs",
        [
            *_declared(RUN_COLUMNS, "run_id"),
            *(f"{name} INTEGER" for name in TOKEN_COLUMNS),
            *map(first_column, FIRST_COLUMNS),
        ],
    ),
    _table(
        "high_scores",
        [
            "seq INTEGER PRIMARY KEY",
            "benchmark_id TEXT",
            *_declared(HIGH_SCORE_COLUMNS),
            "published_at TEXT",
            "merged INTEGER",
        ],
    ),
    _table("ledger_problems", ["seq INTEGER PRIMARY KEY", "problem TEXT"]),
    _table(
        "projection_state",
        ["name TEXT PRIMARY KEY", "version INTEGER", "position INTEGER", "head_hash TEXT", "at TEXT"],
    ),
)
INDEXES = (
    "CREATE INDEX runs_by_start ON benchmark_runs (started_at)",
    "CREATE INDEX runs_by_benchmark ON benchmark_runs (benchmark_id, started_at)",
    "CREATE INDEX runs_by_status ON benchmark_runs (status)",
    "CREATE INDEX runs_by_signature ON benchmark_runs (signature)",
    "CREATE INDEX runs_by_group ON benchmark_runs (run_group_id)",
    "CREATE INDEX runs_by_change ON benchmark_runs (last_seq)",
)
"""Made once the tables are filled: that is faster."""


def version_of(schema: str, meaning: int) -> int:
    """A number that is another one for other tables, so that no change of them can be forgotten."""
    return int.from_bytes(sha256(f"{meaning}\n{schema}".encode()).digest()[:4])


VERSION = version_of(";\n".join([*TABLES, *INDEXES]), _MEANING)
"""An orchestrator.sqlite of another version is rebuilt."""


def insert(table: str, names: list[str]) -> str:
    """The statement that adds a row."""
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608


def upsert(table: str, names: list[str], key: str) -> str:
    """The statement that adds a row or changes it where it stands.

    Not INSERT OR REPLACE: that gives a row a new rowid, and with it another place in a listing.
    """
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != key)
    return f"{insert(table, names)} ON CONFLICT ({key}) DO UPDATE SET {changes}"
