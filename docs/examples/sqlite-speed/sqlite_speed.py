"""A plugin: a benchmark for each journal mode of SQLite. A manifest cannot say "one for each of these"; Python can.

`adapters` is what the entry point names. The same file is the driver: `python sqlite_speed.py MODE SECONDS FOLDER`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.adapters.adapter import Adapter

MODES = ("delete", "wal")


def adapters() -> list[Adapter]:
    """One adapter for each journal mode."""
    from benchmarks.adapters.adapter import Adapter
    from benchmarks.adapters.manifest import parse_manifest

    here = Path(__file__)
    made = []
    for mode in MODES:
        tables = {
            "id": f"sqlite_{mode}",
            "name": f"SQLite, journal mode {mode}",
            "directory": "sqlite_speed",
            "version": "1",
            "description": f"Durable transactions in a second with journal mode {mode}",
            "agents": ["none"],
            "default_agent": "none",
            "run": {"argv": ["{python}", str(here), mode, "{output_dir}"]},
            "requires": {"model": False},
            "options": {
                "seconds": {"type": "float", "default": 0.5, "argv": ["{value}"], "help": "how long to measure"}
            },
            "result": {
                "files": ["result.json"],
                "score": "transactions_per_second",
                "unit": "1/s",
                "samples": "transactions",
                "metrics": {"sqlite": "sqlite"},
            },
        }
        made.append(
            Adapter(
                manifest=parse_manifest(tables, here),
                source="plugin",
                origin=here,
                root=here.parent,
                sha256=sha256(here.read_bytes()).hexdigest(),
            )
        )
    return made


def measure(mode: str, seconds: float, folder: Path) -> dict[str, object]:
    """Insert a row in a transaction of its own, again and again."""
    connection = sqlite3.connect(folder / "speed.sqlite", isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE rows (number INTEGER)")
    began, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        connection.execute("INSERT INTO rows VALUES (?)", (count,))
        count += 1
    connection.close()
    return {"transactions": count, "transactions_per_second": count / passed, "sqlite": sqlite3.sqlite_version}


if __name__ == "__main__":
    output = Path(sys.argv[2])
    result = measure(sys.argv[1], float(sys.argv[3]), output)
    (output / "result.json").write_text(json.dumps(result), encoding="utf-8")
