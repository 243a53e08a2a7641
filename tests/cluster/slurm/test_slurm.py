"""`--executor slurm`, against an imitation of Slurm's commands that behaves as their manual documents."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests import fake_slurm as imitation
from tests.waiting import HANG_SECONDS, until

pytestmark = pytest.mark.slow

WAITS = """
import os, time
pathlib.Path(os.environ["BENCHMARK_RUN_ROOT"], "began").write_text(str(os.getpid()))
while not os.path.exists("{gate}"):
    time.sleep(0.02)
output.joinpath("result.json").write_text(json.dumps({{"score": 0.5, "n": 4}}))
"""


class Slurm:
    """A workspace, and the imitated commands on PATH."""

    def __init__(self, bench, folder: Path, monkeypatch) -> None:
        self.bench = bench
        self.state = folder / "slurm"
        self.gate = folder / "gate"
        commands = folder / "bin"
        for new in (self.state, commands):
            new.mkdir()
        for name in ("sbatch", "squeue", "scancel", "sinfo", "sacct"):
            file = commands / name
            file.write_text(f"#!{sys.executable}\n" + Path(imitation.__file__).read_text())
            file.chmod(0o755)
        bench.environ |= {"PATH": f"{commands}:{os.environ['PATH']}", "FAKE_SLURM": str(self.state)}
        monkeypatch.setattr(imitation, "STATE", self.state)
        monkeypatch.setenv("FAKE_SLURM", str(self.state))

    def add(self, *names: str, **settings: str) -> None:
        for name in names:
            self.bench.add(name, WAITS.format(gate=self.gate), **settings)

    def arguments(self, *names: str) -> tuple[str, ...]:
        return ("run", "--benchmarks", *names, "--provider", "ollama", "--model", "m", "--executor", "slurm")

    def started(self, number: int) -> list[dict]:
        def check():
            if not (self.bench.results / "ledger").is_dir():
                return []
            events = self.bench.events("started")
            began = [Path(event["data"]["stdout_path"]).with_name("began") for event in events]
            return events if sum(path.is_file() and bool(path.read_text()) for path in began) >= number else []

        return until(check)

    def jobs(self, state: str) -> list[Path]:
        return [job for job in imitation.jobs() if imitation.read(job)["state"] == state]

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.state / "calls").read_text().splitlines()]


@pytest.fixture
def slurm(bench, tmp_path, monkeypatch):
    return Slurm(bench, tmp_path, monkeypatch)


def test_runs_are_elements_of_an_array(slurm):
    slurm.gate.touch()
    slurm.add("one", "two")
    slurm.add("large", more='[resources]\ncpus = 3\nmemory = "2 GiB"')
    done = slurm.bench(*slurm.arguments("one", "two", "large"), "--repeats", "2", GROQ_API_KEY="not-for-the-queue")
    assert "6 succeeded" in done.stdout, done.stderr
    small, large = sorted(slurm.calls(), key=lambda call: "--cpus-per-task=3" in call)
    assert "--array=0-3" in small and "--array=0-1" in large and "--mem=2048M" in large and "--no-requeue" in large
    assert all("GROQ" not in word for call in slurm.calls() for word in call)
    for job in imitation.jobs():
        assert "GROQ_API_KEY" not in imitation.read(job)["environ"]
    assert not list(slurm.bench.results.glob("rg_*/slurm")), "errands hold secrets, and are gone"
    owners = {event["data"]["owner"]["pid"] for event in slurm.bench.events("started")}
    assert len(owners) == 6
    assert (
        "0 succeeded, 0 failed, 6 skipped"
        in slurm.bench(*slurm.arguments("one", "two", "large"), "--repeats", "2").stdout
    )


def test_a_key_reaches_the_job_and_is_recorded_nowhere(slurm):
    code = """
    import os
    print(os.environ["GROQ_API_KEY"], any(name.startswith("SLURM_") for name in os.environ))
    output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
    """
    slurm.bench.add("keys", code)
    arguments = ("run", "--benchmarks", "keys", "--provider", "groq", "--model", "m", "--executor", "slurm")
    slurm.bench(*arguments, GROQ_API_KEY="gsk_" + "k3y" * 12)
    [row] = slurm.bench.runs()
    assert Path(row["stdout_path"]).read_text().split() == ["[redacted:GROQ_API_KEY]", "False"]
    assert "k3yk3y" not in slurm.bench.text()
    for file in slurm.state.rglob("*"):
        assert not file.is_file() or "k3yk3y" not in file.read_text(errors="replace")


def test_the_end_of_a_node_is_recovered_and_retried(slurm):
    slurm.add("one")
    running = slurm.bench.start(*slurm.arguments("one"), "--retries", "1", "--retry-delay", "0.1")
    slurm.started(1)
    [job] = slurm.jobs("RUNNING")
    imitation.end(job, "NODE_FAIL")
    slurm.started(2)
    slurm.gate.touch()
    assert running.wait(HANG_SECONDS) == 0, running.communicate()
    first, second = slurm.bench.runs()
    assert (first["status"], first["recovered"], second["status"], second["attempt"]) == (
        "failed",
        True,
        "succeeded",
        2,
    )
    assert "its Slurm job 100_0 ended as NODE_FAIL" in first["error"]


def test_a_job_that_left_the_queue_is_looked_up_in_the_accounting(slurm):
    slurm.add("one")
    running = slurm.bench.start(*slurm.arguments("one"), "--retries", "3")
    slurm.started(1)
    (slurm.state / "purged").touch()
    imitation.end(slurm.jobs("RUNNING")[0], "TIMEOUT")
    assert running.wait(HANG_SECONDS) == 1, "a time limit of Slurm would be reached again"
    [row] = slurm.bench.runs()
    assert "ended as TIMEOUT" in row["error"]


def test_a_requeued_job_closes_what_its_first_start_left(slurm):
    slurm.add("one")
    running = slurm.bench.start(*slurm.arguments("one"))
    slurm.started(1)
    imitation.requeue(slurm.jobs("RUNNING")[0])
    slurm.started(2)
    slurm.gate.touch()
    assert running.wait(HANG_SECONDS) in (0, 1), running.communicate()
    first, second = slurm.bench.runs()
    assert "Slurm has requeued its job" in first["error"]
    assert (first["status"], second["status"], second["attempt"]) == ("failed", "succeeded", 2)


def test_a_job_that_never_began_is_submitted_again(slurm):
    (slurm.state / "hold").touch()
    slurm.gate.touch()
    slurm.add("one")
    running = slurm.bench.start(*slurm.arguments("one"))
    [job] = until(lambda: slurm.jobs("PENDING"))
    imitation.end(job, "NODE_FAIL")
    until(lambda: len(imitation.jobs()) == 2)
    (slurm.state / "hold").unlink()
    assert running.wait(HANG_SECONDS) == 0, running.communicate()
    assert len(slurm.bench.events("started")) == 1, "what has not begun is not an attempt"


def test_pending_jobs_of_a_cancelled_group_leave_the_queue(slurm):
    slurm.add(*"abcdef")
    running = slurm.bench.start(*slurm.arguments(*"abcdef"))
    events = slurm.started(4)
    assert len(slurm.jobs("PENDING")) == 2
    slurm.bench("cancel", events[0]["data"]["run_group_id"], "--author", "Ada")
    assert running.wait(HANG_SECONDS) == 1
    # A job may leave the queue just before it is cancelled: then it finds that its group is, and starts nothing.
    assert not slurm.jobs("PENDING") and not slurm.jobs("RUNNING") and len(slurm.bench.events("started")) == 4
    assert {(row["status"], row["reason"]) for row in slurm.bench.runs()} == {("failed", "cancelled")}


def test_an_interrupt_ends_the_jobs_in_order(slurm):
    slurm.add("one", "two")
    running = slurm.bench.start(*slurm.arguments("one", "two"))
    slurm.started(2)
    running.send_signal(signal.SIGINT)
    assert running.wait(HANG_SECONDS) == 130, running.communicate()
    assert {row["reason"] for row in slurm.bench.runs()} == {"cancelled"}
    assert not slurm.jobs("RUNNING") and not slurm.jobs("PENDING")


def test_a_job_that_a_person_cancels_in_slurm_is_not_retried(slurm):
    slurm.add("one")
    running = slurm.bench.start(*slurm.arguments("one"), "--retries", "3")
    slurm.started(1)
    imitation.end(slurm.jobs("RUNNING")[0], "CANCELLED")
    assert running.wait(HANG_SECONDS) == 1
    [row] = slurm.bench.runs()
    assert "ended as CANCELLED" in row["error"]


def test_what_slurm_can_never_run_is_refused_at_once(slurm):
    slurm.add("big", more='[resources]\ncpus = 64\nmemory = "1 GiB"')
    done = slurm.bench(*slurm.arguments("big"), code=2)
    assert "big: Slurm cannot run it: it asks for 64 processors, 1.0 GiB of memory" in done.stderr
    assert "the largest node has 4 processors, 16.0 GiB of memory" in done.stderr and "hint: " in done.stderr
    assert not (slurm.bench.results / "ledger").exists()


def test_without_slurm_the_missing_commands_are_named(bench):
    bench.add("one")
    arguments = ("run", "--benchmarks", "one", "--provider", "ollama", "--executor", "slurm")
    done = bench(*arguments, code=2)
    assert (
        "needs sbatch, squeue, scancel, which cannot be found on PATH\nhint: run this command on a login" in done.stderr
    )
