"""For every reader: the latest run goes by the runs' own times, a record by the order of the ledger."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import falcon.testing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.events import Imported, ImportSource, NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.transfer.merge import take_in
from benchmarks.projections.analytics.query import run_query
from benchmarks.projections.scores.check import best_before, check, last_before
from benchmarks.projections.scores.leaderboard import is_eligible, leaderboard
from benchmarks.projections.scores.recency import when
from benchmarks.projections.sqlite.database import read_runs
from benchmarks.projections.sqlite.opening import open_history
from benchmarks.projections.sqlite.viewer_data import build_dataset
from benchmarks.projections.workspace import Workspace
from benchmarks.viewer.app import create_app

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "15"))
SOURCE = ImportSource("csv", "x.csv", "0" * 64)


class Shown:
    """The same ledger as every reader shows it."""

    def __init__(self, root, histories, events):
        self.workspace = Workspace(Path(root))
        store = JsonlStore(self.workspace.ledger, notice=pytest.fail)
        histories.append_anyway(store, events)
        client = falcon.testing.TestClient(create_app(self.workspace.root, store), headers={"Host": "127.0.0.1"})
        self.get = lambda path, **asked: client.simulate_get(path, params=asked).json
        self.sql = lambda query: run_query(self.workspace, store, query).rows
        with open_history(self.workspace, store) as tables:
            self.runs = list(read_runs(tables))
            self.dataset = build_dataset(tables)
        store.close()


def own(histories, number, score, month, *, model="m"):
    name = f"run_{number}"
    end = histories.finished(score, ended_at=f"2027-{month:02}-01T10:00:00.000000Z")
    return [NewEvent(name, histories.started(name, extra_config={}, model=model)), NewEvent(name, end)]


def imported(number, score, **times):
    row = {"benchmark_id": "b", "status": "succeeded", "score": score, "unit": "ratio", "model": "m"}
    row |= {"higher_is_better": True, "comparison_key": "c", "agent": "bare-model", "provider": "local"}
    return [NewEvent(f"run_{number}", Imported(source=SOURCE, run=row | times))]


@pytest.mark.slow
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_all_readers_agree_with_a_plain_sort(data, histories):
    drawn = data.draw(
        st.lists(
            st.tuples(st.integers(0, 4), st.integers(1, 9), st.sampled_from("mn"), st.booleans()),
            min_size=1,
            max_size=9,
        )
    )
    events = []
    for number, (score, month, model, is_own) in enumerate(drawn):
        at = f"2027-{month:02}-01T10:00:00Z"
        made = own(histories, number, score / 10, month, model=model)
        events += made if is_own else imported(number, score / 10, model=model, started_at=at, ended_at=at)
    with TemporaryDirectory() as root:
        shown = Shown(root, histories, events)
        _check(shown, ())
        _check(shown, ("imported",))


def _check(shown, include):
    runs = sorted((run for run in shown.runs if is_eligible(run, include)), key=when)
    assert [when(run)[0] for run in runs] == sorted(when(run)[0] for run in runs)
    latest = {run.model: run.run_id for run in runs}
    best, records, top = {}, [], None
    for run in sorted(runs, key=lambda run: run.run_id):  # As a person would note it, event by event.
        if run.model not in best or run.score > best[run.model][0]:
            best[run.model] = run.score, run.run_id
        records.append((run.run_id, top is None or run.score > top))
        top = run.score if top is None else max(top, run.score)
    expected = {model: (latest[model], best[model][1]) for model in latest}

    board = leaderboard(reversed(shown.runs), include=include)
    assert {one.model: (one.latest_run_id, one.best_run_id) for one in board} == expected
    api = shown.get("/api/leaderboard", include=list(include))["standings"]
    assert {one["model"]: (one["latest_run_id"], one["best_run_id"]) for one in api} == expected
    if include:
        rows = shown.dataset["latest_scores"]
        assert {row["model"]: row["run_id"] for row in rows} == latest
        newest = max(shown.runs, key=when)
        assert shown.dataset["benchmark_summary"][0]["latest_run_id"] == newest.run_id
        assert shown.get("/api/benchmarks")["benchmarks"][0]["latest_run_id"] == newest.run_id
        assert shown.get("/api/overview", days=365)["finished"][0]["run_id"] == newest.run_id
        return
    sql = shown.sql("SELECT model, latest_run_id, best_run_id FROM leaderboard")
    assert {model: tuple(found) for model, *found in sql} == expected
    history = shown.sql("SELECT run_id, is_record FROM score_history")
    assert dict(map(tuple, history)) == dict(records)
    rows = {row["run_id"]: row["is_record"] for row in shown.get("/api/runs")["runs"]}
    assert {run_id: rows[run_id] for run_id, _ in records} == dict(records)
    if runs:
        holder = [run_id for run_id, is_record in records if is_record][-1]
        assert shown.get("/api/benchmarks")["benchmarks"][0]["best_run_id"] == holder
        assert shown.dataset["benchmark_summary"][0]["best_run_id"] == holder


@pytest.fixture
def late_import(tmp_path, histories):
    """0.9 of June stands in the ledger before 0.2 of January of the year before."""
    times = {"ended_at": "2025-01-01T00:00:00+00:00", "started_at": "2025-01-01T00:00:00+00:00"}
    newer = {"ended_at": "2026-06-01T00:00:00Z", "started_at": "2026-06-01T00:00:00Z"}
    return Shown(tmp_path, histories, [*imported(1, 0.9, **newer), *imported(2, 0.2, **times)])


def test_an_older_result_that_is_imported_later_is_not_the_latest(late_import):
    [standing] = leaderboard(late_import.runs, include=["imported"])
    assert (standing.latest_score, standing.latest_at, standing.score.mean) == (0.9, "2026-06-01T00:00:00Z", 0.9)
    assert [row["run_id"] for row in late_import.dataset["runs"]] == ["run_1", "run_2"]


def test_the_baseline_of_a_check_is_the_earlier_run(late_import):
    def checked(run, baseline):
        nothing = lambda _: pytest.fail("no samples are read")  # noqa: E731
        [found] = check([run], baseline, nothing, checked="", against="", include=["imported"]).scores
        return found.baseline and found.baseline.run_ids

    _, older = late_import.runs
    for baseline in (best_before, last_before):
        assert checked(older, baseline(late_import.runs)) is None


def test_an_unreadable_time_is_older_than_all(tmp_path, histories):
    events = [*imported(1, 0.9, started_at="2026-06-01T00:00:00Z"), *imported(2, 0.2, started_at="yesterday")]
    shown = Shown(tmp_path, histories, events)
    [standing] = leaderboard(shown.runs, include=["imported"])
    assert standing.latest_run_id == "run_1"
    assert shown.dataset["latest_scores"][0]["run_id"] == "run_1"


@pytest.fixture
def records_of(tmp_path, histories):
    """Which runs are records, as the viewer and SQL say; the one that holds the record; the best of the leaderboard."""

    def read(events):
        shown = Shown(tmp_path, histories, events)
        by_sql = dict(map(tuple, shown.sql("SELECT run_id, is_record FROM score_history ORDER BY ended_seq")))
        assert {row["run_id"]: row["is_record"] for row in shown.get("/api/runs")["runs"]} == by_sql
        holders = {
            shown.get("/api/benchmarks")["benchmarks"][0]["best_run_id"],
            shown.dataset["benchmark_summary"][0]["best_run_id"],
            leaderboard(shown.runs)[0].best_run_id,
            *(best for (best,) in shown.sql("SELECT best_run_id FROM leaderboard")),
        }
        assert [step["run_id"] for step in shown.get("/api/benchmarks/b")["records"]] == [
            run_id for run_id, is_record in by_sql.items() if is_record
        ]
        return by_sql, holders

    return read


def test_a_wrong_clock_makes_and_takes_no_record(records_of, histories):
    events = [*own(histories, 1, 0.5, 9), *own(histories, 2, 0.9, 1), *own(histories, 3, 0.9, 1)]
    assert records_of(events) == ({"run_1": True, "run_2": True, "run_3": False}, {"run_2"})


def test_merged_runs_do_not_change_earlier_records(tmp_path, records_of, histories):
    store = JsonlStore(Workspace(tmp_path).ledger, notice=pytest.fail)
    theirs = JsonlStore(tmp_path / "theirs", notice=pytest.fail)
    histories.append_anyway(store, [NewEvent("rg_1", histories.opened()), *own(histories, 1, 0.5, 9)])
    histories.append_anyway(theirs, [*own(histories, 2, 0.9, 1), *own(histories, 3, 0.9, 2)])
    take_in(store, theirs, name="theirs")
    store.close()
    assert records_of([]) == ({"run_1": True, "run_2": True, "run_3": False}, {"run_2"})
