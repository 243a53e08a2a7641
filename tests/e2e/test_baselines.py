"""Baselines that a suite runs itself, mocks that an option selects, and the package name of a suite."""

from __future__ import annotations

import json

import pytest

PACKAGE = """
import json, subprocess, sys
from pathlib import Path
player = sys.argv[sys.argv.index("--play") + 1] if "--play" in sys.argv else "model"
score = {"random": 25, "model": 60, "perfect": 100}[player]
own = "import benchmarks.other; print(benchmarks.other.NAME)"
there = subprocess.run([sys.executable, "-c", own], capture_output=True, text=True, check=True).stdout.strip()
result = {"score": score, "n": 4, "player": player, "there": there, "random": 25}
Path(sys.argv[1], "result.json").write_text(json.dumps(result))
"""

MANIFEST = """
id = "quiz"
name = "Quiz"
agents = ["bare-model"]
default_agent = "bare-model"
[run]
argv = ["{python}", "-m", "benchmarks.quiz", "{output_dir}"]
package = "benchmarks"
[options.mock]
type = "bool"
default = false
argv = ["--play", "perfect"]
synthetic = [true]
[baselines.random]
argv = ["--play", "random"]
[result]
files = ["result.json"]
score = "score"
out_of = "`100`"
chance = "random"
unit = "ratio"
samples = "n"
metrics = { player = "player", there = "there" }
"""


@pytest.fixture
def quiz(bench):
    """The suite imports its workspace as `benchmarks`: this program's name, but not the folder's."""
    for name, text in (("quiz/__init__.py", ""), ("quiz/__main__.py", PACKAGE), ("other.py", "NAME = 'theirs'")):
        (bench.root / name).parent.mkdir(exist_ok=True)
        (bench.root / name).write_text(text)
    (bench.root / "quiz" / "benchmark.toml").write_text(MANIFEST)
    return bench


def test_a_baseline_runs_without_a_provider_and_is_compared_with_real_runs(quiz):
    quiz("run", "--benchmarks", "quiz", "--agent", "random")
    quiz.run("quiz")
    random, real = quiz.runs()
    assert (random["score"], random["synthetic"], random["provider"], random["model"]) == (0.25, True, "none", "none")
    assert (real["score"], real["synthetic"], real["provider"]) == (0.6, False, "ollama")
    assert random["comparison_key"] == real["comparison_key"]
    assert random["metrics"] == {"player": "random", "there": "theirs", "chance": 0.25}
    [random_begins, real_begins] = [event["data"]["synthetic"] for event in quiz.events("started")]
    assert random_begins and not real_begins


def test_a_mock_is_synthetic_even_if_its_result_does_not_say_so(quiz):
    quiz.run("quiz", more=("--extra", '{"mock": true}'))
    [run] = quiz.runs()
    assert (run["score"], run["synthetic"], run["delta_to_high_score"]) == (1.0, True, None)


def test_the_error_of_an_unknown_agent_names_the_baselines(quiz):
    [row] = [
        row
        for row in json.loads(quiz("list-benchmarks", "--json", code=None).stdout)["benchmarks"]
        if row["id"] == "quiz"
    ]
    assert (row["agents"], row["baselines"]) == (["bare-model"], ["random"])
    quiz.run("quiz", more=("--agent", "wrong"))
    [event] = quiz.events("incompatible")
    assert event["data"]["missing"] == ["agent 'wrong' (this benchmark runs: bare-model, random)"]


def test_benchmarks_that_need_a_checkout_are_named_in_one_line(quiz):
    table = quiz("list-benchmarks", code=None).stdout
    assert "quiz " in table and "missing: directory OSWorld" not in table
    [line] = [line for line in table.splitlines() if "need another checkout as the workspace" in line]
    assert "osworld" in line and "quiz" not in line
    assert "missing: directory OSWorld" in quiz("list-benchmarks", "--all", code=None).stdout
