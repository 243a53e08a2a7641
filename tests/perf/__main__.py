"""Measures the program itself: `python -m tests.perf`, or `make bench`. Prints a table and writes bench.json.

Machines are noisy, so every figure stands beside a baseline from the same minute: the two are taken in turns, and the
medians compared. Nothing here fails; the figures are for people.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PYTHON = sys.executable
BENCHMARKS = str(Path(PYTHON).with_name("benchmarks"))
CHILD = "import pathlib, sys; pathlib.Path(sys.argv[1], 'result.json').write_text('{\"score\": 0.5, \"n\": 1}')"
MANIFEST = f"""
id = "trivial"
name = "Trivial"
default_agent = "bare-model"
[run]
argv = ["{{python}}", "-c", {json.dumps(CHILD)}, "{{output_dir}}"]
[result]
files = ["result.json"]
score = "score"
unit = "ratio"
samples = "n"
"""


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_turns(rounds: int, *works: Callable[[], object]) -> list[float]:
    """The median seconds of each, taken in turns."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, taken, strict=True):
            times.append(seconds(work))
    return [statistics.median(times) for times in taken]


def command(*argv: str) -> Callable[[], object]:
    """A process to start and wait for; it must succeed."""
    return lambda: subprocess.run(argv, check=True, capture_output=True)


class Table:
    """The figures: printed as they come, and kept for bench.json."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def add(self, what: str, value: float, unit: str, baseline: str, base: float, target: str) -> None:
        """A figure beside its baseline, in the same unit."""
        ratio = value / base if base else 0.0
        row = {"what": what, "value": value, "unit": unit, "baseline": baseline, "base": base, "ratio": ratio}
        self.rows.append({**row, "target": target})
        print(f"{what:<58} {value:>9.1f} {unit:<8} {baseline:<26} {base:>9.1f} {ratio:>8.2f}x  {target}", flush=True)


BARE = "python -c pass"
CHILD_ALONE = "its bare child process"


def measure_start(table: Table, folder: Path) -> None:
    """How long the command line takes to answer."""
    listing = (BENCHMARKS, "--workspace", str(folder), "list-benchmarks")
    bare, help_, click, full = in_turns(
        15,
        command(PYTHON, "-c", "pass"),
        command(BENCHMARKS, "--help"),
        command(PYTHON, "-c", "import click"),
        command(*listing),
    )
    table.add("benchmarks --help", help_ * 1e3, "ms", BARE, bare * 1e3, "< 150 ms")
    table.add("  of that: python -c 'import click'", click * 1e3, "ms", BARE, bare * 1e3, "")
    table.add("benchmarks list-benchmarks", full * 1e3, "ms", BARE, bare * 1e3, "< 400 ms")
    probe = "import subprocess; subprocess.run(['docker', 'info'], capture_output=True)"
    probe = probe if shutil.which("docker") else "pass"
    imports = "import benchmarks.adapters.discovery, jmespath"
    probed, imported = in_turns(7, command(PYTHON, "-c", probe), command(PYTHON, "-c", imports))
    table.add("  of that: the check for a Docker daemon", (probed - bare) * 1e3, "ms", BARE, bare * 1e3, "")
    table.add("  of that: importing discovery and jmespath", (imported - bare) * 1e3, "ms", BARE, bare * 1e3, "")


def measure_runs(table: Table, folder: Path) -> None:
    """What a run costs on top of its child, and what a skipped one costs."""
    (folder / "trivial").mkdir()
    (folder / "trivial" / "benchmark.toml").write_text(MANIFEST)
    run = [BENCHMARKS, "--workspace", str(folder), "run", "--benchmarks", "trivial", "--provider", "ollama"]
    few, many = 5, 45
    target = folder / "bare"
    target.mkdir()
    bare, short, long = in_turns(
        5,
        command(PYTHON, "-c", CHILD, str(target)),
        command(*run, "--force", "--repeats", str(few)),
        command(*run, "--force", "--repeats", str(many)),
    )
    # The slope leaves out what the command costs once: start, recovery, projections.
    each = (long - short) / (many - few)
    table.add("one run of a trivial benchmark", each * 1e3, "ms", CHILD_ALONE, bare * 1e3, "")
    table.add(
        "  its overhead over the bare child",
        (each - bare) * 1e3,
        "ms",
        CHILD_ALONE,
        bare * 1e3,
        "<= 30 ms",
    )
    subprocess.run([*run, "--repeats", "200"], check=True, capture_output=True)
    start, skipped = in_turns(5, command(BENCHMARKS, "--version"), command(*run, "--repeats", "200"))
    table.add(
        "200 skipped signatures, all in all",
        skipped * 1e3,
        "ms",
        "benchmarks --version",
        start * 1e3,
        "<= 1000 ms",
    )


def measure_ledger(table: Table, folder: Path) -> None:
    """Durable appends, reading and the projection."""
    from benchmarks.ledger.events import NewEvent, Started
    from benchmarks.ledger.history import History
    from benchmarks.ledger.jsonl import JsonlStore
    from benchmarks.ledger.ledger import Ledger
    from benchmarks.projections.database import rebuild

    def started(number: int) -> Started:
        text = f"s{number}"
        return Started(
            run_group_id="rg",
            benchmark_id="b",
            benchmark_directory="b",
            signature=text,
            preimage={"seed": number},
            comparison_key="c",
            attempt=1,
            agent="a",
            provider="p",
            model="m",
            extra_config={"seed": number},
            command=["python", "-m", "suite"],
            cwd="/",
            stdout_path="o",
            stderr_path="e",
        )

    count = 2000
    ledger = Ledger(JsonlStore(folder / "appended", notice=print))
    with (folder / "raw").open("wb", buffering=0) as raw:
        number = iter(range(10**9))

        def sync_lines() -> None:
            for _ in range(count):
                raw.write(b"x" * 600 + b"\n")
                os.fdatasync(raw.fileno())

        def append() -> None:
            for _ in range(count):
                ledger.append(f"run_{next(number)}", started(next(number)))

        synced, appended = in_turns(3, sync_lines, append)
    table.add(
        "durable appends through the ledger", count / appended, "per s", "write + fdatasync alone", count / synced, ""
    )
    store = JsonlStore(folder / "bulk", notice=print)
    many = 50_000
    store.append(lambda _: [NewEvent(f"run_{n}", started(n)) for n in range(many)], lambda _: None)
    lines = next((folder / "bulk").glob("*.jsonl")).read_bytes().splitlines()
    parsed, folded, built = in_turns(
        3,
        lambda: [json.loads(line) for line in lines],
        lambda: History().read(store.read()),
        lambda: rebuild(folder / "db.sqlite", store),
    )
    table.add("events read and folded", many / folded, "per s", "json.loads of each line", many / parsed, "")
    table.add("events into orchestrator.sqlite", many / built, "per s", "json.loads of each line", many / parsed, "")


def main() -> None:
    """Take every figure."""
    table = Table()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    for measure in (measure_start, measure_runs, measure_ledger):
        with tempfile.TemporaryDirectory() as folder:
            measure(table, Path(folder))
    Path("bench.json").write_text(json.dumps({"cores": os.cpu_count(), "rows": table.rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
