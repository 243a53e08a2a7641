"""One local server for each model on a machine: shared by processes, ended after the last, also after kills."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.adapters.environment import EnvironmentSpec, ensure
from benchmarks.ledger.identity import process_start
from benchmarks.orchestrator.models import node_server
from benchmarks.orchestrator.models.local_model import EMBEDDED, NO_DEPS, REQUIREMENTS, LocalModelError
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.model]

USER = """
import sys, pathlib
from benchmarks.orchestrator.models import node_server
node_server.LINGER_SECONDS = 1.0
with node_server.shared("smollm2-135m", python=pathlib.Path(sys.argv[1]), announce=print) as server:
    print("pid", server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def python():
    return ensure(EnvironmentSpec(REQUIREMENTS, NO_DEPS), announce=print).python


@pytest.fixture
def user(python, tmp_path, monkeypatch):
    """Starts processes that use the server, with a cache folder of their own."""
    users = []
    environ = {**os.environ, "BENCHMARKS_CACHE": str(tmp_path)}

    def start():
        users.append(
            subprocess.Popen(
                [sys.executable, "-c", USER, str(python)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environ,
            )
        )
        return users[-1]

    yield start
    for one in users:
        with contextlib.suppress(OSError):
            one.kill()
        one.wait()


def pid_of(user) -> int:
    for line in user.stdout:
        if line.startswith("pid "):
            return int(line.split()[1])
    raise AssertionError("no server")


def ends(pid: int) -> bool:
    return until(lambda: process_start(pid) is None)


def test_processes_share_one_server_that_ends_after_the_last(user):
    users = [user() for _ in range(3)]
    [pid] = {pid_of(one) for one in users}
    users[0].kill()
    users[1].communicate("")
    time.sleep(1.5)  # Longer than it lingers.
    assert process_start(pid) is not None, "its last user is there"
    late = user()
    assert pid_of(late) == pid
    users[2].send_signal(signal.SIGKILL)
    late.communicate("")
    assert ends(pid)


def test_a_killed_server_is_started_anew_by_the_next_user(user):
    first = user()
    pid = pid_of(first)
    os.kill(pid, signal.SIGKILL)
    assert ends(pid)
    second = user()
    assert pid_of(second) != pid


def test_a_model_that_cannot_be_loaded_is_reported(python, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHMARKS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bad.gguf").write_bytes(b"GGUF nonsense")
    with pytest.raises(LocalModelError, match="ended before it was ready"):
        node_server.shared(str(tmp_path / "bad.gguf"), python=python, announce=lambda _: None).__enter__()
    with pytest.raises(LocalModelError, match="was interrupted"):
        node_server.shared(EMBEDDED, python=python, announce=lambda _: None, cancelled=lambda: True).__enter__()
