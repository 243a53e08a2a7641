"""Campaigns on a real Ray cluster: placement, recovery, control, and everything that a user can get wrong."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.ledger.ledger import Ledger
from benchmarks.orchestrator.models.prices import Prices
from benchmarks.orchestrator.running import recovery
from benchmarks.projections.workspace import Workspace
from tests.counting_server import CALLER, counting_server
from tests.waiting import HANG_SECONDS, until

from .conftest import Team, kill, new_cluster


def test_runs_are_performed_by_workers_and_recorded_as_locally(team):
    team.gate.touch()
    team.add("one", "two")
    done = team.bench(*team.arguments("one", "two"), "--repeats", "3", "--json")
    told = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert told.count("started") == told.count("finished") == 6
    rows = team.bench.runs()
    assert {row["status"] for row in rows} == {"succeeded"} and len(rows) == 6
    owners = {event["data"]["owner"]["pid"] for event in team.events("started")}
    driver = team.events("group_opened")[0]["data"]["owner"]["pid"]
    assert driver not in owners
    for row in rows:
        assert Path(row["stdout_path"]).is_file() and row["artifacts"]
    assert team.events("group_closed")[0]["data"]["counts"]["succeeded"] == 6
    again = team.bench(*team.arguments("one", "two"), "--repeats", "3")
    assert "0 succeeded, 0 failed, 6 skipped" in again.stdout
    local = team.bench.run("one", "two", more=("--model", "m", "--repeats", "3"))
    assert "already" in local or "succeeded" in local, "the same work has the same signature"


def test_a_run_gets_its_keys_and_they_are_recorded_nowhere(team):
    code = """
    import os, subprocess
    print(os.environ["GROQ_API_KEY"], os.environ["MY_TOKEN"], "RAY_JOB_ID" in os.environ)
    others = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True).stdout
    assert os.environ["GROQ_API_KEY"] not in others
    output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
    """
    secrets = {
        "GROQ_API_KEY": "gsk_" + "k3y" * 12,
        "MY_TOKEN": "another-s3cret-value",
        "OTHER_API_KEY": "not-for-you-42",
    }
    team.bench.add("keys", code, more='[requires]\nenv = ["MY_TOKEN"]')
    arguments = ("run", "--benchmarks", "keys", "--provider", "groq", "--model", "m", "--executor", "ray")
    team.bench(*arguments, "--ray-address", team.cluster.address, **secrets)
    [row] = team.bench.runs()
    assert row["status"] == "succeeded"
    printed = Path(row["stdout_path"]).read_text()
    assert printed.split() == ["[redacted:GROQ_API_KEY]", "[redacted:MY_TOKEN]", "False"]
    logs = "".join(
        path.read_bytes().decode(errors="replace")
        for path in Path("/tmp/ray/session_latest/").resolve().rglob("*")
        if path.is_file()
    )
    for secret in secrets.values():
        assert secret not in team.bench.text() and secret not in logs


def test_a_killed_worker_is_recovered_and_its_work_is_retried(team):
    team.add("one")
    running = team.bench.start(*team.arguments("one"), "--retries", "1", "--retry-delay", "0.1", "--json")
    [first] = team.started(1)
    kill(first)
    recovered = until(lambda: team.events("recovered"))[0]
    assert recovered["stream"] == first["stream"] and "worker process died" in recovered["data"]["reason"]
    team.started(2)
    team.gate.touch()
    output, _ = running.communicate(timeout=HANG_SECONDS)
    assert running.returncode == 0
    assert "recovered" in [json.loads(line)["type"] for line in output.splitlines()], "only events are printed"
    rows = team.bench.runs()
    assert [(row["status"], row["attempt"]) for row in rows] == [("failed", 1), ("succeeded", 2)]
    child = int(Path(first["data"]["stdout_path"]).with_name("began").read_text())
    assert not Path("/proc", str(child)).exists() or "suite.py" not in Path("/proc", str(child), "cmdline").read_text()


def test_without_retries_a_killed_worker_fails_the_run(team):
    team.add("one")
    running = team.bench.start(*team.arguments("one"))
    kill(team.started(1)[0])
    assert running.wait(HANG_SECONDS) == 1
    [row] = team.bench.runs()
    assert (row["status"], row["reason"], row["recovered"]) == ("failed", "orchestrator_lost", True)


def test_what_a_killed_driver_left_is_taken_over_by_the_next(team):
    team.add("one", "two")
    running = team.bench.start(*team.arguments("one", "two"))
    first = team.started(2)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    team.gate.touch()
    done = team.bench(*team.arguments("one", "two"))
    assert "2 succeeded" in done.stdout or len([row for row in team.bench.runs() if row["status"] == "succeeded"]) == 2
    by_run = {row["run_id"]: row for row in team.bench.runs()}
    for event in first:
        assert by_run[event["stream"]]["recovered"], "each was closed once, as failed or with its adopted result"
    assert not [row for row in by_run.values() if row["status"] == "running"]
    for name in ("one", "two"):
        assert sum(row["status"] == "succeeded" for row in by_run.values() if row["benchmark_id"] == name) == 1


def test_a_zombie_reports_late_and_changes_nothing(team, tmp_path, monkeypatch):
    """The campaign takes a worker for dead that is only stopped: what it reports later is kept and flagged."""
    team.add("one")
    running = team.bench.start(*team.arguments("one"))
    [first] = team.started(1)
    pid = first["data"]["owner"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    # As from another machine, which can neither see nor end its processes.
    monkeypatch.setattr(recovery, "shares_processes", lambda owner: False)
    with contextlib.closing(Ledger(team.bench.store())) as ledger:
        run = ledger.look(lambda history: history.runs[first["stream"]])
        elsewhere = Workspace(tmp_path / "elsewhere")
        closed = recovery.recover_one(ledger, run, "its node died", workspace=elsewhere, prices=Prices([]))
    assert "its node died" in closed.error
    os.kill(pid, signal.SIGCONT)
    team.gate.touch()
    running.wait(HANG_SECONDS)
    [row] = team.bench.runs()
    assert (row["status"], row["late"], row["recovered"]) == ("failed", True, True)
    [late] = team.events("finished")
    assert late["data"]["late"] and late["data"]["score"] == 0.5


def test_an_interrupt_and_a_cancellation_end_the_runs_on_every_node(team):
    team.add("one", "two", "three")
    running = team.bench.start(*team.arguments("one", "two", "three"))
    team.started(3)
    running.send_signal(signal.SIGINT)
    assert running.wait(HANG_SECONDS) == 130
    assert {(row["status"], row["reason"]) for row in team.bench.runs()} == {("failed", "cancelled")}
    assert team.events("group_closed")[0]["data"]["reason"] == "interrupted"

    running = team.bench.start(*team.arguments("one", "two", "three"))
    events = team.started(6)
    run_id, group = events[-1]["stream"], events[-1]["data"]["run_group_id"]
    team.bench("cancel", run_id, "--author", "Ada")
    until(lambda: [event for event in team.events("failed") if event["stream"] == run_id])
    team.bench("cancel", group, "--author", "Ada")
    assert running.wait(HANG_SECONDS) == 1
    assert [row["reason"] for row in team.bench.runs()] == ["cancelled"] * 6


def test_a_paused_campaign_starts_nothing_on_the_cluster(team):
    team.add("one", "two", "three")
    running = team.bench.start(*team.arguments("one", "two", "three"), "--jobs", "1")
    [first] = team.started(1)
    team.bench("pause", first["data"]["run_group_id"])
    team.gate.touch()
    until(lambda: team.events("finished"))
    threading.Event().wait(2)  # Nothing happens, so there is nothing to wait for.
    assert len(team.events("started")) == 1
    team.bench("resume", first["data"]["run_group_id"])
    assert running.wait(HANG_SECONDS) == 0 and len(team.events("finished")) == 3


def test_what_no_node_can_ever_run_is_refused_at_once(team):
    team.add("big", more='[resources]\ncpus = 8\nmemory = "4 GiB"\ncustom = { tpu = 2 }')
    done = team.bench(*team.arguments("big"), code=2)
    assert "big: no node of the cluster can run it: it asks for 8 CPU, 4.0 GiB of memory, 2 tpu" in done.stderr
    assert "the largest of 3 nodes has 2 CPU, 0 GPU" in done.stderr and "hint: " in done.stderr
    assert team.events() == []


def test_a_requirement_that_the_node_does_not_meet_makes_it_incompatible(team):
    team.add("docker", more='[requires]\ncommands = ["no-such-command"]')
    done = team.bench(*team.arguments("docker"))
    assert "1 incompatible" in done.stdout
    [event] = team.events("incompatible")
    assert event["data"]["missing"] == [f"command no-such-command on PATH (on {socket.gethostname()})"]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:9", "no Ray cluster answers at 127.0.0.1:9: Connection refused"),
        ("127.0.0.1:HTTP", "is not a Ray cluster"),
        ("somewhere", "'somewhere' is not the address of a Ray cluster"),
        ("1.2.3.4:0", "is not the address"),
        ("ray://127.0.0.1:10001", "is an address for Ray Client, which is not supported"),
    ],
)
def test_a_wrong_address_is_refused_soon(team, address, told):
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer_as_http, args=(server,), daemon=True).start()
        address = address.replace("HTTP", str(server.getsockname()[1]))
        team.add("one")
        arguments = ("run", "--benchmarks", "one", "--provider", "ollama", "--executor", "ray")
        done = subprocess.run(
            team.bench.command(*arguments, "--ray-address", address),
            capture_output=True,
            text=True,
            env=team.bench.environ,
            timeout=30,
        )
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("hint: ") == 1
    assert team.events() == []


def _answer_as_http(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_missing_extra_is_named(team, tmp_path):
    team.add("one")
    (tmp_path / "ray.py").write_text("raise ImportError('No module named ray')")
    done = team.bench(*team.arguments("one"), code=2, PYTHONPATH=str(tmp_path))
    assert "needs the package ray" in done.stderr and 'hint: pip install "benchmark-orchestrator[ray]"' in done.stderr


@pytest.mark.parametrize("what", ["Ray", "Python"])
def test_other_versions_on_the_cluster_are_refused(team, tmp_path, what):
    team.add("one")
    fault = {
        "Ray": "import ray; ray.__version__ = '1.0.0'",
        "Python": "import ray._private.utils as u; u.compute_version_info = lambda: (u.ray.__version__, '3.2.1')",
    }
    (tmp_path / "sitecustomize.py").write_text(fault[what])
    done = team.bench(*team.arguments("one"), code=2, PYTHONPATH=str(tmp_path))
    assert "have different versions" in done.stderr and "hint: use the same versions" in done.stderr


def test_another_version_of_this_program_on_a_node_is_refused(bench, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata as m; was = m.version\n"
        "m.version = lambda name: '9.9' if name == 'benchmark-orchestrator' else was(name)\n"
    )
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        cluster = new_cluster()
    finally:
        del os.environ["PYTHONPATH"]
    try:
        team = Team(bench, cluster, tmp_path)
        team.add("one")
        done = team.bench(*team.arguments("one"), code=2)
        assert "has benchmark-orchestrator 9.9, and this machine" in done.stderr and "hint: install" in done.stderr
        assert team.events() == []
    finally:
        cluster.shutdown()


def test_a_killed_node_is_recovered_and_its_work_runs_elsewhere(bench, tmp_path):
    cluster = new_cluster(num_cpus=0)
    try:
        team = Team(bench, cluster, tmp_path)
        team.add("one", "two", "three")
        running = bench.start(*team.arguments("one", "two", "three"), "--retries", "2", "--retry-delay", "0.1")
        events = team.started(3)
        victim = next(iter(cluster.worker_nodes))
        cluster.remove_node(victim, allow_graceful=False)
        lost = until(lambda: team.events("recovered"))
        team.gate.touch()
        assert running.wait(HANG_SECONDS) == 0, running.communicate()
        rows = bench.runs()
        assert sorted(row["benchmark_id"] for row in rows if row["status"] == "succeeded") == ["one", "three", "two"]
        assert {event["stream"] for event in lost} <= {event["stream"] for event in events}
    finally:
        cluster.shutdown()


def test_the_python_api_runs_on_a_cluster(team):
    team.gate.touch()
    team.add("one")
    code = (
        "import benchmarks; place = benchmarks.open({!r});"
        "print(place.run('one', model='ollama:m', executor='ray', ray_address={!r}).counts.succeeded)"
    )
    program = code.format(str(team.bench.root), team.cluster.address)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=team.bench.environ)
    assert done.stdout == "1\n", done.stderr


def test_a_limit_of_calls_holds_across_the_machines(team, tmp_path):
    for name in ("a", "b", "c", "d", "e"):
        team.bench.add(name, CALLER)
    with counting_server() as counting:
        (team.bench.root / "benchmarks.toml").write_text("[endpoints.openai-compatible]\nmax_concurrency = 4\n")
        counting.refusals, counting.retry_after = 2, "0"
        work = ("run", "--benchmarks", "a", "b", "c", "d", "e", "--provider", "openai-compatible", "--model", "m")
        cluster = ("--base-url", counting.base_url, "--executor", "ray", "--ray-address", team.cluster.address)
        team.bench(*work, *cluster)
    owners = {event["data"]["owner"]["pid"] for event in team.events("started")}
    assert len(owners) > 1 and counting.most == 4 and counting.calls == 5 * 12 + 2
    assert {row["score"] for row in team.bench.runs()} == {1.0}


def test_runs_of_a_machine_share_one_local_model(team):
    code = """
    import os, time, urllib.request
    folder = pathlib.Path(os.environ["BENCHMARK_RUN_ROOT"]).parents[1]
    (folder / (os.environ["BENCHMARK_RUN_ID"] + ".url")).write_text(os.environ["OPENAI_BASE_URL"])
    while len(list(folder.glob("*.url"))) < 2:
        time.sleep(0.05)
    asked = {"model": os.environ["MODEL_NAME"], "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    address, kind = os.environ["OPENAI_BASE_URL"] + "/chat/completions", {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(asked).encode(), kind)
    json.load(urllib.request.urlopen(request, timeout=120))
    output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
    """
    team.bench.add("one", code)
    team.bench.add("two", code)
    arguments = ("run", "--benchmarks", "one", "two", "--provider", "local", "--executor", "ray")
    team.bench(*arguments, "--ray-address", team.cluster.address)
    urls = {path.read_text() for path in team.bench.results.glob("rg_*/*.url")}
    assert len(urls) == 1 and {row["status"] for row in team.bench.runs()} == {"succeeded"}
    owners = {event["data"]["owner"]["pid"] for event in team.events("started")}
    assert len(owners) == 2 and {row["provenance"]["model_sha256"] for row in team.bench.runs()} != {None}
    address = urlsplit(urls.pop())

    def is_gone() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((address.hostname, address.port), 1):
            return False
        return True

    until(is_gone)
