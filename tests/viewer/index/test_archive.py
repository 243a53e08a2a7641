"""The history: it follows the ledger event by event, and looks back to any moment."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.events import Annotated, Heartbeat, NewEvent, Retracted
from benchmarks.ledger.past import Past
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.sqlite.opening import open_apart
from benchmarks.projections.workspace import Workspace
from benchmarks.viewer.index import archive as archives
from benchmarks.viewer.index.archive import Archive, NoSuchMoment
from benchmarks.viewer.index.row import read_rows
from benchmarks.viewer.index.run_table import RunTable
from tests.conftest import Histories


@pytest.fixture
def archive(tmp_path, store):
    return Archive(Workspace(tmp_path / "w"), store)


def rows_of(reader):
    with open_apart(reader) as connection:
        return RunTable(read_rows(connection)).rows


def check_now(archive):
    with archive.look() as view:
        assert view.table.rows == rows_of(archive.store)
        assert view.head.position == sum(1 for _ in archive.store.read()) and not view.head.past


@settings(max_examples=40)
@given(st.lists(Histories.events(), min_size=1, max_size=3))
def test_following_equals_folding_now_and_at_every_earlier_moment(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("archive")
    store = JsonlStore(folder / "ledger", notice=print)
    archive = Archive(Workspace(folder), store)
    for batch in batches:
        store.append(lambda _, batch=batch: batch, lambda _: None)
        check_now(archive)
    with archive.look() as view:
        last = view.head.position
    for position in {0, 1, last // 3, last // 2, last - 1} & set(range(last)):
        with archive.look(str(position)) as then:
            assert then.table.rows == rows_of(Past(store, position))
            assert (then.head.position, then.head.past) == (position, True)
    store.close()


def test_the_past_of_overlapping_runs_equals_a_fold(archive, store, histories):
    def story(run_id, score):
        yield NewEvent(run_id, histories.started(run_id))
        yield NewEvent(run_id, Heartbeat())
        yield NewEvent(run_id, histories.finished(score))
        yield NewEvent(run_id, Annotated(author="x", note="y"))
        yield NewEvent(run_id, Retracted(author="x", reason="y"))

    stories = [story(f"run_{number}", score) for number, score in enumerate([0.5, 0.9, 0.7])]
    for place in [0, 1, 0, 2, 0, 1, 2, 1, 2, 0, 1, 2, 1, 0, 2]:
        event = next(stories[place])
        store.append(lambda _, event=event: [event], lambda _: None)
    check_now(archive)
    for position in range(15):
        with archive.look(str(position)) as then:
            assert then.table.rows == rows_of(Past(store, position)), position


def test_a_new_event_reads_only_the_rows_that_it_changes(archive, store, histories, monkeypatch):
    events = [NewEvent(f"run_{number}", histories.started(str(number))) for number in range(50)]
    histories.append_anyway(store, events)
    check_now(archive)
    read = rows_read(monkeypatch)
    histories.append_anyway(store, [NewEvent("run_7", histories.finished(0.5))])
    with archive.look() as view:
        assert view.table.find("run_7").status == "succeeded"
    assert read == ["run_7"]
    assert archive.changes_since(50) == ["run_7"] and archive.changes_since(51) == []
    with archive.look():
        pass
    assert read == ["run_7"], "nothing happened, so nothing was read"


@pytest.fixture
def short(monkeypatch):
    """An index of few runs is kept in a file too."""
    monkeypatch.setattr(archives, "_MIN_ROWS", 1)
    monkeypatch.setattr(archives, "_MIN_NEW_EVENTS", 0)


def rows_read(monkeypatch):
    """The ids of the rows that are read from the table from now on."""
    read = []

    def counted(*given):
        for row in read_rows(*given):
            read.append(row.run_id)
            yield row

    monkeypatch.setattr(archives, "read_rows", counted)
    return read


def test_the_next_server_begins_with_the_index_that_was_kept(archive, histories, monkeypatch, short):
    store = archive.store
    archive.workspace.results.mkdir(parents=True)
    events = [NewEvent(f"run_{number}", histories.started(str(number))) for number in range(20)]
    histories.append_anyway(store, events)
    archive.keep_index()
    histories.append_anyway(store, [NewEvent("run_7", histories.finished(0.5)), NewEvent("run_3", Heartbeat())])
    read = rows_read(monkeypatch)
    later = Archive(archive.workspace, store)
    check_now(later)
    assert read == ["run_3", "run_7"], "only what is new"
    assert sorted(later.changes_since(20)) == ["run_3", "run_7"]
    with later.look("20") as then:
        assert then.table.find("run_7").status == "running"


@pytest.mark.parametrize("what", ["another ledger", "a shorter ledger", "a changed file", "no file"])
def test_an_index_that_does_not_fit_is_not_used(tmp_path, histories, monkeypatch, short, what):
    workspace = Workspace(tmp_path)

    def store_with(first, last):
        for segment in workspace.ledger.glob("*.jsonl"):
            segment.unlink()
        store = JsonlStore(workspace.ledger, notice=print)
        runs = range(first, last)
        histories.append_anyway(store, [NewEvent(f"run_{number}", histories.started(str(number))) for number in runs])
        return store

    store = store_with(0, 10)
    Archive(workspace, store).keep_index()
    store.close()
    first, last = {"another ledger": (5, 15), "a shorter ledger": (0, 4)}.get(what, (0, 10))
    store = store_with(first, last) if (first, last) != (0, 10) else JsonlStore(workspace.ledger, notice=print)
    if what == "a changed file":
        content = bytearray(workspace.viewer_index.read_bytes())
        content[200] ^= 1
        workspace.viewer_index.write_bytes(content)
    elif what == "no file":
        workspace.viewer_index.unlink()
    read = rows_read(monkeypatch)
    check_now(Archive(workspace, store))
    assert len(read) == last - first, "all of them"
    store.close()


def test_another_ledger_is_read_from_the_start(tmp_path, histories):
    def store_with(*run_ids):
        store = JsonlStore(tmp_path / "ledger", notice=print)
        histories.append_anyway(store, [NewEvent(run_id, histories.started(run_id)) for run_id in run_ids])
        return store

    archive = Archive(Workspace(tmp_path), store_with("run_a", "run_b"))
    check_now(archive)
    for segment in (tmp_path / "ledger").glob("*.jsonl"):
        segment.unlink()
    archive.store.close()
    archive.store = store_with("run_x", "run_y", "run_z")
    check_now(archive)
    assert archive.changes_since(2) is None, "changes of another ledger are unknown here"


def test_many_changes_are_not_listed_one_by_one(archive, store, histories):
    histories.append_anyway(store, [NewEvent("run_0", histories.started("0"))])
    check_now(archive)
    many = archives._CHANGES + 10
    histories.append_anyway(store, [NewEvent(f"run_{n}", histories.started(str(n))) for n in range(1, many)])
    check_now(archive)
    assert archive.changes_since(1) is None
    assert archive.changes_since(many) == []


def test_moments_are_named_by_position_and_by_time(archive, store, histories):
    for number in range(3):
        histories.append_anyway(store, [NewEvent(f"run_{number}", histories.started(str(number)))])
    times = [record.at for record in store.read()]
    with archive.look(times[1]) as view:
        assert view.head.position == 2 and view.head.at == times[1] and len(view.table.rows) == 2
    with archive.look("1999-01-01") as view:
        assert view.head.position == 0 and view.table.rows == [] and view.head.past
    with pytest.raises(NoSuchMoment, match="event 4 does not exist yet"), archive.look("4"):
        pass
    for later in ("3", "2999-01-01T00:00:00Z"):
        with archive.look(later) as view:
            assert not view.head.past and len(view.table.rows) == 3
    for nonsense in ("yesterday", "-1", "1e3", ""):
        with pytest.raises(NoSuchMoment, match="neither a time such as"), archive.look(nonsense):
            pass


def test_a_run_is_found_as_it_was(archive, store, histories):
    histories.append_anyway(
        store,
        [
            NewEvent("run_a", histories.started("a")),
            NewEvent("run_b", histories.started("b")),
            NewEvent("run_a", Heartbeat()),
            NewEvent("run_a", histories.finished(0.5)),
            NewEvent("run_a", Annotated(author="x", note="well")),
            NewEvent("run_a", Retracted(author="x", reason="wrong")),
        ],
    )
    assert archive.find_run("run_b", "1") is None and archive.find_run("run_x") is None
    assert [archive.find_run("run_a", str(seq)).status for seq in (1, 3, 4)] == ["running", "running", "succeeded"]
    assert archive.find_run("run_a", "5").retracted is None
    assert archive.find_run("run_a").retracted.reason == "wrong"


def test_a_private_projection_follows_in_a_read_only_workspace(tmp_path, store, histories, monkeypatch):
    from benchmarks.projections.sqlite.database import ProjectionError, open_current

    (tmp_path / "w" / "benchmark_results").mkdir(parents=True)
    archive = Archive(Workspace(tmp_path / "w"), store)

    def read_only(path, reader, **more):
        if path == archive.workspace.database:
            raise ProjectionError("read-only")
        return open_current(path, reader, **more)

    monkeypatch.setattr(archives, "open_current", read_only)
    for number in range(2):
        histories.append_anyway(store, [NewEvent(f"run_{number}", histories.started(str(number)))])
        check_now(archive)
    assert not archive.workspace.database.exists()
