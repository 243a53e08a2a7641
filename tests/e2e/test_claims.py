"""The claim with many processes: one does each piece of work, and one recovers each dead run."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from benchmarks.ledger.events import Started
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.open import open_store

SEED = int(os.environ.get("TEST_SEED", random.randrange(10**6)))

CLAIMER = """
import random, sys
from benchmarks.ledger.events import GroupOpened, NewEvent, Request, Started
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.open import open_store

url, name, seed, work = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
ledger = Ledger(open_store(url, notice=print))
asked = Request(benchmarks=["b"], agent=None, provider="p", model="m")
ledger.append(f"rg_{name}", GroupOpened(request=asked, benchmarks=["b"]))
signatures = [f"s{number}" for number in range(work)]
random.Random(seed).shuffle(signatures)
print("ready", flush=True)
sys.stdin.readline()
for signature in signatures:
    started = Started(
        run_group_id=f"rg_{name}", benchmark_id="b", benchmark_directory="b", signature=signature, preimage={},
        comparison_key="c", attempt=1, agent="a", provider="p", model="m", extra_config={}, command=[], cwd="/",
        stdout_path="", stderr_path="",
    )
    claimed = ledger.decide(
        lambda history: [] if history.attempts(signature) else [NewEvent(f"run_{name}_{signature}", started)]
    ).records
    if claimed:
        print(signature, flush=True)
ledger.close()
"""


@pytest.mark.parametrize("kind", ["jsonl", "sqlite"])
def test_of_many_orchestrators_one_claims_each_piece_of_work(tmp_path, kind):
    print(f"seed {SEED}")
    url, processes, work = f"{kind}://{tmp_path / 'ledger'}", 8, 40
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, url, str(number), str(SEED + number), str(work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for claimer in claimers:
        assert claimer.stdout.readline() == "ready\n"
    for claimer in claimers:
        claimer.stdin.write("go\n")
        claimer.stdin.flush()
    reported = [signature for claimer in claimers for signature in claimer.communicate(timeout=60)[0].split()]
    assert all(claimer.returncode == 0 for claimer in claimers)
    store = open_store(url, notice=pytest.fail)
    started = Counter(record.data.signature for record in store.read(types=[Started.type]))
    assert started == Counter({f"s{number}": 1 for number in range(work)})
    assert sorted(reported) == sorted(started)
    assert verify(store).is_sound


def test_of_many_recovering_processes_one_wins(bench, tmp_path):
    path = tmp_path / "gate"
    os.mkfifo(path)
    bench.add("slow", 'print("begun", flush=True)\nopen(os.environ["GATE"]).read()')
    process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", GATE=str(path))
    assert "started" in process.stderr.readline()
    process.kill()
    process.communicate()
    recoverers = [bench.start("recover-stale-runs", "--stale-seconds", "0") for _ in range(4)]
    reported = [recoverer.communicate(timeout=60)[0] for recoverer in recoverers]
    assert [recoverer.returncode for recoverer in recoverers] == [0] * 4
    assert sorted("1 runs recovered" in text for text in reported) == [False, False, False, True]
    assert len(bench.events("recovered")) == 1
    assert len(bench.events("group_closed")) == 1
