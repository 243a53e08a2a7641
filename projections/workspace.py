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

    def run_folder(self, run_group_id: str, benchmark_directory: str, benchmark_id: str, run_id: str) -> Path:
        """The folder of one run: its logs, and below `output/` what the benchmark wrote.

        Every part is one plain name, whatever an event says: no part leads out of the results.
        """
        parts = (run_group_id, f"{benchmark_directory}__{benchmark_id}", run_id)
        return self.results.joinpath(*(part.replace("/", "_").replace("..", "_") for part in parts))
