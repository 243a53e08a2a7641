"""Random kills of workers, nodes, the driver, PostgreSQL and its backends: nothing is lost, nothing runs twice.

RELIABILITY=1 makes 50 kills instead of 5, one of each kind. TEST_SEED repeats them.
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil

from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.postgres_address import Address
from benchmarks.ledger.storage.postgres_init import prepare_ledger
from tests.cluster.postgres.server import Server
from tests.waiting import HANG_SECONDS

from .conftest import NODE, Team, new_cluster

KILLS = 50 if os.environ.get("RELIABILITY") == "1" else 5
SEED = int(os.environ.get("TEST_SEED", random.randrange(10**6)))
NAMES = [f"work{number}" for number in range(8)]

MARKS = """
import os, time
run = os.environ["BENCHMARK_RUN_ID"]
with open("{marks}", "a") as marks:
    marks.write(f"{{run}} {{os.getpid()}}\\n")
time.sleep(0.2 + 0.1 * (len(run) % 5))
output.joinpath("result.json").write_text(json.dumps({{"score": 0.5, "n": 4}}))
"""


class Chaos:
    """A campaign under kills."""

    def __init__(self, team: Team, server: Server, database: str, marks: Path) -> None:
        self.team = team
        self.server = server
        self.database = database
        self.marks = marks
        self.repeats = 2 * KILLS
        self.driver = self.start()

    def start(self) -> subprocess.Popen[str]:
        more = ("--repeats", str(self.repeats), "--retries", "50", "--retry-delay", "0.05")
        log = (self.marks.parent / "driver.log").open("ab")
        arguments = self.team.bench.command(*self.team.arguments(*NAMES), *more)
        return subprocess.Popen(arguments, env=self.team.bench.environ, stdout=log, stderr=log, text=True)

    def again(self) -> None:
        """Start the same command again if it has ended."""
        if self.driver.poll() is not None:
            self.driver = self.start()

    def is_at_work(self) -> bool:
        """Whether the campaign performs runs: a kill at another time shows nothing."""
        return self.driver.poll() is None and bool(self.workers())

    def workers(self) -> list[psutil.Process]:
        """The worker processes of this cluster that perform a run."""
        found = [one for one in psutil.process_iter() if _name(one).startswith("ray::benchmark ")]
        return [one for one in found if self.team.cluster.address in _name_of_parent(one)]

    def kill(self, what: str, rng: random.Random) -> bool:
        """Kill something of that kind. Returns whether there was something."""
        if what == "driver":
            self.driver.kill()
            self.driver.wait()
        elif what == "server":
            self.server.kill()
            time.sleep(rng.uniform(0, 0.5))
            self.server.start()
        elif what == "backend":
            self.server.kill_backend(rng.choice(self.server.backends(self.database)))
        elif what == "worker":
            workers = self.workers()
            if not workers:
                return False
            with contextlib.suppress(psutil.NoSuchProcess):
                rng.choice(workers).send_signal(signal.SIGKILL)
        else:
            self.team.cluster.remove_node(
                rng.choice(sorted(self.team.cluster.worker_nodes, key=id)), allow_graceful=False
            )
            self.team.cluster.add_node(**NODE)
        return True


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _name_of_parent(process: psutil.Process) -> str:
    """The command line of the node that started a worker; it has the address of its cluster."""
    try:
        parent = process.parent()
    except psutil.Error:
        return ""
    return _name(parent) if parent else ""


def test_nothing_is_lost_and_nothing_runs_twice(bench, tmp_path):
    rng = random.Random(SEED)
    print(f"TEST_SEED={SEED}")
    server = Server()
    cluster = new_cluster(num_cpus=0)
    tally: collections.Counter[str] = collections.Counter()
    try:
        database = server.new_database()
        url = server.url(database)
        prepare_ledger(Address(url), writers=[], readers=[])
        bench.environ |= {"BENCHMARKS_LEDGER": url, "BENCHMARKS_LOCK_SECONDS": "60"}
        marks = tmp_path / "marks"
        for name in NAMES:
            bench.add(name, MARKS.format(marks=marks))
        chaos = Chaos(Team(bench, cluster, tmp_path), server, database, marks)
        until = time.monotonic() + 120 + 20 * KILLS
        while tally.total() < KILLS:
            assert time.monotonic() < until, (tmp_path / "driver.log").read_text()[-4000:]
            time.sleep(rng.uniform(0.2, 1.5))
            if not chaos.is_at_work():
                chaos.again()
                continue
            # The first kills are of each kind, so that the short form has all of them.
            kinds = ["worker", "node", "driver", "backend", "server"]
            what = kinds[tally.total()] if tally.total() < len(kinds) else rng.choice([*kinds, "worker", "worker"])
            tally[what] += chaos.kill(what, rng)
        for _ in range(5):
            chaos.again()
            if chaos.driver.wait(3 * HANG_SECONDS) == 0:
                break
        else:
            raise AssertionError((tmp_path / "driver.log").read_text()[-4000:])
        with contextlib.closing(bench.store()) as store:
            report = verify(store)
        assert (report.damage, report.story) == ([], [])
        rows = bench.runs("--limit", "100000")
        assert not [row for row in rows if row["status"] == "running"]
        done = collections.Counter(row["signature"] for row in rows if row["status"] == "succeeded")
        assert len(done) == len(NAMES) * chaos.repeats, "nothing is lost"
        assert set(done.values()) == {1}, "nothing has succeeded twice"
        executed = collections.Counter(line.split()[0] for line in marks.read_text().splitlines())
        assert set(executed.values()) == {1}, "each run was executed once"
        assert executed.keys() <= {row["run_id"] for row in rows}, "nothing ran that the ledger does not know"
        tally["runs"] = len(rows)
    finally:
        print(", ".join(f"{count} {what}" for what, count in sorted(tally.items())))
        cluster.shutdown()
        server.close()
