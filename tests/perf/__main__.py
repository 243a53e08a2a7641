"""Measures the program itself: `python -m tests.perf`, or `make bench`. Prints a table and writes bench.json.

Machines are noisy, so every figure stands beside a baseline from the same minute: the two are taken in turns, and the
medians compared. Nothing here fails; the figures are for people.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from . import analytics, command_line, ledger, page, projections, viewer
from .figures import Table

PARTS = {
    "start": command_line.measure_start,
    "runs": command_line.measure_runs,
    "known": command_line.measure_known,
    "idle": command_line.measure_idle,
    "append": ledger.measure_appends,
    "replay": ledger.measure_replay,
    "memory": ledger.measure_memory,
    "peers": ledger.measure_peers,
    "viewer": viewer.measure_server,
    "page": page.measure_page,
    "projections": projections.measure_projections,
    "projection-peers": projections.measure_projection_peers,
    "analytics": analytics.measure_analytics,
}


def main(chosen: list[str]) -> None:
    """Take every figure, or those of the chosen parts."""
    table = Table()
    # What is installed has its modules compiled, whatever this environment says of them.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    for name in chosen or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](table, Path(folder))
    Path("bench.json").write_text(json.dumps({"cores": os.cpu_count(), "rows": table.rows}, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
