"""Another program changes a projection: no reader believes it, the file is rebuilt, and the user gets a note."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess

import pytest

from benchmarks.ledger.events import HighScorePublished, NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.analytics.build import NAME as ANALYTICS
from benchmarks.projections.analytics.query import run_query
from benchmarks.projections.sqlite.database import ForeignDatabase, open_current, open_readonly, rebuild, refresh
from benchmarks.projections.sqlite.opening import open_history
from benchmarks.projections.sqlite.viewer_data import update_dataset
from benchmarks.projections.workspace import Workspace
from benchmarks.viewer.index.archive import Archive
from tests.conftest import COMMAND

RUNS = 40


@pytest.fixture
def workspace(tmp_path, histories):
    workspace = Workspace(tmp_path / "w")
    store = JsonlStore(workspace.ledger, notice=print)
    events = []
    for number in range(RUNS):
        events.append(NewEvent(f"run_{number}", histories.started(f"s{number}")))
        events.append(NewEvent(f"run_{number}", histories.finished(number / 100)))
    histories.append_anyway(store, events)
    reference = HighScorePublished(label="someone", value=0.5, unit="ratio", source="https://example.org")
    histories.append_anyway(store, [NewEvent("b", reference)])
    store.close()
    return workspace


@pytest.fixture
def store(workspace):
    store = JsonlStore(workspace.ledger, notice=print)
    yield store
    store.close()


def execute(*statements):
    def edit(path):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return edit


def write(change):
    def edit(path):
        path.write_bytes(change(path.read_bytes()))

    return edit


def flip(content):
    return bytes(byte ^ 0x20 if place % 977 == 976 else byte for place, byte in enumerate(content))


def in_place_with_old_times(path):
    told = path.stat()
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(b"succeeded"))
        file.write(b"failed   ")
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))


def left_in_a_log(path):
    """What the first orchestrator does: write-ahead log, and a process that is killed before it cleans up."""
    aside = path.with_name("aside")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE benchmark_runs SET status = 'failed'")
        connection.commit()
        shutil.copytree(path.parent, aside)
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy(aside / name, path.with_name(name))
    shutil.rmtree(aside)


HARMLESS = {"the version changed", "the user version", "the application", "other pages", "cut in a page", "longer"}
"""The file says the same as the ledger: it is rebuilt, and there is nothing to tell."""

EDITS = {
    "a row changed": execute("UPDATE benchmark_runs SET status = 'failed' WHERE run_id = 'run_3'"),
    "a score changed": execute("UPDATE benchmark_runs SET score = 0.99 WHERE run_id = 'run_3'"),
    "a row deleted": execute("DELETE FROM benchmark_runs WHERE run_id = 'run_3'"),
    "all rows deleted": execute("DELETE FROM benchmark_runs"),
    "a row moved": execute("UPDATE benchmark_runs SET rowid = 1000 WHERE run_id = 'run_3'"),
    "a reference changed": execute("UPDATE high_scores SET value = 0.1"),
    "a reference deleted": execute("DELETE FROM high_scores"),
    "the position set forward": execute("UPDATE projection_state SET position = position + 1"),
    "the position set back": execute("UPDATE projection_state SET position = 3"),
    "the hash changed": execute("UPDATE projection_state SET head_hash = 'x'"),
    "the state deleted": execute("DELETE FROM projection_state"),
    "the version changed": execute("UPDATE projection_state SET version = 1"),
    "the version is a text": execute("UPDATE projection_state SET version = 'x', position = 'y'"),
    "the table of states dropped": execute("DROP TABLE projection_state"),
    "the table of runs dropped": execute("DROP TABLE benchmark_runs"),
    "a column dropped": execute("ALTER TABLE benchmark_runs DROP COLUMN notes_json"),
    "a column renamed": execute("ALTER TABLE benchmark_runs RENAME COLUMN score TO points"),
    "a column added": execute("ALTER TABLE benchmark_runs ADD COLUMN mine TEXT"),
    "a table of another shape": execute("DROP TABLE benchmark_runs", "CREATE TABLE benchmark_runs (run_id, status)"),
    "an index dropped": execute("DROP INDEX runs_by_start"),
    "a table added": execute("CREATE TABLE mine (a)"),
    "a trigger added": execute(
        "CREATE TRIGGER t AFTER INSERT ON benchmark_runs BEGIN UPDATE benchmark_runs SET score = 1; END"
    ),
    "a view added": execute("CREATE VIEW v AS SELECT 1"),
    "a view in place of a table": execute(
        "ALTER TABLE benchmark_runs RENAME TO r", "CREATE VIEW benchmark_runs AS SELECT * FROM r"
    ),
    "a view without an end": execute(
        "ALTER TABLE benchmark_runs RENAME TO r",
        "CREATE VIEW benchmark_runs AS WITH RECURSIVE n(run_id) AS (SELECT 1 UNION ALL SELECT run_id + 1 FROM n) "
        "SELECT * FROM n",
    ),
    "the user version": execute("PRAGMA user_version = 7"),
    "the application": execute("PRAGMA application_id = 7"),
    "other pages": execute("PRAGMA auto_vacuum = FULL", "PRAGMA page_size = 4096", "VACUUM"),
    "a log that stays": execute("PRAGMA journal_mode = WAL", "UPDATE benchmark_runs SET score = 1"),
    "bytes changed in place, with the old times": in_place_with_old_times,
    "bytes flipped everywhere": write(flip),
    "cut short": write(lambda content: content[: len(content) // 2]),
    "cut in a page": write(lambda content: content[:-100]),
    "empty": write(lambda content: b""),
    "a text": write(lambda content: b"no database at all" * 100),
    "longer": write(lambda content: content + bytes(16384)),
}


@pytest.fixture
def expected(store, tmp_path):
    path = tmp_path / "expected.sqlite"
    rebuild(path, store)
    return path.read_bytes()


@pytest.mark.parametrize("name", EDITS)
def test_a_reader_does_not_believe_a_changed_database_but_rebuilds_it_and_says_so(workspace, store, expected, name):
    refresh(workspace.database, store)
    EDITS[name](workspace.database)
    told = []
    with open_history(workspace, store, notice=told.append) as history:
        rows = history.execute("SELECT run_id, status, score FROM benchmark_runs ORDER BY rowid").fetchall()
    assert rows == [(f"run_{number}", "succeeded", number / 100) for number in range(RUNS)]
    assert workspace.database.read_bytes() == expected
    assert len(told) == (name not in HARMLESS)
    assert all("orchestrator.sqlite was changed by another program" in line for line in told)
    before = list(told)
    with open_history(workspace, store, notice=told.append):
        pass
    assert told == before, "it is reported once"
    others = {file.name for file in workspace.results.iterdir()}
    assert others == {"ledger", "orchestrator.sqlite", ".orchestrator.sqlite.lock"}


@pytest.mark.parametrize("edit", [EDITS["a row changed"], in_place_with_old_times, write(flip)])
def test_a_changed_database_is_not_followed_either(workspace, store, histories, edit):
    refresh(workspace.database, store)
    edit(workspace.database)
    histories.append_anyway(store, [NewEvent("run_new", histories.started("new"))])
    with open_history(workspace, store) as history:
        counts = dict(history.execute("SELECT status, count(*) FROM benchmark_runs GROUP BY status"))
    assert counts == {"succeeded": RUNS, "running": 1}


def test_the_report_says_how_many_rows_differ(workspace, store):
    refresh(workspace.database, store)
    execute("UPDATE benchmark_runs SET score = 1 WHERE rowid <= 6", "DELETE FROM high_scores")(workspace.database)
    told = []
    refresh(workspace.database, store, notice=told.append)
    assert "(6 rows differ in benchmark_runs, 1 row differs in high_scores)" in told[0]


def test_runs_that_only_the_changed_database_has_are_kept_and_can_be_imported(workspace, store):
    refresh(workspace.database, store)
    names = "run_id, run_group_id, benchmark_id, status, score, agent, provider, model, attempt, started_at, signature"
    row = "'mine', 'rg', 'b', 'succeeded', 0.5, 'eliza', 'p', 'm', 1, '2026-01-01T10:00:00+00:00', 's'"
    execute(f"INSERT INTO benchmark_runs ({names}) VALUES ({row})")(workspace.database)
    told = []
    refresh(workspace.database, store, notice=told.append)
    kept = workspace.results / "orchestrator.first.sqlite"
    assert "1 run that the ledger does not have" in told[0] and "hint: " in told[0] and str(kept) in told[0]
    with open_readonly(kept) as connection:
        assert connection.execute("SELECT count(*) FROM benchmark_runs").fetchone() == (RUNS + 1,)
    with open_readonly(workspace.database) as connection:
        assert connection.execute("SELECT count(*) FROM benchmark_runs").fetchone() == (RUNS,)
    command = [*COMMAND, "--workspace", str(workspace.root), "ledger", "import-sqlite", str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "1 runs imported" in done.stdout, done.stderr


def test_a_workspace_that_was_only_copied_is_silent(workspace, store, tmp_path, histories):
    refresh(workspace.database, store)
    shutil.copytree(workspace.root, tmp_path / "copy")
    copy = Workspace(tmp_path / "copy")
    told = []
    with contextlib.closing(JsonlStore(copy.ledger, notice=print)) as store_there:
        histories.append_anyway(store_there, [NewEvent("run_new", histories.started("new"))])
        assert refresh(copy.database, store_there, notice=told.append).position == 2 * RUNS + 2
    assert told == []


def test_a_writer_that_was_killed_is_no_other_program(workspace, store):
    refresh(workspace.database, store)
    workspace.database.with_name(".orchestrator.sqlite.lock").write_bytes(b"")
    EDITS["a row changed"](workspace.database)
    told = []
    with open_history(workspace, store, notice=told.append) as history:
        assert history.execute("SELECT count(*) FROM benchmark_runs WHERE status = 'failed'").fetchone() == (0,)
    assert told == []


def test_a_log_of_another_program_leaves_the_file_alone_and_the_answer_right(workspace, store):
    refresh(workspace.database, store)
    left_in_a_log(workspace.database)
    before = workspace.database.read_bytes()
    with open_history(workspace, store) as history:
        assert history.execute("SELECT count(*) FROM benchmark_runs WHERE status = 'failed'").fetchone() == (0,)
    assert workspace.database.read_bytes() == before
    with pytest.raises(ForeignDatabase):
        refresh(workspace.database, store)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_not_a_file_is_put_aside(workspace, store, tmp_path, expected, kind):
    refresh(workspace.database, store)
    database, other = workspace.database, tmp_path / "other.sqlite"
    rebuild(other, store)
    EDITS["a row changed"](other)
    content = other.read_bytes()
    database.unlink()
    {"link": lambda: database.symlink_to(other), "pipe": lambda: os.mkfifo(database), "folder": database.mkdir}[kind]()
    told = []
    with open_history(workspace, store, notice=told.append) as history:
        assert history.execute("SELECT count(*) FROM benchmark_runs WHERE status = 'failed'").fetchone() == (0,)
    assert database.read_bytes() == expected and other.read_bytes() == content
    assert (
        "it is not a regular file): it is built anew from the ledger. What was there is kept as orchestrator.first"
        in told[0]
    )


def test_a_snapshot_that_is_open_cannot_be_changed_by_a_program_that_heeds_locks(workspace, store):
    with open_current(workspace.database, store) as (connection, _):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            execute("PRAGMA busy_timeout = 0", "UPDATE benchmark_runs SET status = 'failed'")(workspace.database)
        assert connection.execute("SELECT count(*) FROM benchmark_runs WHERE status = 'failed'").fetchone() == (0,)


def test_the_viewer_notices_a_change_while_it_serves(workspace, store):
    told = []
    archive = Archive(workspace, store, told.append)
    assert archive.find_run("run_3").status == "succeeded"
    EDITS["a row changed"](workspace.database)
    execute("UPDATE high_scores SET value = 0.9")(workspace.database)
    assert archive.find_run("run_3").status == "succeeded"
    with archive.database() as connection:
        assert connection.execute("SELECT value FROM high_scores").fetchone() == (0.5,)
    assert len(told) == 1


def test_what_killed_builders_left_is_removed(workspace, store):
    left = [workspace.results / f"{name}.build-{pid}" for name in ("orchestrator.sqlite", ANALYTICS) for pid in (1, 99)]
    for file in left:
        file.write_bytes(b"half")
    (workspace.results / "orchestrator.sqlite.build-7").mkdir()
    rebuild(workspace.database, store)
    run_query(workspace, store, "SELECT 1")
    assert [file for file in left if file.exists()] == []


# -- viewer_data.json


def test_lines_of_a_changed_document_are_not_kept(workspace, store, histories):
    def update():
        with open_history(workspace, store) as connection:
            update_dataset(connection, workspace.viewer_data, store, notice=told.append)

    told = []
    update()
    whole = workspace.viewer_data.read_bytes()
    workspace.viewer_data.write_bytes(whole.replace(b'"score":0.03,', b'"score":0.99,'))
    update()
    assert workspace.viewer_data.read_bytes() == whole and len(told) == 1
    workspace.viewer_data.write_bytes(whole.replace(b'"score":0.03,', b'"score":0.99,'))
    histories.append_anyway(store, [NewEvent("run_new", histories.started("new"))])
    update()
    assert b'"score":0.99,' not in workspace.viewer_data.read_bytes() and len(told) == 2


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_document_that_is_not_a_file_is_replaced(workspace, store, tmp_path, kind):
    path = workspace.viewer_data
    other = tmp_path / "other"
    other.write_text("mine")
    path.symlink_to(other) if kind == "link" else os.mkfifo(path)
    with open_history(workspace, store) as connection:
        update_dataset(connection, path, store)
    assert path.is_file() and not path.is_symlink() and other.read_text() == "mine"


# -- analytics.duckdb


def failed_runs(workspace, store, told):
    query = "SELECT count(*) FROM runs WHERE status = 'failed'"
    return run_query(workspace, store, query, notice=told.append).rows


def edit_analytics(path):
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE runs SET status = 'failed'")


@pytest.mark.slow
@pytest.mark.parametrize(
    "edit",
    [edit_analytics, write(lambda content: b""), write(flip), write(lambda content: content[: len(content) // 2])],
    ids=["rows changed", "empty", "flipped", "cut"],
)
@pytest.mark.parametrize("is_followed", [False, True])
def test_a_changed_analytics_database_is_not_believed(workspace, store, histories, edit, is_followed):
    told = []
    assert failed_runs(workspace, store, told) == [[0]]
    edit(workspace.results / ANALYTICS)
    if is_followed:
        histories.append_anyway(store, [NewEvent("run_new", histories.started("new"))])
    assert failed_runs(workspace, store, told) == [[0]]
    assert len(told) == 1 and f"{ANALYTICS} was changed" in told[0]


def test_a_log_of_changes_beside_the_analytics_database_is_not_applied(workspace, store, tmp_path):
    import duckdb

    told = []
    assert failed_runs(workspace, store, told) == [[0]]
    path = workspace.results / ANALYTICS
    shutil.copy2(path, tmp_path / ANALYTICS)
    connection = duckdb.connect(str(tmp_path / ANALYTICS))
    connection.execute("UPDATE runs SET status = 'failed'")
    shutil.copy(tmp_path / f"{ANALYTICS}.wal", path.with_name(f"{ANALYTICS}.wal"))
    connection.close()
    assert failed_runs(workspace, store, told) == [[0]]


def test_a_changed_parquet_file_of_a_segment_is_not_believed(tmp_path, histories):
    import duckdb

    workspace = Workspace(tmp_path / "w")
    told = []
    with contextlib.closing(JsonlStore(workspace.ledger, notice=print, segment_bytes=4096)) as store:
        for number in range(20):
            end = NewEvent(f"run_{number}", histories.finished(0.5))
            histories.append_anyway(store, [NewEvent(f"run_{number}", histories.started(str(number))), end])
        assert failed_runs(workspace, store, told) == [[0]]
        files = sorted((workspace.results / "cache" / "segments").iterdir())
        assert len(files) > 1
        with duckdb.connect() as connection:
            table = connection.read_parquet(str(files[0])).filter("type <> 'finished'")
            table.write_parquet(str(tmp_path / "changed.parquet"))
        shutil.copy(tmp_path / "changed.parquet", files[0])
        (files[0].with_name("0.parquet.build-9")).write_bytes(b"half")
        (workspace.results / ANALYTICS).unlink()
        query = "SELECT count(*) FROM runs WHERE status = 'succeeded'"
        assert run_query(workspace, store, query).rows == [[20]]
        assert sorted((workspace.results / "cache" / "segments").iterdir()) == files
