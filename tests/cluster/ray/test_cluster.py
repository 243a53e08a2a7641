"""The cluster of these tests itself."""

from __future__ import annotations


def test_a_real_cluster_has_three_nodes(cluster):
    assert len(cluster.list_all_nodes()) == 3 and cluster.address
