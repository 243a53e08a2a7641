"""A resolver, a daemon, a git or an HTTP client that hangs does not hold up the list of benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

RESOLVER = """
import os, socket, time

def hang(*arguments, **named):
    with open({log!r}, "a") as log:
        log.write("resolver\\n")
    time.sleep(3600)

socket.getaddrinfo = socket.gethostbyname = hang
"""
CHECKS = """
[[requires.checks]]
name = "a daemon"
argv = ["docker", "info"]

[[requires.checks]]
name = "a host"
host = "data.example"

[[requires.checks]]
name = "a shell"
argv = ["sh", "-c", "docker info"]
"""


@pytest.fixture
def hanging(bench, tmp_path):
    """A workspace in which every program and host hangs; `log` lists those that were asked."""
    log = tmp_path / "log"
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("docker", "git", "curl", "node", "nvidia-smi", "uv"):
        tool = tools / name
        tool.write_text(f"#!/bin/sh\necho {name} >> {log}\nsleep 3600\n")
        tool.chmod(0o755)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(RESOLVER.format(log=str(log)))
    subprocess.run(["git", "init", "-q", bench.root], check=True)
    (bench.root / "uncovered").mkdir()
    (bench.root / "uncovered" / "notes.txt").touch()
    bench.add("needy", more=CHECKS)
    bench.environ |= {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "BENCHMARKS_CACHE": str(tmp_path / "cache"),
    }
    return bench, log


def rows(done) -> dict[str, dict]:
    return {row["id"]: row for row in json.loads(done.stdout)["benchmarks"]}


def asked(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def test_the_list_asks_nothing(hanging, tally):
    bench, log = hanging
    done = bench("list-benchmarks", "--all", "--json", code=2)
    assert asked(log) == []
    row = rows(done)["needy"]
    assert (row["runnable"], row["missing"]) == (True, [])
    assert row["unchecked"] == ["a daemon", "a host", "a shell"]
    assert "uncovered" in done.stderr and "--check" in done.stderr
    table = bench("list-benchmarks", code=2).stdout
    assert asked(log) == [] and "unchecked: a daemon" in table
    tally["benchmarks listed"] += len(rows(done))


def test_checks_end_together_in_time_and_are_remembered(hanging, tally):
    bench, log = hanging
    started = time.monotonic()
    done = bench("list-benchmarks", "--all", "--check", "--json", code=2)
    tally["seconds for all checks"] = round(time.monotonic() - started)
    lacking = rows(done)["needy"]["missing"]
    assert lacking == [
        "a daemon (docker info: no answer in 5 s)",
        "a host (data.example does not answer)",
        "a shell (sh -c docker info: no answer in 5 s)",
    ]
    assert {"docker", "git", "resolver"} <= set(asked(log))
    before = asked(log).count("docker")
    assert rows(bench("list-benchmarks", "--json", code=2))["needy"]["missing"] == lacking
    said = bench.run("needy")
    assert "incompatible" in said and "no answer in 5 s" in said
    assert asked(log).count("docker") == before, "what hung is not asked again within a minute"
    left = subprocess.run(["pgrep", "-f", bench.environ["PATH"].split(":")[0]], capture_output=True, text=True).stdout
    assert left.split() == []


def test_a_run_asks_for_its_own_checks_alone(hanging, tally):
    bench, log = hanging
    bench.add("plain")
    bench.run("plain")
    assert not {"docker", "resolver"} & set(asked(log))
    tally["runs"] += 1
