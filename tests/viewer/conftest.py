"""A viewer over a ledger of the tests."""

from __future__ import annotations

from hashlib import sha256

import falcon.testing
import pytest

from benchmarks.ledger.events import Artifact, NewEvent
from benchmarks.projections.workspace import Workspace
from benchmarks.viewer.app import create_app

LOCAL = {"Host": "127.0.0.1:8877"}


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "w")


@pytest.fixture
def add(store, histories, workspace):
    def add(run_id, score=0.5, *, files=None, start=None, end=True, **outcome):
        started = histories.started(**{"signature": run_id, **(start or {})})
        histories.append_anyway(store, [NewEvent(run_id, started)])
        folder = workspace.run_folder("rg_1", "b", "b", run_id)
        artifacts = []
        for name, content in (files or {}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if name.startswith("output/"):
                artifacts.append(Artifact(name, len(content), sha256(content).hexdigest()))
        if end:
            finished = histories.finished(score, artifacts=artifacts, **outcome)
            histories.append_anyway(store, [NewEvent(run_id, finished)])

    return add


@pytest.fixture
def app(store, workspace):
    return create_app(workspace.root, store)


@pytest.fixture
def client(app):
    return falcon.testing.TestClient(app, headers=LOCAL)
