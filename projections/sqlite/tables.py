"""The tables of `orchestrator.sqlite`, and the number that tells their versions apart."""

from __future__ import annotations

from hashlib import sha256

from .rows import FIRST_COLUMNS, GROUP_COLUMNS, HIGH_SCORE_COLUMNS, RUN_COLUMNS, TOKEN_COLUMNS, Column, first_column

NAME = "orchestrator"
"""Of the row in `projection_state`."""

APPLICATION = 0x42454E43
"""SQLite's `application_id` of every file that this program makes: it stays, whatever is done to the tables."""

_MEANING = 8
"""Raise it when the meaning of the same columns changes."""

RUN_NAMES = [*(column.name for column in RUN_COLUMNS), *TOKEN_COLUMNS]
GROUP_NAMES = [column.name for column in GROUP_COLUMNS]
COUNTED_COLUMNS = {
    "work_id": "INTEGER",
    "kind": "INTEGER",
    "repetition": "TEXT",
    "moment": "TEXT",
    "chance": "REAL",
}
"""Columns at the end of a run's row by which it is counted: its work, its kind (`counting.kind_of`), its repetition,
when it ended (`recency.when`), and the score of guessing that it reports."""

WORK_NAMES = ["id", "benchmark_id", "comparison_key", "agent", "provider", "model", "runs", "latest"]
TALLY_NAMES = [
    "work_id",
    "unit",
    "upward",
    "kind",
    "repetition",
    "runs",
    "total",
    "newest",
    "best",
    "telling",
]
ATTEMPT_NAMES = ["work_id", "kind", "ending", "runs", "seconds", "cost", "unpriced"]
UNIT, UPWARD = "ifnull(unit, '')", "ifnull(higher_is_better, 1)"
"""The unit and direction of a run as a tally has them."""
OF_TALLY = f"work_id = ? AND {UNIT} = ? AND {UPWARD} = ? AND kind = ? AND repetition = ? AND status = 'succeeded'"
"""The condition for the runs of a tally. Its values are the first five columns of the tally."""

REGISTRATION_NAMES = ["registration_id", "seq", "registered_at", "author", "hypothesis", "registration_json"]
EQUIVALENCE_NAMES = ["seq", "benchmark_id", "one", "other", "is_declared", "merged"]
PUBLICATION_NAMES = ["seq", "table_id", "name", "version", "published_at", "author", "document"]
REPRODUCTION_NAMES = ["seq", "run_id", "of_run", "of_origin", "of_hash", "verdict", "by", "at", "evidence"]
HIGH_SCORE_NAMES = ["seq", "benchmark_id", *(column.name for column in HIGH_SCORE_COLUMNS), "published_at", "merged"]


def _declared(columns: tuple[Column, ...], key: str = "") -> list[str]:
    return [f"{column.name} {column.kind}" + (" PRIMARY KEY" if column.name == key else "") for column in columns]


def _table(name: str, columns: list[str], more: str = "") -> str:
    return f"CREATE TABLE {name} (\n  " + ",\n  ".join(columns) + f"\n) {more}".rstrip()


TABLES = (
    _table("run_groups", _declared(GROUP_COLUMNS, "run_group_id")),
    _table(
        "benchmark_runs",
        [
            *_declared(RUN_COLUMNS, "run_id"),
            *(f"{name} INTEGER" for name in TOKEN_COLUMNS),
            *map(first_column, FIRST_COLUMNS),
            *(f"{name} {kind}" for name, kind in COUNTED_COLUMNS.items()),
        ],
    ),
    _table(
        "works",
        [
            "id INTEGER PRIMARY KEY",
            "benchmark_id TEXT",
            "comparison_key TEXT",
            "agent TEXT",
            "provider TEXT",
            "model TEXT",
            "runs INTEGER",
            "latest TEXT",
            "UNIQUE (benchmark_id, comparison_key, agent, provider, model)",
        ],
    ),
    _table(
        "tallies",
        [
            "work_id INTEGER",
            "unit TEXT",
            "upward INTEGER",
            "kind INTEGER",
            "repetition TEXT",
            "runs INTEGER",
            "total TEXT",
            "newest TEXT",
            "best TEXT",
            "telling TEXT",
            "PRIMARY KEY (work_id, unit, upward, kind, repetition)",
        ],
        "WITHOUT ROWID",
    ),
    _table(
        "attempts",
        [
            "work_id INTEGER",
            "kind INTEGER",
            "ending TEXT",
            "runs INTEGER",
            "seconds TEXT",
            "cost TEXT",
            "unpriced INTEGER",
            "PRIMARY KEY (work_id, kind, ending)",
        ],
        "WITHOUT ROWID",
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
    _table(
        "registrations",
        [
            "registration_id TEXT PRIMARY KEY",
            "seq INTEGER",
            "registered_at TEXT",
            "author TEXT",
            "hypothesis TEXT",
            "registration_json TEXT",
        ],
    ),
    _table(
        "equivalences",
        [
            "seq INTEGER PRIMARY KEY",
            "benchmark_id TEXT",
            "one TEXT",
            "other TEXT",
            "is_declared INTEGER",
            "merged INTEGER",
        ],
    ),
    _table(
        "publications",
        [
            "seq INTEGER PRIMARY KEY",
            "table_id TEXT",
            "name TEXT",
            "version INTEGER",
            "published_at TEXT",
            "author TEXT",
            "document TEXT",
        ],
    ),
    _table(
        "reproductions",
        [
            "seq INTEGER PRIMARY KEY",
            "run_id TEXT",
            "of_run TEXT",
            "of_origin TEXT",
            "of_hash TEXT",
            "verdict TEXT",
            "by TEXT",
            "at TEXT",
            "evidence TEXT",
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
    "CREATE INDEX runs_by_group ON benchmark_runs (run_group_id, work_id)",
    "CREATE INDEX runs_by_change ON benchmark_runs (last_seq)",
    f"CREATE INDEX runs_by_tally ON benchmark_runs (work_id, kind, {UNIT}, {UPWARD}, repetition, moment, first_seq) "
    "WHERE status = 'succeeded'",
    "CREATE INDEX runs_by_score ON benchmark_runs "
    f"(work_id, kind, {UNIT}, {UPWARD}, repetition, score, ended_seq, first_seq, moment) "
    "WHERE status = 'succeeded'",
    "CREATE INDEX runs_by_served_model ON benchmark_runs (provider, model, served_model, moment) "
    "WHERE served_model IS NOT NULL",
    "CREATE INDEX groups_by_creation ON run_groups (created_at)",
)
"""They are made after the tables are filled: that is faster."""


def version_of(schema: str, meaning: int) -> int:
    """A number that depends on the tables, so that no change of them can be forgotten."""
    return int.from_bytes(sha256(f"{meaning}\n{schema}".encode()).digest()[:4])


VERSION = version_of(";\n".join([*TABLES, *INDEXES]), _MEANING)
"""An orchestrator.sqlite of another version is rebuilt."""


def insert(table: str, names: list[str]) -> str:
    """The statement that adds a row."""
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608


def upsert(table: str, names: list[str], key: str) -> str:
    """The statement that adds a row or changes it in its place.

    Not INSERT OR REPLACE: that gives a row a new rowid, and with it another place in a listing.
    """
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key.split(", "))
    return f"{insert(table, names)} ON CONFLICT ({key}) DO UPDATE SET {changes}"
