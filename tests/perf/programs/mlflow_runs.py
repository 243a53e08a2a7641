"""MLflow on SQLite: runs created one by one, and questions about many. Runs with an interpreter that has MLflow.

Prints [what, seconds] pairs as JSON. Runs beyond the first 1,000 are copies that SQL makes, to save time.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

logging.disable(logging.WARNING)
folder, total, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
created = min(1_000, total)
assert total % created == 0
chance = random.Random(1)
database = folder / "mlflow.sqlite"
mlflow.set_tracking_uri(f"sqlite:///{database}")
client = MlflowClient()
experiment = client.create_experiment("runs", artifact_location=str(folder / "artifacts"))


def create(number: int) -> None:
    """One run with six parameters, four metrics and four tags, as a benchmark has them."""
    run = client.create_run(experiment)
    now = int(time.time() * 1000)
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, chance.random(), now, 0) for name in ("score", "accuracy", "seconds", "tokens")],
        params=[
            Param("benchmark", f"benchmark_{number % 40}"),
            Param("model", f"model-{number % 25}"),
            *(Param(name, str(number)) for name in ("agent", "provider", "seed", "samples")),
        ],
        tags=[RunTag(name, str(number)) for name in ("group", "signature", "version", "host")],
    )
    client.set_terminated(run.info.run_id)


def grow() -> None:
    """Copy all runs until there are that many."""
    connection = sqlite3.connect(database)
    for copy in range(1, -(-total // created)):
        for table in ("runs", "metrics", "latest_metrics", "params", "tags"):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            chosen = [f"'x{copy:03d}' || substr(run_uuid, 5)" if name == "run_uuid" else name for name in columns]
            connection.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(chosen)} FROM {table} "
                "WHERE run_uuid IN (SELECT run_uuid FROM original)"
            )
    connection.commit()
    connection.close()


def median(work: Callable[[], object]) -> float:
    """The median seconds of some rounds."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


begin = time.perf_counter()
for number in range(created):
    create(number)
each = (time.perf_counter() - begin) / created
with sqlite3.connect(database) as connection:
    connection.execute("CREATE TABLE original AS SELECT run_uuid FROM runs")
grow()
assert len(client.search_runs([experiment], max_results=min(total, 50_000))) == total


def search(order: str, condition: str = "") -> Callable[[], object]:
    """One page of 100 runs in an order."""
    return lambda: client.search_runs([experiment], condition, max_results=100, order_by=[order])


figures = [
    ("create one run", each),
    ("latest 100 runs", median(search("attributes.start_time DESC"))),
    ("best 100 runs by score", median(search("metrics.score DESC"))),
    ("best run of one benchmark", median(search("metrics.score DESC", "params.benchmark = 'benchmark_7'"))),
]
print(json.dumps({"version": mlflow.__version__, "figures": figures}))
