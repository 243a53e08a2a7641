"""Ray with a ledger in PostgreSQL: the two settings of a team. The workspace need not be shared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.ledger.storage.postgres_address import Address
from benchmarks.ledger.storage.postgres_init import prepare_ledger
from tests.cluster.postgres.server import Server
from tests.waiting import HANG_SECONDS, until

from .conftest import NODE, Cluster, Team, kill


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def url(server):
    url = server.url(server.new_database())
    prepare_ledger(Address(url), writers=[], readers=[])
    return url


def test_a_campaign_with_a_password_in_the_url(team, server, url):
    team.bench.environ["BENCHMARKS_LEDGER"] = url
    team.add("one", "two")
    running = team.bench.start(*team.arguments("one", "two"), "--retries", "1", "--retry-delay", "0.1")
    first = team.started(2)[0]
    listed = " ".join(word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or ())
    assert server.password not in listed
    kill(first)
    until(lambda: team.events("recovered"))
    team.started(3)
    team.gate.touch()
    assert running.wait(HANG_SECONDS) == 0, running.communicate()
    assert [row["status"] for row in team.bench.runs()].count("succeeded") == 2
    logs = b"".join(
        path.read_bytes() for path in Path("/tmp/ray/session_latest/").resolve().rglob("*") if path.is_file()
    )
    assert server.password.encode() not in logs and server.password not in team.bench.text()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="hides the workspace by a mount")
def test_a_workspace_that_the_nodes_do_not_see_travels(bench, tmp_path, url):
    """A node whose mount namespace hides the workspace, as on another machine."""
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    cache = tmp_path / "cache-of-the-node"
    script = 'mount -t tmpfs none "$0" && exec "$@"'
    start = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        f"--address={cluster.address}",
        "--block",
        "--num-cpus=2",
    ]
    node = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, str(bench.root), *start, "--object-store-memory=80000000"],
        env={**os.environ, "BENCHMARKS_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: _nodes(cluster) == 2)
        team = Team(bench, cluster, tmp_path)
        bench.environ["BENCHMARKS_LEDGER"] = url
        code = """
        import helper
        print("from", __file__)
        output.joinpath("result.json").write_text(json.dumps({"score": helper.SCORE, "n": 4}))
        """
        folder = bench.add("far", code)
        (folder / "helper.py").write_text("SCORE = 0.75\n")
        done = bench(*team.arguments("far"), "--repeats", "2")
        assert "2 succeeded" in done.stdout
        for row in bench.runs():
            assert row["score"] == 0.75 and str(cache) in " ".join(row["command"])
            here = next(bench.results.rglob(row["run_id"]))
            assert f"from {cache}" in (here / "stdout.log").read_text() and (here / "output" / "result.json").is_file()
        assert len(list((cache / "drivers").glob("*/suite.py"))) == 1, "its files travel once"
        local = bench.run("far", more=("--model", "m"))
        assert "already_succeeded" in local or "succeeded" in local, "the same revision: the work is done"
        revisions = {row["task_revision"]["digest"] for row in bench.runs()}
        bench("run", "--benchmarks", "far", "--provider", "ollama", "--model", "m", "--force")
        assert {row["task_revision"]["digest"] for row in bench.runs()} == revisions
    finally:
        for process in psutil.Process(node.pid).children(recursive=True):
            process.kill()
        node.kill()
        node.wait()
        cluster.shutdown()


def _nodes(cluster: Cluster) -> int:
    code = "import ray, sys; ray.init(sys.argv[1], logging_level='ERROR'); print(sum(n['Alive'] for n in ray.nodes()))"
    done = subprocess.run([sys.executable, "-c", code, cluster.address], capture_output=True, text=True)
    return int(done.stdout.split()[-1]) if done.returncode == 0 else 0
