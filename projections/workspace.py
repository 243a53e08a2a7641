"""Where things lie in a workspace: the results, their ledger and projections, and the folder of each run."""

from __future__ import annotations

from pathlib import Path

import msgspec

RESULTS = "benchmark_results"


class Workspace(msgspec.Struct, frozen=True):
    """A folder of benchmarks and their results. Nothing here creates anything."""

    root: Path

    @property
    def results(self) -> Path:
        """Everything that this program writes lies below this folder."""
        return self.root / RESULTS

    @property
    def ledger(self) -> Path:
        """The folder of the default ledger."""
        return self.results / "ledger"

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
        """The folder of a run group; every part of a path is one plain name, whatever an event says."""
        return self.results / _plain_name(run_group_id)

    def run_folder(self, run_group_id: str, benchmark_directory: str, benchmark_id: str, run_id: str) -> Path:
        """The folder of one run: its logs, and below `output/` what the benchmark wrote.

        No part leads out of the results.
        """
        home = _plain_name(f"{benchmark_directory}__{benchmark_id}")
        return self.group_folder(run_group_id).joinpath(home, _plain_name(run_id))


def _plain_name(part: str) -> str:
    return part.replace("/", "_").replace("..", "_")
