"""A folder that lies in the place of a projection's file is put aside: every command goes on, and nothing is lost."""

from __future__ import annotations

import json

import pytest

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.orchestrator.place import open_place

NAMES = [
    "orchestrator.sqlite",
    "orchestrator.sqlite-journal",
    "orchestrator.sqlite-wal",
    "orchestrator.sqlite-shm",
    "viewer_data.json",
    "analytics.duckdb",
    "analytics.duckdb.wal",
    ".orchestrator.sqlite.lock",
    ".viewer_data.json.lock",
    ".analytics.duckdb.lock",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_first", [True, False], ids=["before the first build", "after it"])
def test_a_folder_in_the_place_of_a_file_is_kept_and_stops_nothing(histories, tmp_path, name, is_first):
    notices: list[str] = []
    workspace = open_place(tmp_path, notice=notices.append)
    store = JsonlStore(workspace.workspace.ledger, notice=pytest.fail)
    histories.append_anyway(store, [NewEvent("run_1", event) for event in (histories.started(), histories.finished())])
    store.close()
    if not is_first:
        workspace.query("SELECT 1")
        workspace.export_viewer_data()
    place = workspace.workspace.results / name
    if place.is_file():
        place.unlink()
    place.mkdir()
    (place / "notes.txt").write_text("mine")
    assert [run.run_id for run in workspace.runs()] == ["run_1"]
    assert workspace.query("SELECT count(*) AS runs FROM runs").rows == [[1]]
    document = json.loads(workspace.export_viewer_data().read_bytes())
    assert [run["run_id"] for run in document["runs"]] == ["run_1"]
    notices.clear()
    assert len(workspace.leaderboard()) == 1
    assert notices == [], "it is not reported again"
    [kept] = workspace.workspace.results.rglob("notes.txt")
    assert kept.read_text() == "mine"
