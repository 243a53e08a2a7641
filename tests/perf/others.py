"""The same work by what people use instead: MLflow on SQLite, Inspect's logs, and the first orchestrator.

They are measured if an environment that has them is named: `BENCH_OTHERS`, a Python with MLflow and Inspect, and
`BENCH_FIRST`, the folder that holds a checkout of elizaOS/benchmarks as `benchmarks/`.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import benchmarks

from .command_line import BENCHMARKS, MANIFEST
from .figures import Scale, Table, seconds
from .histories import fill
from .viewer import ask, server_of

PROGRAMS = Path(__file__).parent / "programs"
RUNS = 20_000
LOGS = 1_000
TASKS = 60
REBUILT = (10_000, 50_000)
ROUNDS = 5


def measure_others(table: Table, folder: Path, scale: Scale) -> None:
    """Each program that is there, and this one at the same work."""
    python, first = os.environ.get("BENCH_OTHERS"), os.environ.get("BENCH_FIRST")
    rounds = scale.rounds(ROUNDS)
    if python:
        _mlflow(table, folder, python, scale.count(RUNS, least=100), rounds)
        _inspect(table, folder, python, scale.count(LOGS, least=20), scale.count(TASKS, least=3), rounds)
    if first:
        sizes = [scale.count(size, least=100 * place) for place, size in enumerate(REBUILT, 1)]
        _first_orchestrator(table, folder, first, sizes, rounds)
    if not python and not first:
        print("other programs: set BENCH_OTHERS or BENCH_FIRST, see docs/performance.md")


def figures_of(python: str, program: str, *arguments: object) -> tuple[str, list[tuple[str, float]]]:
    """The version of another program, and what it measured: names and seconds."""
    argv = [python, str(PROGRAMS / f"{program}.py"), *map(str, arguments)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return found["version"], found["figures"]


def _median(rounds: int, work: Callable[[], object]) -> float:
    return statistics.median(seconds(work) for _ in range(rounds))


def _add(table: Table, what: str, ours: float, whose: str, theirs: float) -> None:
    table.add(what, ours * 1e3, "ms", whose, theirs * 1e3, "")


def _mlflow(table: Table, folder: Path, python: str, runs: int, rounds: int) -> None:
    home = folder / "mlflow"
    home.mkdir()
    version, figures = figures_of(python, "mlflow_runs", home, runs, rounds)
    root = folder / "runs"
    fill(root, runs, heartbeats=False).close()
    place = benchmarks.open(folder / "recorded")
    recorded = min(runs, 300)

    def record() -> None:
        for number in range(recorded):
            with benchmarks.record("sums", model="openai:m", options={"seed": number}, place=place) as run:
                run.score(0.5, unit="ratio", samples=1)

    ours = [seconds(record) / recorded]
    serve = ("-m", "benchmarks.orchestrator", "--workspace", str(root), "serve-viewer", "--port", "0")
    with server_of(*serve) as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        for question in ("limit=100", "sort=-score&limit=100", "benchmark=benchmark_7&sort=-score&limit=1"):
            ask(connection, f"/api/runs?{question}")
            ours.append(_median(rounds, lambda path=f"/api/runs?{question}": ask(connection, path)))
    for (what, theirs), mine in zip(figures, ours, strict=True):
        what = what if what == "create one run" else f"{what}, of {runs:,}"
        _add(table, what, mine, f"MLflow {version}, SQLite", theirs)


def _inspect(table: Table, folder: Path, python: str, logs: int, tasks: int, rounds: int) -> None:
    home = folder / "inspect"
    home.mkdir()
    version, figures = figures_of(python, "inspect_logs", home, logs, tasks, rounds)
    root = folder / "set"
    (root / "trivial").mkdir(parents=True)
    (root / "trivial" / "benchmark.toml").write_text(MANIFEST)
    run = [BENCHMARKS, "--workspace", str(root), "run", "--benchmarks", "trivial", "--provider", "ollama"]
    run += ["--repeats", str(tasks)]
    subprocess.run(run, check=True, capture_output=True)
    fill(folder / "logs", logs, heartbeats=False).close()
    place = benchmarks.open(folder / "logs")
    place.export_viewer_data()
    show = [BENCHMARKS, "--workspace", str(folder / "logs"), "show-runs", "--limit", str(logs)]
    ours = [
        _median(rounds, lambda: subprocess.run(show, check=True, capture_output=True)),
        _median(rounds, place.runs),
        _median(rounds, lambda: subprocess.run(run, check=True, capture_output=True)),
    ]
    names = [f"`show-runs` of {logs:,}", f"read {logs:,} runs from Python", f"`run` of {tasks} finished tasks"]
    for name, (what, theirs), mine in zip(names, figures, ours, strict=True):
        _add(table, name, mine, f"Inspect {version}: {what}", theirs)


def _first_orchestrator(table: Table, folder: Path, first: str, sizes: list[int], rounds: int) -> None:
    _, figures = figures_of(sys.executable, "first_orchestrator", first, rounds, *sizes)
    for size, (what, theirs) in zip(sizes, figures, strict=True):
        root = folder / f"rebuilt-{size}"
        fill(root, size, heartbeats=False).close()
        export = [BENCHMARKS, "--workspace", str(root), "export-viewer-data"]
        mine = _median(rounds, lambda export=export: subprocess.run(export, check=True, capture_output=True))
        _add(table, what, mine, "the first orchestrator", theirs)
