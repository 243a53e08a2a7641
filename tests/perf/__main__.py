"""Measure the program itself: `python -m tests.perf`, or `make bench`. Prints a table and writes bench.json.

Machines are noisy, so every figure stands beside a baseline from the same minute: both are measured in turns, and their
medians are compared. No figure is a failure: people judge them. Arguments name the parts to measure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import analytics, cluster, command_line, commands, ledger, others, page, postgres, projections, proofs, viewer
from .figures import Scale, Table

PARTS: dict[str, Callable[[Table, Path, Scale], None]] = {
    "start": command_line.measure_start,
    "runs": command_line.measure_runs,
    "known": command_line.measure_known,
    "idle": command_line.measure_idle,
    "commands": commands.measure_commands,
    "append": ledger.measure_appends,
    "postgres": postgres.measure_postgres,
    "replay": ledger.measure_replay,
    "memory": ledger.measure_memory,
    "proofs": proofs.measure_proofs,
    "peers": ledger.measure_peers,
    "viewer": viewer.measure_server,
    "page": page.measure_page,
    "projections": projections.measure_projections,
    "projection-peers": projections.measure_projection_peers,
    "analytics": analytics.measure_analytics,
    "ray": cluster.measure_ray,
    "others": others.measure_others,
}


def main() -> None:
    """Measure every part, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf", description=main.__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="do that part of the work (default: 1)")
    parser.add_argument("--output", type=Path, default=Path("bench.json"), help="default: bench.json")
    asked = parser.parse_args()
    for unknown in set(asked.parts) - set(PARTS):
        parser.error(f"unknown part {unknown}: one of {', '.join(PARTS)}")
    table = Table()
    # An installed package has its modules compiled, even if this environment forbids it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    for name in asked.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](table, Path(folder), Scale(asked.scale))
    asked.output.write_text(json.dumps({"cores": os.cpu_count(), "rows": table.rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
