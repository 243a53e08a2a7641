"""The first orchestrator (elizaOS/benchmarks): its `export-viewer-data` of many runs.

Its folder must be called `benchmarks`; the first argument is the folder above it. Prints [what, seconds] pairs as JSON.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

parent, rounds, sizes = Path(sys.argv[1]), int(sys.argv[2]), [int(size) for size in sys.argv[3:]]
results = parent / "benchmarks" / "benchmark_results"
database = results / "orchestrator.sqlite"
COMMAND = [sys.executable, "-P", "-m", "benchmarks.orchestrator"]
ENVIRON = {**os.environ, "PYTHONPATH": str(parent)}
BENCHMARKS = ["bfcl", "gaia", "mint", "osworld", "realm", "swe_bench", "tau_bench", "vending_bench"]


def run(*arguments: str) -> None:
    """One of its commands."""
    subprocess.run([*COMMAND, *arguments], check=True, capture_output=True, env=ENVIRON, cwd=parent)


def fill(runs: int) -> None:
    """Its own tables, with rows of about 2 kB, ten runs a group."""
    for name in ("orchestrator.sqlite", "orchestrator.sqlite-wal", "orchestrator.sqlite-shm"):
        (results / name).unlink(missing_ok=True)
    run("show-runs")
    metrics = json.dumps({f"metric_{number}": number / 10 for number in range(60)})
    with sqlite3.connect(database) as connection:
        for number in range(runs):
            at = f"2026-01-{1 + number % 28:02d}T10:00:00+00:00"
            benchmark = BENCHMARKS[number % len(BENCHMARKS)]
            if number % 10 == 0:
                group = {
                    "run_group_id": f"rg_{number}",
                    "created_at": at,
                    "finished_at": at,
                    "request_json": "{}",
                    "benchmarks_json": json.dumps(BENCHMARKS),
                    "repo_meta_json": "{}",
                    "created_by": "bench",
                }
                insert(connection, "run_groups", group)
            row = {
                "run_id": f"run_{number}",
                "run_group_id": f"rg_{number - number % 10}",
                "benchmark_id": benchmark,
                "benchmark_directory": benchmark,
                "signature": f"{number:064x}",
                "status": "succeeded",
                "attempt": 1,
                "agent": "eliza",
                "provider": "groq",
                "model": f"model-{number % 25}",
                "extra_config_json": '{"seed": 42}',
                "started_at": at,
                "ended_at": at,
                "duration_seconds": 49.2,
                "command_json": '["python", "run.py"]',
                "cwd": "/data/benchmarks",
                "stdout_path": "stdout.log",
                "stderr_path": "stderr.log",
                "result_json_path": "result.json",
                "score": number % 100 / 100,
                "unit": "ratio",
                "higher_is_better": 1,
                "metrics_json": metrics,
                "artifacts_json": "[]",
                "created_at": at,
            }
            insert(connection, "benchmark_runs", row)


def insert(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    """One row."""
    places = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", list(row.values()))


def rebuild() -> float:
    """Seconds of one rebuild."""
    begin = time.perf_counter()
    run("export-viewer-data")
    return time.perf_counter() - begin


figures = []
for size in sizes:
    fill(size)
    figures.append((f"export-viewer-data of {size:,} runs", statistics.median(rebuild() for _ in range(rounds))))
print(json.dumps({"version": "", "figures": figures}))
