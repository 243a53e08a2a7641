"""What tests of several folders share: a workspace with small benchmarks, and the installed command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = [str(Path(sys.executable).with_name("benchmarks"))]

MANIFEST = """
id = "{id}"
name = "{id}"
agents = ["*"]
default_agent = "bare-model"

[run]
argv = ["{{python}}", "{{suite_dir}}/suite.py", "{{output_dir}}"]
{run}

[options.seed]
type = "int"
default = 1
env = "SEED"

[options.api_key]
type = "str"
env = "SUITE_KEY"

[result]
files = ["{files}"]
score = "score"
unit = "ratio"
samples = "n"
usage = {{ input_tokens = "usage.in", output_tokens = "usage.out" }}
{result}
{more}
"""

SUITE = """
import json, os, pathlib, sys
output = pathlib.Path(sys.argv[1])
"""

GOOD = 'output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4, "usage": {"in": 10, "out": 5}}))'


class Bench:
    """A workspace in a temporary folder, and the installed command at work in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results = root / "benchmark_results"
        self.is_damaged = False
        self.environ = {
            name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))
        }

    def add(
        self, id: str, code: str = GOOD, *, run: str = "", result: str = "", files: str = "result.json", more: str = ""
    ) -> Path:
        """A benchmark whose suite runs `code`, with `output` and `json` at hand.

        `run` and `result` are lines for those tables of the manifest, `more` is what follows them.
        """
        folder = self.root / id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "suite.py").write_text(SUITE + textwrap.dedent(code))
        manifest = MANIFEST.format(id=id, run=run, result=result, files=files, more=more)
        (folder / "benchmark.toml").write_text(manifest)
        return folder

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [*COMMAND, "--workspace", str(self.root), *arguments]

    def __call__(self, *arguments: str, code: int | None = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, and check its exit code."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, env={**self.environ, **environ}, timeout=120
        )
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start the command and go on."""
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environ, **environ},
        )

    def run(self, *ids: str, code: int | None = 0, more: tuple[str, ...] = (), **environ: str) -> str:
        """`run` those benchmarks with a provider that needs no key; what it says on stderr."""
        return self("run", "--benchmarks", *ids, "--provider", "ollama", *more, code=code, **environ).stderr

    def runs(self, *arguments: str) -> list[dict[str, Any]]:
        """The rows of `show-runs --json`, the oldest first."""
        rows: list[dict[str, Any]] = json.loads(self("show-runs", "--json", *arguments).stdout)
        return sorted(rows, key=lambda row: row["first_seq"])

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of the ledger, all or of some types."""
        lines = self("ledger", "log", "--json").stdout.splitlines()
        return [event for event in map(json.loads, lines) if not kinds or event["type"] in kinds]

    def text(self) -> str:
        """Everything below the results as text, to look for what must not be there."""
        return "\n".join(
            path.read_bytes().decode(errors="replace") for path in self.results.rglob("*") if path.is_file()
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty workspace; whatever a test does there, the ledger must be sound at its end."""
    root = tmp_path / "workspace"
    root.mkdir()
    bench = Bench(root)
    yield bench
    if (bench.results / "ledger").is_dir() and not bench.is_damaged:
        bench("ledger", "verify", "--no-artifacts")
