"""Where things lie in a workspace: the results, their ledger and projections, and the folder of each run."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

from ..ledger.files.elsewhere import Elsewhere
from ..ledger.files.store import store_at
from ..ledger.fold import Run

RESULTS = "benchmark_results"


class Workspace(msgspec.Struct, frozen=True):
    """A folder of benchmarks and their results. Nothing here creates anything.

    `artifacts` are the addresses of the stores with files of runs: runs copy their files to the first one, and files
    that are not here are read from all of them.
    """

    root: Path
    artifacts: tuple[str, ...] = ()

    @property
    def elsewhere(self) -> Elsewhere:
        """The stores of files that are not here. Raises BadAddress."""
        return _elsewhere(self.results, self.artifacts)

    @property
    def results(self) -> Path:
        """Everything that this program writes lies below this folder."""
        return self.root / RESULTS

    @property
    def ledger(self) -> Path:
        """The folder of the default ledger."""
        return self.results / "ledger"

    @property
    def ledger_cache(self) -> Path:
        """What belongs to ledgers on other machines: their index, and the last event that was seen there."""
        return self.results / "ledger_cache"

    @property
    def database(self) -> Path:
        """The SQLite projection."""
        return self.results / "orchestrator.sqlite"

    @property
    def viewer_data(self) -> Path:
        """The JSON projection."""
        return self.results / "viewer_data.json"

    @property
    def viewer_index(self) -> Path:
        """The viewer's index of a long history."""
        return self.results / "viewer_index.bin"

    def group_folder(self, run_group_id: str) -> Path:
        """The folder of a run group; every part of a path is one plain name, whatever an event says.

        Runs without a group were imported.
        """
        return self.results / _plain_name(run_group_id or "imported")

    def run_folder(self, run_group_id: str, benchmark_directory: str, benchmark_id: str, run_id: str) -> Path:
        """The folder of one run: its logs, and below `output/` what the benchmark wrote.

        No part leads out of the results.
        """
        home = _plain_name(f"{benchmark_directory}__{benchmark_id}")
        return self.group_folder(run_group_id).joinpath(home, _plain_name(run_id))

    def folder_of(self, run: Run) -> Path:
        """The folder of a run, by this layout: the paths in events are not trusted."""
        return self.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)


@functools.lru_cache(maxsize=64)
def _elsewhere(results: Path, artifacts: tuple[str, ...]) -> Elsewhere:
    """One for each workspace, so that files that were brought here are kept."""
    return Elsewhere(results, [store_at(url) for url in artifacts])


def _plain_name(part: str) -> str:
    return part.replace("/", "_").replace("..", "_")
