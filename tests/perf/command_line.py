"""What the command line costs: its start, a run on top of its child, and a run that is skipped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from .figures import Table, command, in_turns

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
