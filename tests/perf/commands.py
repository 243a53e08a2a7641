"""What commands cost beside a history of 100, 10,000 and 100,000 runs. A flat cost is the aim: a ratio near 1."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace

from .command_line import BENCHMARKS, MANIFEST
from .figures import Scale, Table
from .histories import fill
from .ledger import one_run
from .viewer import ask, server_of

SIZES = (100, 10_000, 100_000)
ROUNDS = 5
SOME_RUN = "run_benchmark_2_20261123T154419Z_1_00000002"
RUN = ("run", "--benchmarks", "trivial", "--provider", "ollama", "--model", "m")
COMMANDS: dict[str, tuple[tuple[str, ...], float | None]] = {
    "status": (("status",), 0.3),
    "run, one known signature, skipped": (RUN, 0.5),
    "run --force, one trivial child": ((*RUN, "--force"), 0.8),
    "recover-stale-runs, nothing to do": (("recover-stale-runs",), 0.5),
    "leaderboard": (("leaderboard",), 0.5),
    "compare": (("compare", "model-1", "model-2"), 0.5),
    "check": (("check", "--baseline", "last"), 0.5),
    "ledger head": (("ledger", "head"), 0.2),
    "ledger stat": (("ledger", "stat"), 0.3),
    "show-runs --limit 20": (("show-runs", "--limit", "20"), 0.15),
    "show-run": (("show-run", SOME_RUN), 0.15),
    "query, after the first": (("query", "SELECT count(*) FROM runs"), 0.3),
    "list-benchmarks": (("list-benchmarks",), 0.4),
}
"""Each command, and the seconds that it may take at 100,000 runs."""

# Starts one command and prints what it took. A process of its own, because a child's peak memory begins with that of
# the process that started it.
LAUNCHER = """
import json, os, sys, time
quiet = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
begin = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - begin
print(json.dumps([os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]))
"""


class Cost(NamedTuple):
    """What one command took: seconds, processor seconds of its whole family, and MiB of the largest process."""

    wall: float
    cpu: float
    peak: float


def cost_of(*argv: str) -> Cost:
    """Run a command to its end."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *argv], capture_output=True, text=True)
    code, *cost = json.loads(done.stdout)
    assert code in (0, 1), done.stderr  # 1: a check that found something worse
    return Cost(*cost)


def measure_commands(table: Table, folder: Path, scale: Scale) -> None:
    """Every command of the table, and the viewer, at each size."""
    sizes = sorted({scale.count(size, least=100) for size in SIZES})
    roots = [_workspace(folder / str(size), size) for size in sizes]
    rounds = scale.rounds(ROUNDS)
    print(f"\n{'command':<36} {' '.join(f'{size:>9,}' for size in sizes)}  ratio  target    CPU s  peak MiB")
    for name, (arguments, target) in COMMANDS.items():
        taken: list[list[Cost]] = [[] for _ in roots]
        for _ in range(rounds):
            for root, costs in zip(roots, taken, strict=True):
                costs.append(cost_of(BENCHMARKS, "--workspace", str(root), *arguments))
        _add(table, name, sizes, [Cost(*map(statistics.median, zip(*costs, strict=True))) for costs in taken], target)
    served = [_serve(root, runs, rounds) for root, runs in zip(roots, sizes, strict=True)]
    for name, target in (("viewer: first answer after start", 0.5), ("viewer: /api/leaderboard", 0.05)):
        _add(table, name, sizes, [costs[name] for costs in served], target)


def _workspace(root: Path, runs: int) -> Path:
    """A workspace with that many runs, whose projections are current, and with the success of a trivial benchmark."""
    given = os.environ.get("BENCH_HISTORIES")
    kept = Path(given) / str(runs) if given else root
    if not kept.exists():
        fill(kept, runs).close()
        (kept / "trivial").mkdir()
        (kept / "trivial" / "benchmark.toml").write_text(MANIFEST)
    if kept != root:
        shutil.copytree(kept, root)
    for arguments in (RUN, (*RUN, "--force"), ("export-viewer-data",), ("query", "SELECT 1")):
        subprocess.run([BENCHMARKS, "--workspace", str(root), *arguments], check=True, capture_output=True)
    return root


def _serve(root: Path, runs: int, rounds: int) -> dict[str, Cost]:
    """The first answer of a server that starts, and the leaderboard after each new run."""
    serve = ("-m", "benchmarks.orchestrator", "--workspace", str(root), "serve-viewer", "--port", "0")
    first, after = [], []
    if runs >= 10_000:
        # The server of a long history keeps an index, which the next one begins with.
        with server_of(*serve) as (port, _):
            ask(http.client.HTTPConnection("127.0.0.1", port, timeout=600), "/api/runs?limit=100")
            while not Workspace(root).viewer_index.exists():
                time.sleep(0.1)
    for number in range(rounds):
        begin = time.perf_counter()
        with server_of(*serve) as (port, pid):
            process = psutil.Process(pid)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
            ask(connection, "/api/runs?limit=100")
            first.append(Cost(time.perf_counter() - begin, _cpu(process), _peak(process)))
            if number == rounds - 1:
                after = [_news(root, round_, connection, process) for round_ in range(rounds)]
    medians = [Cost(*map(statistics.median, zip(*costs, strict=True))) for costs in (first, after)]
    return dict(zip(("viewer: first answer after start", "viewer: /api/leaderboard"), medians, strict=True))


def _news(root: Path, number: int, connection: http.client.HTTPConnection, process: psutil.Process) -> Cost:
    store = JsonlStore(Workspace(root).ledger, notice=print)
    events = [NewEvent(f"run_news_{number}", new.data) for new in one_run("rg_news", number)]
    store.append(lambda _: events, lambda _: None)
    store.close()
    begin, before = time.perf_counter(), _cpu(process)
    ask(connection, "/api/leaderboard")
    return Cost(time.perf_counter() - begin, _cpu(process) - before, _peak(process))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _peak(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _add(table: Table, name: str, sizes: list[int], costs: list[Cost], target: float | None) -> None:
    ratio = costs[-1].wall / costs[0].wall
    row = {
        "what": name,
        "unit": "s",
        "sizes": sizes,
        "wall": [cost.wall for cost in costs],
        "cpu": [cost.cpu for cost in costs],
        "peak_mib": [cost.peak for cost in costs],
        "ratio": ratio,
        "target": target,
    }
    table.rows.append(row)
    walls = " ".join(f"{cost.wall:>9.3f}" for cost in costs)
    goal = f"{target:>5.2f} s" if target else " " * 7
    print(f"{name:<36} {walls} {ratio:>5.1f}x {goal}  {costs[-1].cpu:>7.2f} {costs[-1].peak:>9.0f}", flush=True)
