"""What is refused before a cluster is asked. `tests/cluster/ray` has the rest, with a real one."""

from __future__ import annotations

import pytest

from benchmarks.orchestrator.errors import UsageError
from benchmarks.orchestrator.executors.ray_cluster import refuse_impossible


def test_a_cluster_without_a_live_node_is_refused():
    with pytest.raises(UsageError, match="no live node\nhint: look at: ray status"):
        refuse_impossible([], [])
