"""Suites of elizaOS that need no key and no network run for real, where there is a checkout: ELIZA_BENCHMARKS=path.

Each table of `eliza/*.toml` is one run: `benchmark`, `extra` (where `{samples}` is their folder), `agent`, `needs`
(commands without which it is left out), `model` (a local one that is asked, with HARNESSES=1 alone), and what it comes
to: `score`, `synthetic`, `status` and `reason`.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
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
PAGE = HERE.parent.parent / "docs" / "catalogue.md"
CHECKOUT = os.environ.get("ELIZA_BENCHMARKS")

pytestmark = pytest.mark.skipif(not CHECKOUT, reason="ELIZA_BENCHMARKS names no checkout of elizaOS/benchmarks")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy, because suites write into their folders; its name has no meaning."""
    copy = tmp_path_factory.mktemp("eliza") / "checkout"
    leave_out = shutil.ignore_patterns(".git", "benchmark_results")
    shutil.copytree(Path(str(CHECKOUT)), copy, symlinks=True, ignore=leave_out)
    return copy


def test_every_directory_of_the_checkout_is_covered(bench, checkout):
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


def ways() -> list[tuple[str, str]]:
    """The runs that the catalogue offers without further settings, for each benchmark of a checkout."""
    table = PAGE.read_text().split("## Benchmarks of a checkout")[1].split("##")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return [(cells[0].strip("`"), way) for cells in rows for way in cells[5].split(", ") if way != "no"]


@pytest.fixture(scope="module")
def model():
    """The address of a model that always gives the same answer, and the number of requests."""
    asked = []

    class Model(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            message = {"role": "assistant", "content": "A"}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            usage = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
            answer = {"id": "1", "object": "chat.completion", "model": "m", "choices": choices, "usage": usage}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
        server.shutdown()


@pytest.mark.parametrize(("benchmark", "way"), ways())
def test_suites_without_requirements_run(bench, checkout, model, benchmark, way):
    url, asked = model
    bench.root, bench.results = checkout, checkout / "benchmark_results"
    name = way.split("`")[1] if "`" in way else ""
    choice = (
        ("--agent", name[8:]) if name.startswith("--agent ") else ("--extra", json.dumps({name: True} if name else {}))
    )
    if " on a model of " in way:
        pytest.skip("asks a provider at its public address alone")
    asks = way.endswith("on any model")
    target = ("--provider", "openai-compatible", "--base-url", url, "--model", "m") if asks else ()
    before = len(asked)
    bench("run", "--benchmarks", benchmark, "--force", *choice, *target)
    row = json.loads(bench("show-runs", "--json", "--recent", "--limit", "1", "--benchmark", benchmark).stdout)[0]
    assert row["status"] == "succeeded", row["error"]
    assert (len(asked) > before) is asks
    assert row["synthetic"] or asks or way == "yes"


@pytest.mark.parametrize("profile", ["sample10", "orchestrator_subagents"])
def test_a_profile_of_the_first_orchestrator_can_be_used(bench, checkout, profile):
    bench.root = checkout
    extra = (checkout / "suites" / "orchestrator" / "profiles" / f"{profile}.json").read_text()
    done = bench("run", "--all", "--dry-run", "--json", "--extra", extra)
    assert len(json.loads(done.stdout)["work"]) > 70
    strangers = {line.split(" ")[0] for line in done.stderr.splitlines() if "is skipped: unknown benchmark" in line}
    known = {"sample10": {"per_benchmark.evm", "per_benchmark.hyperliquidbench"}, "orchestrator_subagents": set()}
    assert strangers == known[profile]


def test_every_id_of_the_first_orchestrator_is_known(bench, checkout):
    bench.root = checkout
    script = (
        "import json, benchmarks; from pathlib import Path;"
        "from benchmarks.orchestrator.adapters import discover_adapters;"
        "print(json.dumps(sorted(discover_adapters(Path(benchmarks.__file__).parent).adapters)))"
    )
    package = bench.results.parent.parent / "package"
    package.mkdir()
    (package / "benchmarks").symlink_to(Path(str(CHECKOUT)).resolve())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=package, env={"PYTHONPATH": str(package)}
    )
    theirs = set(json.loads(done.stdout.splitlines()[-1]))
    ours = {row["id"] for row in json.loads(bench("list-benchmarks", "--json", code=None).stdout)["benchmarks"]}
    assert len(theirs) >= 50 and theirs <= ours
