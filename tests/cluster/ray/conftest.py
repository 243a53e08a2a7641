"""A real Ray cluster on this machine: one head and two node processes, without dashboard or statistics."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import Bench

# Read by Ray's own processes when they start.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_DEDUP_LOGS="0",
    RAY_enable_metrics_collection="0",
    # Another process on a small machine must not make Ray kill workers.
    RAY_memory_monitor_refresh_ms="0",
)

from ray.cluster_utils import Cluster

from tests.waiting import until

NODE = {"num_cpus": 2, "object_store_memory": 80_000_000, "include_dashboard": False}

WAITS = """
import os, time
pathlib.Path(os.environ["BENCHMARK_RUN_ROOT"], "began").write_text(str(os.getpid()))
while not os.path.exists("{gate}"):
    time.sleep(0.02)
output.joinpath("result.json").write_text(json.dumps({{"score": 0.5, "n": 4}}))
"""


def new_cluster(**head: Any) -> Cluster:
    """Three nodes with two processors each."""
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, **head})
    for _ in range(2):
        cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    return cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster for the tests that leave it whole."""
    cluster = new_cluster()
    try:
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """After a test, no process of a benchmark may be alive."""
    yield
    until(lambda: not [one for one in psutil.process_iter() if str(tmp_path / "workspace") in _words(one)])


def _words(process: psutil.Process) -> str:
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    return " ".join(words) if any(word.endswith("suite.py") for word in words) else ""


class Team:
    """A workspace whose campaigns run on a cluster."""

    def __init__(self, bench: Bench, cluster: Cluster, folder: Path) -> None:
        self.bench = bench
        self.cluster = cluster
        self.gate = folder / "gate"

    def add(self, *names: str, **settings: str) -> None:
        """Benchmarks that wait for the gate."""
        for name in names:
            self.bench.add(name, WAITS.format(gate=self.gate), **settings)

    def arguments(self, *names: str) -> tuple[str, ...]:
        """The arguments of a campaign on the cluster."""
        work = ("run", "--benchmarks", *names, "--provider", "ollama", "--model", "m")
        return (*work, "--executor", "ray", "--ray-address", self.cluster.address)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of those types; empty before the first."""
        ledger = self.bench.environ.get("BENCHMARKS_LEDGER", "")
        return self.bench.events(*kinds) if "://" in ledger or (self.bench.results / "ledger").is_dir() else []

    def started(self, number: int) -> list[dict[str, Any]]:
        """Wait until that many runs have started and their benchmarks run; their events."""

        def check() -> list[dict[str, Any]]:
            events = self.events("started")
            began = [Path(event["data"]["stdout_path"]).with_name("began") for event in events]
            return events if sum(path.is_file() and bool(path.read_text()) for path in began) >= number else []

        return until(check)


@pytest.fixture
def team(bench: Bench, cluster: Cluster, tmp_path: Path) -> Team:
    """A workspace and the cluster."""
    return Team(bench, cluster, tmp_path)


def kill(event: dict[str, Any]) -> None:
    """Kill the worker that owns a run."""
    os.kill(event["data"]["owner"]["pid"], signal.SIGKILL)
