"""What a Ray cluster costs: a run in addition to a local one, and many runs beside `--jobs` with as many processors."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from .command_line import BENCHMARKS, MANIFEST
from .figures import Scale, Table, command, in_turns

NODES = 3
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


@contextlib.contextmanager
def _cluster() -> Iterator[str]:
    """The address of a cluster of three node processes on this machine, each with one processor."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_enable_metrics_collection="0", RAY_memory_monitor_refresh_ms="0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        for _ in range(NODES - 1):
            cluster.add_node(**NODE)
        cluster.wait_for_nodes()
        yield cluster.address
    finally:
        cluster.shutdown()


def measure_ray(table: Table, folder: Path, scale: Scale) -> None:
    """Trivial runs on Ray and locally. The slope leaves out what a command costs once."""
    try:
        import ray  # noqa: F401
    except ImportError:
        print("ray is not installed: make test-cluster installs it")
        return
    (folder / "trivial").mkdir()
    (folder / "trivial" / "benchmark.toml").write_text(MANIFEST)
    run = [BENCHMARKS, "--workspace", str(folder), "run", "--benchmarks", "trivial", "--provider", "ollama", "--force"]
    few, many = scale.count(20, least=2), scale.count(220, least=12)
    with _cluster() as address:
        on_ray = [*run, "--executor", "ray", "--ray-address", address]
        for jobs, rounds in ((1, scale.rounds(5)), (NODES, scale.rounds(5))):
            numbers = (few // 2, many // 4) if jobs == 1 else (few, many)
            local_few, local_many, ray_few, ray_many = in_turns(
                rounds,
                *(
                    command(*argv, "--jobs", str(jobs), "--repeats", str(number))
                    for argv in (run, on_ray)
                    for number in numbers
                ),
            )
            count = numbers[1] - numbers[0]
            local, far = (local_many - local_few) / count, (ray_many - ray_few) / count
            if jobs == 1:
                overhead = (far - local) * 1e3
                table.add(
                    "ray: overhead of a trivial run after the first",
                    overhead,
                    "ms",
                    "a local run",
                    local * 1e3,
                    "< 60 ms",
                )
            else:
                name = f"ray: {count} trivial runs on {NODES} nodes"
                table.add(name, 1 / far, "/s", f"--jobs {jobs}", 1 / local, ">= 0.7x")
