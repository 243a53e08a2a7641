"""What tests of adapters share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def remembered(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of remembered answers, one for each test: what another test asked is not known."""
    folder = tmp_path_factory.mktemp("remembered")
    monkeypatch.setattr("benchmarks.adapters.requirements.memory.cache_folder", lambda: folder)
    return folder / "checks.json"
