"""A reference that came with another ledger replaces none of ours, in every projection."""

from __future__ import annotations

import duckdb
import pytest

from benchmarks.ledger.events import HighScorePublished, NewEvent
from benchmarks.ledger.history import History
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.transfer.merge import take_in
from benchmarks.projections.analytics.build import open_analytics
from benchmarks.projections.scores.high_scores import holding, read_history
from benchmarks.projections.sqlite.database import open_readonly, refresh
from benchmarks.projections.workspace import Workspace


def published(benchmark: str, label: str) -> NewEvent:
    return NewEvent(benchmark, HighScorePublished(label=label, value=0.5, source="s"))


@pytest.mark.parametrize("is_followed", [False, True])
def test_every_reader_names_the_same_references(tmp_path, histories, is_followed):
    workspace = Workspace(tmp_path)
    store = JsonlStore(workspace.ledger, notice=print)
    theirs = JsonlStore(tmp_path / "theirs", notice=print)
    histories.append_anyway(
        store,
        [
            NewEvent("rg_1", histories.opened()),
            NewEvent("run_1", histories.started()),
            NewEvent("run_1", histories.finished(0.4)),
            published("b", "ours"),
        ],
    )
    histories.append_anyway(theirs, [published("b", "evil"), published("other", "theirs")])
    if is_followed:
        refresh(workspace.database, store)
        with open_analytics(workspace, store):
            pass
    take_in(store, theirs, name="theirs")
    expected = {"b": "ours", "other": "theirs"}
    history = History.of(store)
    assert {name: history.reference(name).label for name in expected} == expected
    refresh(workspace.database, store)
    with open_readonly(workspace.database) as connection:
        every = read_history(connection)
        assert {name: score.label for name, score in holding(every).items()} == expected
        assert [(score.label, score.merged) for score in every] == [("ours", False), ("evil", True), ("theirs", True)]
    with open_analytics(workspace, store) as database, duckdb.connect(str(database)) as connection:
        [(label,)] = connection.execute("SELECT reference_label FROM leaderboard").fetchall()
        assert label == "ours"
