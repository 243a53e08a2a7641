"""A workspace may have any name: no command reads a part of it as a pattern, a parameter or an escape."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.conftest import COMMAND, Bench

NAMES = [
    "q?x",
    "q?mode=memory",
    "back\\slash",
    "star*[ab]",
    "hash#x",
    "per%41cent%",
    "sp ace ",
    "quo'te",
    'dou"ble',
    "new\nline",
    "semi;colon&x=1",
    "{brace}$HOME`x`",
    ":memory:",
    "file:x",
    "ümlaut-日本",
    "-dash",
]
COMMANDS = [
    ["import", "../x.csv"],
    ["show-runs"],
    ["query", "SELECT run_id FROM runs"],
    ["query", "SELECT run_id FROM samples"],
    ["query", "SELECT run_id FROM runs", "--as-of", "3"],
    ["leaderboard"],
    ["report", "--output", "report.html"],
    ["export", "--format", "parquet", "--output", "runs.parquet"],
    ["export-viewer-data", "--html", "page.html"],
    ["ledger", "verify"],
    ["ledger", "export", "copy.jsonl"],
    ["--ledger", "sqlite://own.sqlite", "import", "../x.csv"],
    ["--ledger", "sqlite://own.sqlite", "query", "SELECT run_id FROM runs"],
    ["recover-stale-runs"],
    ["list-benchmarks"],
]
SUITE = """
output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 1}))
output.joinpath("samples.jsonl").write_text(json.dumps({"id": "1", "score": 0.5}))
"""


def test_every_command_works_in_a_workspace_of_any_name(tmp_path, rng, tally, is_full):
    (tmp_path / "x.csv").write_text("benchmark,model,score\nquiz,m,0.5\n")
    # What has been misread before is in one name; the long form tries each name for itself.
    names = NAMES if is_full else ["q?x back\\slash{brace}$HOME#%41", rng.choice(NAMES[3:])]
    for name in names:
        bench = Bench(tmp_path / name)
        bench.add("toy", SUITE)
        (bench.root / "benchmarks.toml").write_text("")
        bench.run("toy")
        for command in COMMANDS:
            done = subprocess.run([*COMMAND, *command], cwd=bench.root, capture_output=True, text=True, timeout=120)
            assert done.returncode in ((0, 2) if command == ["list-benchmarks"] else (0,)), (name, command, done.stderr)
            assert "Traceback" not in done.stderr
            if command[0] == "query":
                assert "run_toy" in done.stdout, (name, command, done.stdout)
            tally["commands that worked"] += 1
        tally["names"] += 1


@pytest.mark.skipif(os.fsencode("\udcff") != b"\xff", reason="the file system's names are not bytes")
def test_a_path_that_is_not_text_is_refused_before_anything_is_done(tmp_path):
    folder = tmp_path / "bytes\udcff"
    (folder / "benchmark_results").mkdir(parents=True)
    done = subprocess.run([*COMMAND, "show-runs"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2 and "is not UTF-8 text" in done.stderr and "hint: rename" in done.stderr
