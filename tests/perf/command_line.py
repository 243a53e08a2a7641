"""What the command line costs: its start, a run in addition to its child, a skipped run, and a run that only waits."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.adapters.discovery import discover
from benchmarks.ledger.events import Finished, NewEvent, Started
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.orchestrator.machine.capacity import UNRATIONED
from benchmarks.orchestrator.models.targets import find_target
from benchmarks.orchestrator.planning.campaign_file import cells_of, load_campaign_file
from benchmarks.orchestrator.planning.plan import PlannedRun, make_plan

from .figures import Scale, Table, command, in_turns, seconds

PYTHON = sys.executable
BENCHMARKS = str(Path(PYTHON).with_name("benchmarks"))
CHILD = "import pathlib, sys; pathlib.Path(sys.argv[1], 'result.json').write_text('{\"score\": 0.5, \"n\": 1}')"
MANIFEST = f"""
id = "trivial"
name = "Trivial"
default_agent = "bare-model"
[run]
argv = ["{{python}}", "-c", {json.dumps(CHILD)}, "{{output_dir}}"]
[options.n]
type = "int"
default = 0
env = "N"
[result]
files = ["result.json"]
score = "score"
unit = "ratio"
samples = "n"
"""


BARE = "python -c pass"
CHILD_ALONE = "its bare child process"


def measure_start(table: Table, folder: Path, scale: Scale) -> None:
    """How long the command line takes to answer."""
    listing = (BENCHMARKS, "--workspace", str(folder), "list-benchmarks")
    bare, help_, version, click, full = in_turns(
        scale.rounds(15),
        command(PYTHON, "-c", "pass"),
        command(BENCHMARKS, "--help"),
        command(BENCHMARKS, "--version"),
        command(PYTHON, "-c", "import click"),
        command(*listing),
    )
    table.add("benchmarks --help", help_ * 1e3, "ms", BARE, bare * 1e3, "< 150 ms")
    table.add("benchmarks --version", version * 1e3, "ms", BARE, bare * 1e3, "< 150 ms")
    table.add("  of that: python -c 'import click'", click * 1e3, "ms", BARE, bare * 1e3, "")
    table.add("benchmarks list-benchmarks", full * 1e3, "ms", BARE, bare * 1e3, "< 400 ms")
    probe = "import subprocess; subprocess.run(['docker', 'info'], capture_output=True)"
    probe = probe if shutil.which("docker") else "pass"
    imports = "import benchmarks.adapters.discovery, jmespath"
    probed, imported = in_turns(scale.rounds(7), command(PYTHON, "-c", probe), command(PYTHON, "-c", imports))
    table.add("  of that: the check for a Docker daemon", (probed - bare) * 1e3, "ms", BARE, bare * 1e3, "")
    table.add("  of that: importing discovery and jmespath", (imported - bare) * 1e3, "ms", BARE, bare * 1e3, "")


def measure_runs(table: Table, folder: Path, scale: Scale) -> None:
    """What a run costs in addition to its child, one after the other and in parallel."""
    (folder / "trivial").mkdir()
    (folder / "trivial" / "benchmark.toml").write_text(MANIFEST)
    run = [BENCHMARKS, "--workspace", str(folder), "run", "--benchmarks", "trivial", "--provider", "ollama"]
    few, many = 1, 1 + scale.count(40, least=2)
    target = folder / "bare"
    target.mkdir()
    bare, short, long = in_turns(
        scale.rounds(5),
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
        "<= 15 ms",
    )
    jobs, few = 8, scale.count(20, least=2)
    many = 6 * few
    bare, short, long = in_turns(
        scale.rounds(5),
        command(
            "sh", "-c", f"seq {many - few} | xargs -P {jobs} -I@ {shlex.join([PYTHON, '-c', CHILD, str(target)])} @"
        ),
        command(*run, "--force", "--jobs", str(jobs), "--repeats", str(few)),
        command(*run, "--force", "--jobs", str(jobs), "--repeats", str(many)),
    )
    rate, bare_rate = (many - few) / (long - short), (many - few) / bare
    table.add(f"runs with --jobs {jobs}", rate, "/s", f"children, xargs -P {jobs}", bare_rate, ">= 0.8x")


def measure_known(table: Table, folder: Path, scale: Scale) -> None:
    """What it costs to plan work that has succeeded before, and to skip it."""
    known = scale.count(10_000, least=10)
    (folder / "trivial").mkdir()
    (folder / "trivial" / "benchmark.toml").write_text(MANIFEST)
    file = folder / "known.toml"
    options = ", ".join(f"{{ n = {number} }}" for number in range(known))
    file.write_text(f'[matrix]\nbenchmarks = ["trivial"]\nmodels = ["ollama:m"]\noptions = [{options}]\n')
    ledger = Ledger(JsonlStore(folder / "benchmark_results" / "ledger", notice=print))
    events = [event for planned in _plan(folder, file) for event in _success(planned)]
    ledger.decide(lambda _: events)
    ledger.close()
    subprocess.run([BENCHMARKS, "--workspace", str(folder), "export-viewer-data"], check=True, capture_output=True)
    before = folder.with_name(f"{folder.name}-before")
    shutil.copytree(folder, before)
    starts, skips = [], []
    for _ in range(scale.rounds(5)):
        # Each skip is an event: every round begins with the same history.
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        starts.append(seconds(command(BENCHMARKS, "--version")))
        skips.append(seconds(command(BENCHMARKS, "--workspace", str(folder), "run", "--campaign", str(file))))
    shutil.rmtree(before)
    start, skipped = statistics.median(starts), statistics.median(skips)
    what = f"{known:,} known signatures planned and skipped"
    table.add(what, skipped * 1e3, "ms", "benchmarks --version", start * 1e3, "<= 1000 ms")


def _plan(folder: Path, file: Path) -> list[PlannedRun]:
    known = discover(folder).adapters
    cells = cells_of(
        load_campaign_file(file), known, lambda name, model, url: find_target(name, model, base_url=url, environ={})
    )
    return make_plan(cells, known=known, repeats=1, environ=os.environ, capacity=UNRATIONED)


def _success(planned: PlannedRun) -> list[NewEvent]:
    run_id = f"run_trivial_{planned.signature.digest[:16]}"
    started = Started(
        run_group_id="rg_before",
        benchmark_id="trivial",
        benchmark_directory="trivial",
        signature=planned.signature.digest,
        preimage=planned.signature.preimage,
        comparison_key=planned.signature.comparison_key,
        attempt=1,
        agent=planned.agent,
        provider=planned.provider,
        model=planned.model,
        extra_config=planned.config,
        command=["trivial"],
        cwd="/",
        stdout_path="stdout.log",
        stderr_path="stderr.log",
    )
    finished = Finished(
        ended_at="2026-11-23T10:00:00.000000Z", unit="ratio", higher_is_better=True, score=0.5, samples=1
    )
    return [NewEvent(run_id, started), NewEvent(run_id, finished)]


def measure_idle(table: Table, folder: Path, scale: Scale) -> None:
    """What the orchestrator costs while its runs only wait: it watches them and records heartbeats."""
    runs, watched = scale.count(16, least=2), max(1.0, 20.0 * scale.part)
    (folder / "trivial").mkdir()
    idle = MANIFEST.replace(json.dumps(CHILD), json.dumps("import time; time.sleep(1000)"))
    (folder / "trivial" / "benchmark.toml").write_text(idle)
    run = [BENCHMARKS, "--workspace", str(folder), "run", "--benchmarks", "trivial", "--provider", "ollama"]
    with subprocess.Popen(
        [*run, "--repeats", str(runs), "--jobs", str(runs)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        assert process.stderr is not None
        for _ in range(runs):
            process.stderr.readline()
        orchestrator = psutil.Process(process.pid)
        before, begin = orchestrator.cpu_times(), time.perf_counter()
        time.sleep(watched)
        after, end = orchestrator.cpu_times(), time.perf_counter()
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    used = after.user + after.system - before.user - before.system
    share = 100 * used / (end - begin)
    table.add(f"{runs} idle runs, of a core for each", share / runs, "%", "of a core for all", share, "< 0.1 %")
