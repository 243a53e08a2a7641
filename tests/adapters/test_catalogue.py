"""The page of the catalogue says what the manifests say."""

from __future__ import annotations

from pathlib import Path

from benchmarks.adapters.adapter import missing
from benchmarks.adapters.catalogue import catalogue_page
from benchmarks.adapters.discovery import discover, known_workspaces
from benchmarks.adapters.options import effective_config

PAGE = Path(__file__).parent.parent.parent / "docs" / "catalogue.md"


def rows() -> dict[str, list[str]]:
    """The cells of each benchmark's row."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): cells for cells in lines}


def test_the_page_is_up_to_date(tmp_path):
    [elizaos] = known_workspaces()
    page = catalogue_page(discover(tmp_path).adapters.values(), elizaos)
    assert page == PAGE.read_text(), "run: make catalogue"


def test_every_benchmark_has_a_row(tmp_path):
    adapters = discover(tmp_path).adapters
    assert set(rows()) == set(adapters)
    assert rows()["hyperfine"][3] == "s ↓" and rows()["gauntlet"][3] == "ratio ↑"


def test_what_runs_with_nothing_more_misses_nothing_but_its_folder(tmp_path):
    """On a machine that has nothing, each way that the page names lacks only what comes with the checkout."""
    ways = [(id, way) for id, cells in rows().items() for way in cells[5].split(", ") if way.startswith("`")]
    assert len(ways) > 10
    adapters = discover(tmp_path).adapters
    for id, way in ways:
        adapter = adapters[id]
        name = way.split("`")[1]
        agent = name.removeprefix("--agent ") if name.startswith("--agent ") else adapter.manifest.default_agent
        extra = {} if name.startswith("--agent ") else {name: True}
        config = effective_config(id, adapter.manifest.options, extra).config
        lacking = missing(adapter, agent=agent, environ={"PATH": ""}, config=config)
        assert all(text.startswith("directory ") for text in lacking), (id, way, lacking)
