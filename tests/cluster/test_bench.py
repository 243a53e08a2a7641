"""`make bench` works: each of its parts is run with a thousandth of the work. The figures mean nothing then.

It is here because `make bench` needs what the tests of clusters need: it measures PostgreSQL and Ray, too.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PARTS = re.findall(r'^    "([a-z-]+)": ', (ROOT / "tests" / "perf" / "__main__.py").read_text(), re.MULTILINE)
OPTIONAL = {"peers", "projection-peers", "others"}
"""Parts that compare with programs that are installed for the measurement alone."""


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BENCH_")}
    argv = [sys.executable, "-m", "tests.perf", *map(str, arguments)]
    return subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("part", [pytest.param(part, marks=[pytest.mark.browser] * (part == "page")) for part in PARTS])
def test_each_part_measures_something(part: str, tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    done = bench("--scale", "0.001", "--output", output, part)
    assert done.returncode == 0, done.stderr
    rows = json.loads(output.read_text())["rows"]
    assert rows or part in OPTIONAL
    for row in rows:
        values = row["wall"] if "wall" in row else [row["value"], row["base"]]
        assert all(math.isfinite(value) for value in values), row
        assert row["what"] in " ".join(done.stdout.split()) or row["what"] in done.stdout


def test_an_unknown_part_is_an_error_that_names_the_parts(tmp_path: Path) -> None:
    done = bench("--output", tmp_path / "bench.json", "comands")
    assert done.returncode == 2 and "unknown part comands" in done.stderr and "commands" in done.stderr
