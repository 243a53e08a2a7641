"""Where things lie, and that no name leads anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.projections.sqlite.opening import open_history
from benchmarks.projections.workspace import Workspace


def test_the_layout_is_the_contracts():
    workspace = Workspace(Path("/w"))
    assert workspace.database == Path("/w/benchmark_results/orchestrator.sqlite")
    assert workspace.viewer_data == Path("/w/benchmark_results/viewer_data.json")
    assert workspace.ledger == Path("/w/benchmark_results/ledger")
    expected = Path("/w/benchmark_results/rg_1/OSWorld__osworld/run_1")
    assert workspace.run_folder("rg_1", "OSWorld", "osworld", "run_1") == expected


@given(st.text(), st.text(), st.text(), st.text())
def test_a_runs_folder_never_leaves_the_results(group, directory, benchmark, run_id):
    workspace = Workspace(Path("/w"))
    folder = workspace.run_folder(group, directory, benchmark, run_id)
    assert ".." not in folder.parts
    assert folder.parts[:3] == ("/", "w", "benchmark_results")


@pytest.mark.parametrize("blocked", [False, True])
def test_reading_makes_nothing_where_there_is_nothing_and_works_where_it_may_not_write(
    store, histories, tmp_path, blocked
):
    from benchmarks.ledger.events import NewEvent

    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    workspace = Workspace(tmp_path / "w")
    if blocked:
        workspace.database.mkdir(parents=True)
    with open_history(workspace, store) as connection:
        assert connection.execute("SELECT run_id FROM benchmark_runs").fetchall() == [("run_1",)]
    assert workspace.root.exists() is blocked
