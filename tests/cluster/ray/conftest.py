"""A real Ray cluster on this machine: one head and several node processes, without dashboard or statistics."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Read by Ray's own processes when they start.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0", RAY_enable_metrics_collection="0")

from ray.cluster_utils import Cluster

STORE_BYTES = 80_000_000
NODE = {"num_cpus": 2, "object_store_memory": STORE_BYTES, "include_dashboard": False}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three nodes with two processors each."""
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        for _ in range(2):
            cluster.add_node(**NODE)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()
