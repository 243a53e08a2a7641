"""Suites of elizaOS that need no key and no network run for real, where there is a checkout: ELIZA_BENCHMARKS=path.

Each table of `eliza/*.toml` is one run: `benchmark`, `extra` (where `{samples}` is their folder), `agent`, `needs`
(commands without which it is left out), `model` (a local one that is asked, with HARNESSES=1 alone), and what it comes
to: `score`, `synthetic`, `status` and `reason`.
"""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "samples" / "eliza"
RUNS = {
    f"{file.stem}-{name}": run
    for file in sorted(HERE.glob("eliza/*.toml"))
    for name, run in tomllib.loads(file.read_text()).items()
}
CHECKOUT = os.environ.get("ELIZA_BENCHMARKS")

pytestmark = pytest.mark.skipif(not CHECKOUT, reason="ELIZA_BENCHMARKS names no checkout of elizaOS/benchmarks")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy, as suites write into their folders; its name says nothing."""
    copy = tmp_path_factory.mktemp("eliza") / "checkout"
    leave_out = shutil.ignore_patterns(".git", "benchmark_results")
    shutil.copytree(Path(str(CHECKOUT)), copy, symlinks=True, ignore=leave_out)
    return copy


def test_every_directory_is_covered(bench, checkout):
    bench.root = checkout
    found = json.loads(bench("list-benchmarks", "--json").stdout)
    assert (found["uncovered"], found["problems"]) == ([], [])
    assert len(found["directories"]) >= 55


@pytest.mark.parametrize("name", RUNS)
def test_a_suite_runs(bench, checkout, name):
    wanted = RUNS[name]
    if absent := [command for command in wanted.get("needs", ()) if shutil.which(command) is None]:
        pytest.skip(f"not installed: {', '.join(absent)}")
    bench.root, bench.results = checkout, checkout / "benchmark_results"
    status = wanted.get("status", "succeeded")
    agent = ("--agent", wanted["agent"]) if "agent" in wanted else ()
    if "model" in wanted and "HARNESSES" not in os.environ:
        pytest.skip("asks the local model; HARNESSES=1 runs it")
    model = ("--provider", "local", "--model", wanted["model"]) if "model" in wanted else ()
    extra = json.dumps(wanted.get("extra", {})).replace("{samples}", str(SAMPLES))
    bench.run(
        wanted["benchmark"], more=("--force", "--extra", extra, *agent, *model), code=0 if status == "succeeded" else 1
    )
    row = bench.runs("--benchmark", wanted["benchmark"])[-1]
    assert row["status"] == status, row["error"]
    assert row["reason"] == wanted.get("reason")
    if "model" in wanted:
        assert 0 <= row["score"] <= 1 and row["samples"] > 0
    else:
        assert row["score"] == pytest.approx(wanted["score"]) if "score" in wanted else row["score"] is None
    assert row["synthetic"] is wanted.get("synthetic", False)
