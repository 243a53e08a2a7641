"""`analytics.duckdb`: the events, runs, groups, references and samples as tables, and the views on top.

Like `orchestrator.sqlite` it follows the ledger from its checkpoint. The checkpoint is kept beside the file's seal:
to learn that nothing is new, a query need not load DuckDB, which takes longer than the rest of its work.

A DuckDB file is for one writer or many readers, so it is never written in its place: new events go into a copy, which
is swapped in. The run of a stream with new events is folded anew from all of its events, by the same SQL that folds
all of them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...ledger.aside import set_aside_in
from ...ledger.equivalence import Statement, classes_of
from ...ledger.events import Merged, SetAside
from ...ledger.origins import brought_by
from ...ledger.past import Past
from ...ledger.storage.chain import Head
from ...ledger.store import EventReader
from ..sqlite.database import is_place_of
from ..sqlite.following import State
from ..sqlite.keeping import KeptFile, Notice, ProjectionError, exclusive, replacing
from ..workspace import Workspace
from .plain_path import plain_temporary_folder, readable, writable
from .sample_tables import load_samples
from .source import events_of, quoted, sealed_parquet, spool
from .views import describe

if TYPE_CHECKING:
    import duckdb

NAME = "analytics.duckdb"
_CACHE = Path("cache", "segments")
_ROW_GROUP = 20_480
"""Rows that one thread compresses together: with more, a hundred thousand runs would keep only one processor busy."""

_HERE = Path(__file__).parent
_HIGH_SCORES = """
SELECT stream AS benchmark_id, data ->> '$.label' AS label, TRY_CAST(data ->> '$.value' AS DOUBLE) AS value,
  data ->> '$.unit' AS unit, coalesce(TRY_CAST(data ->> '$.higher_is_better' AS BOOLEAN), true) AS higher_is_better,
  data ->> '$.source' AS source, data ->> '$.date' AS date, data ->> '$.author' AS author,
  recorded_at AS published_at, seq, false AS merged
FROM fold_events WHERE type = 'high_score_published' ORDER BY seq
"""
_EQUIVALENCES = """
SELECT stream AS benchmark_id, least(data ->> '$.revisions[0]', data ->> '$.revisions[1]') AS one,
  greatest(data ->> '$.revisions[0]', data ->> '$.revisions[1]') AS other, type = 'equivalence_declared' AS is_declared,
  data ->> '$.author' AS author, data ->> '$.reason' AS reason, recorded_at AS declared_at, seq, false AS merged
FROM fold_events WHERE type IN ('equivalence_declared', 'equivalence_withdrawn')
  AND json_array_length(data -> '$.revisions') = 2 AND one <> other ORDER BY seq
"""
# The data of events is nearly all of the file: with zstd it is a quarter as large, and written in half the time.
_EVENTS = """
CREATE TABLE events (
  seq BIGINT, recorded_at TIMESTAMP, type VARCHAR, stream VARCHAR, version BIGINT, data JSON USING COMPRESSION zstd
)
"""
_VOID = "CREATE TABLE void (seq BIGINT)"
_TABLES = """
CREATE TABLE samples (
  run_id VARCHAR, number BIGINT, sample_id VARCHAR, score DOUBLE, correct BOOLEAN, sample_json JSON, excluded BOOLEAN
);
"""


class AnalyticsError(ProjectionError):
    """`analytics.duckdb` cannot be built or opened; the ledger is untouched."""


class _Touched(Exception):
    """Another program has changed the file since it was looked at."""


@functools.cache
def _sql(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


class _Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    """What a database holds: the digest of the rules that made it, and its place in the ledger."""

    rules: str
    seq: int
    hash: str


@functools.cache
def _rules() -> str:
    """A digest of all that the content of a database depends on besides the ledger."""
    rules = (
        _sql("fold.sql"),
        _sql("views.sql"),
        _sql("claims.sql"),
        _HIGH_SCORES,
        _EQUIVALENCES,
        _MEET,
        _EVENTS,
        _VOID,
        _TABLES,
        metadata.version("duckdb"),
    )
    return sha256("\n".join(rules).encode()).hexdigest()


@contextlib.contextmanager
def open_analytics(workspace: Workspace, store: EventReader, *, notice: Notice | None = None) -> Iterator[Path]:
    """An up-to-date database, to be opened read-only while this lasts.

    It is the workspace's own. For the ledger's past, and if the workspace has no results or cannot be written, it is a
    temporary one. `notice` gets a line about what another program has changed. Raises AnalyticsError and LedgerDamaged.
    """
    if not isinstance(store, Past) and workspace.results.is_dir() and os.access(workspace.results, os.W_OK):
        database = refresh(workspace, store, notice=notice)
        with readable(database) as path:
            yield path
        return
    with plain_temporary_folder() as folder:
        with _problems_named(folder / NAME, store):
            _rebuild(folder / NAME, workspace, store, folder / "cache")
        yield folder / NAME


def refresh(workspace: Workspace, store: EventReader, *, notice: Notice | None = None) -> Path:
    """Bring the workspace's `analytics.duckdb` up to the ledger's head; nothing is written if it is there already.

    Readers keep the file that they have open. A file that another program has changed is built anew, and `notice` gets
    a line. Raises AnalyticsError and LedgerDamaged.
    """
    database = workspace.results / NAME
    with exclusive(database, notice=notice) as kept, _problems_named(database, store):
        state = _checkpoint_of(kept)
        with contextlib.suppress(_Touched):
            if state is not None and _follow(kept, workspace, store, state):
                return database
        if notice is not None and kept.left is not None and os.path.lexists(database) and not _is_untouched(kept):
            notice(f"{NAME} was changed, or copied here, since it was written: it is built anew from the ledger")
        with _building(kept) as build:
            head = _rebuild(build, workspace, store, workspace.results / _CACHE)
            kept.note = _note(head)
    return database


def _is_untouched(kept: KeptFile) -> bool:
    """DuckDB would apply a log of changes beside the file when it opens it; this program leaves none."""
    return kept.is_untouched() and not os.path.lexists(_log_of(kept.path))


def _log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.wal")


def _follow(kept: KeptFile, workspace: Workspace, store: EventReader, state: Head) -> bool:
    """Bring a database up from its checkpoint; False if that is not a place of this ledger, or the file changes."""
    if not is_place_of(store, State(state.seq, state.hash, "")):
        return False
    with plain_temporary_folder() as temporary:
        tail = spool(store, state, temporary / "tail.jsonl")
        if tail is None:
            return False
        if tail.head == state:
            return True
        if any(store.read(state.seq, types=[SetAside.type])):
            return False  # What was set aside may be of any age.
        with _building(kept) as build:
            shutil.copyfile(kept.path, build)
            if not _is_untouched(kept):
                raise _Touched
            with contextlib.closing(_connect(build)) as connection:
                connection.execute("BEGIN")
                connection.execute(f"INSERT INTO events {events_of(str(tail.path), longest=tail.longest)}")
                _pass_over(connection, tail.void)
                connection.execute(
                    "CREATE TEMP TABLE touched AS SELECT DISTINCT stream FROM events WHERE seq > ?", [state.seq]
                )
                _count(connection, f"FROM events WHERE seq > {state.seq}")
                connection.execute(f"INSERT INTO high_scores {_HIGH_SCORES}")
                connection.execute(f"INSERT INTO equivalences {_EQUIVALENCES}")
                _mark_merged(connection, store, state.seq)
                _fold(connection, "FROM events WHERE stream IN (FROM touched)")
                connection.execute(
                    "CREATE TEMP TABLE corrected AS SELECT DISTINCT stream FROM events WHERE seq > ? "
                    "AND type IN ('samples_excluded', 'samples_included', 'rescored')",
                    [state.seq],
                )
                connection.execute(
                    "CREATE TEMP TABLE read AS SELECT run_id FROM runs WHERE status <> 'running' "
                    "AND contains(artifacts_json, 'samples.jsonl') AND run_id NOT IN (FROM corrected);"
                    "DELETE FROM samples WHERE run_id IN (FROM corrected);"
                    "DELETE FROM runs WHERE run_id IN (FROM touched);"
                    "DELETE FROM run_groups WHERE run_group_id IN (FROM touched);"
                    "INSERT INTO runs FROM folded_runs; INSERT INTO run_groups FROM folded_groups;"
                )
                _let_meet(connection)
                load_samples(connection, workspace, temporary, "run_id IN (FROM touched) AND run_id NOT IN (FROM read)")
                connection.execute("COMMIT")
            kept.note = _note(tail.head)
    return True


def _rebuild(build: Path, workspace: Workspace, store: EventReader, cache: Path) -> Head:
    """Write a database of the whole ledger; its place in the ledger."""
    with plain_temporary_folder() as folder, contextlib.closing(_connect(build)) as connection:
        files, sealed = sealed_parquet(store, cache, connection)
        tail = spool(store, sealed, folder / "tail.jsonl")
        if tail is None:
            # The sealed segments do not continue as they should: the ledger finds the place of the break.
            files, tail = [], spool(store, Head(), folder / "tail.jsonl")
        assert tail is not None  # noqa: S101 - for the type checker: from its first event a ledger continues
        parts = [events_of(str(tail.path), longest=tail.longest)]
        voids = tail.void
        if files:
            segments = f"read_parquet([{', '.join(quoted(str(file)) for file in files)}])"
            parts.insert(0, f"SELECT * EXCLUDE (is_void) FROM {segments}")  # noqa: S608 - quoted paths
            voids += [seq for (seq,) in connection.execute(f"SELECT seq FROM {segments} WHERE is_void").fetchall()]  # noqa: S608
        connection.execute(_EVENTS)
        connection.execute(_VOID)
        connection.execute(f"INSERT INTO events {' UNION ALL '.join(parts)}")
        _pass_over(connection, {*voids, *set_aside_in(store)})
        _fold(connection, "FROM events")
        connection.execute(
            f"CREATE TABLE high_scores AS {_HIGH_SCORES};"
            f"CREATE TABLE equivalences AS {_EQUIVALENCES};"
            "CREATE TABLE runs AS FROM folded_runs ORDER BY first_seq;"
            "CREATE TABLE run_groups AS FROM folded_groups;"
        )
        _mark_merged(connection, store, 0)
        _let_meet(connection)
        connection.execute(_TABLES)
        load_samples(connection, workspace, folder, "true")
        connection.execute(_sql("views.sql"))
        connection.execute(_sql("claims.sql"))
        _comment(connection)
        return tail.head


def _count(connection: duckdb.DuckDBPyConnection, events: str) -> None:
    """Let `fold_events` be those of the events that count."""
    counting = f"SELECT * FROM ({events}) WHERE seq NOT IN (FROM void)"  # noqa: S608 - ours
    connection.execute(f"CREATE OR REPLACE TEMP VIEW fold_events AS {counting}")


def _fold(connection: duckdb.DuckDBPyConnection, events: str) -> None:
    """Define what is made of those events."""
    _count(connection, events)
    connection.execute(_sql("fold.sql"))


def _pass_over(connection: duckdb.DuckDBPyConnection, positions: Collection[int]) -> None:
    """Note the events that do not count: void events, and those that were set aside."""
    connection.execute("INSERT INTO void SELECT unnest(?::BIGINT[])", [list(positions)])


def _mark_merged(connection: duckdb.DuckDBPyConnection, store: EventReader, after: int) -> None:
    """Mark references and declarations that came with other ledgers: they do not replace those that were made here."""
    for record in store.read(after, types=[Merged.type]):
        for first, count in brought_by(record):
            for table in ("high_scores", "equivalences"):
                connection.execute(
                    f"UPDATE {table} SET merged = true WHERE seq >= ? AND seq < ?",  # noqa: S608 - our names
                    [first, first + count],
                )


_MEET = """
UPDATE runs SET comparison_key = key.wanted
FROM (
  SELECT run_id AS id, fenced(options_key, canonical, scorer) AS wanted
  FROM (
    SELECT run_id, options_key, scorer_json ->> '$.sha256' AS scorer,
      coalesce(c.canonical, task_revision_json ->> '$.digest', 'unknown') AS canonical
    FROM runs r LEFT JOIN revision_classes c
      ON r.benchmark_id = c.benchmark_id AND coalesce(r.task_revision_json ->> '$.digest', 'unknown') = c.revision
    WHERE r.benchmark_id IN (SELECT benchmark_id FROM equivalences)
  )
) key WHERE run_id = key.id AND comparison_key <> key.wanted
"""
"""Gives runs of equivalent revisions one comparison key, and all others of their benchmarks their own."""


def _let_meet(connection: duckdb.DuckDBPyConnection) -> None:
    """Apply the declarations of equivalent revisions to the runs."""
    rows = connection.execute(
        "SELECT benchmark_id, one, other, is_declared FROM equivalences WHERE NOT merged ORDER BY seq"
    ).fetchall()
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE revision_classes (benchmark_id VARCHAR, revision VARCHAR, canonical VARCHAR)"
    )
    classes = classes_of(Statement(*row) for row in rows)
    found = [(name, *one) for name, members in classes.items() for one in members.items()]
    if found:
        connection.executemany("INSERT INTO revision_classes VALUES (?, ?, ?)", found)
    if rows:
        connection.execute(_MEET)


def _comment(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a DuckDB client show what `describe` says."""
    kinds = dict(connection.execute("SELECT table_name, table_type FROM information_schema.tables").fetchall())
    remarks = []
    for view in describe():
        kind = "VIEW" if kinds[view.name] == "VIEW" else "TABLE"
        remarks.append(f"COMMENT ON {kind} {view.name} IS {quoted(view.about)}")
        remarks += [f"COMMENT ON COLUMN {view.name}.{c.name} IS {quoted(c.about)}" for c in view.columns]
    connection.execute(f"BEGIN; {'; '.join(remarks)}; COMMIT")


def _note(head: Head) -> bytes:
    return msgspec.json.encode(_Checkpoint(_rules(), head.seq, head.hash))


def _checkpoint_of(kept: KeptFile) -> Head | None:
    """The place in the ledger of a database that is as its writer left it; None if other rules made it."""
    if not _is_untouched(kept):
        return None
    try:
        left = msgspec.json.decode(kept.left_note, type=_Checkpoint)
    except msgspec.DecodeError:
        return None
    return Head(left.seq, left.hash) if left.rules == _rules() else None


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(config={"python_enable_replacements": "false"})
    connection.execute("SET TimeZone = 'UTC'")  # Of times without an offset.
    connection.execute(f"ATTACH {quoted(str(path))} AS analytics (ROW_GROUP_SIZE {_ROW_GROUP}); USE analytics")
    return connection


@contextlib.contextmanager
def _building(kept: KeptFile) -> Iterator[Path]:
    """A new file, by a path that DuckDB reads, that takes the place of the database at the end."""
    with replacing(kept) as build:
        try:
            with writable(build) as path:
                yield path
            kept.remove(_log_of(kept.path))
        finally:
            _log_of(build).unlink(missing_ok=True)


@contextlib.contextmanager
def _problems_named(database: Path, store: EventReader) -> Iterator[None]:
    """Raise problems with the file as AnalyticsError, or as LedgerDamaged if an event cannot be read."""
    try:
        yield
    except Exception as problem:
        if not isinstance(problem, OSError) and not _is_of_duckdb(problem):
            raise
        for _ in store.read():  # It knows the place of an event that its writer should not have written.
            pass
        raise AnalyticsError(f"{database} cannot be built: {problem}") from problem


def _is_of_duckdb(problem: Exception) -> bool:
    """It can be only if DuckDB was loaded; to load it in order to ask takes longer than the rest of a query."""
    duckdb = sys.modules.get("duckdb")
    return duckdb is not None and isinstance(problem, duckdb.Error)
