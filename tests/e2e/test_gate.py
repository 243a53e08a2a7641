"""The gate with a memory, the changes of scores, and how much to measure: the installed commands on real runs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import benchmarks


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Sixteen runs of one level, three of a lower one; another model in one run."""
    root = tmp_path_factory.mktemp("gate") / "workspace"
    dice = random.Random(4)
    hardness = [dice.betavariate(0.6, 0.5) for _ in range(60)]

    def record(model: str, gain: float) -> None:
        with benchmarks.record("quiz", model=model, workspace=root, policy="force") as run:
            for place, chance in enumerate(hardness):
                run.sample(id=str(place), score=float(dice.random() < min(1, chance + gain)))
            run.score()

    for _ in range(16):
        record("small", 0.0)
    record("large", 0.2)
    for _ in range(3):
        record("small", -0.25)
    return root


def command(root: Path, *arguments: str | Path, code: int = 0) -> str:
    program = Path(sys.executable).with_name("benchmarks")
    done = subprocess.run([program, "--workspace", root, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code != 2 else done.stderr


def test_the_gate_knows_the_noise_of_its_history(root, tmp_path):
    junit = tmp_path / "check.xml"
    document = json.loads(command(root, "check", "small", "--baseline", "history", "--json", code=1))
    [score] = document["scores"]
    assert score["result"] == "worse" and score["noise"]["is_shift"] is True
    assert (score["noise"]["runs"], score["noise"]["window"]) == (16, 3)
    command(root, "check", "small", "--baseline", "history", "--junit", junit, code=1)
    assert ElementTree.parse(junit).find("testsuite").get("failures") == "1"
    assert "1 shaky" in command(root, "check", "small", "--baseline", "history", "--quarantine", "quiz")
    comment = command(root, "check", "small", "--baseline", "history", "--format", "github", code=1)
    assert comment.startswith("<!-- benchmarks check -->\n### Benchmarks: failed")
    before = command(root, "check", "run:" + _sixteenth(root), "--baseline", "history")
    assert "passed" in before


def _sixteenth(root: Path) -> str:
    return [run.run_id for run in benchmarks.open(root).runs() if run.model == "small"][15]


def test_changes_say_when_a_score_moved(root):
    [cell] = json.loads(command(root, "changes", "--json"))["cells"]
    [change] = cell["changes"]
    assert (cell["model"], change["runs_before"], change["runs_after"]) == ("small", 16, 3)
    assert change["improvement"] < -0.1
    assert change["run_before"] == _sixteenth(root)
    assert "quiz" in command(root, "changes", "quiz", "--worse")


def test_power_says_how_much_to_measure(root):
    document = json.loads(command(root, "power", "quiz", "--effect", "0.05", "--json"))
    [prospect] = document["prospects"]
    assert prospect["questions"] == 60 and prospect["questions_needed"] > 200
    assert prospect["basis"] == "1 comparison of samples"
    twice = json.loads(command(root, "power", "quiz", "--effect", "0.1", "--json"))["prospects"][0]
    assert twice["questions_needed"] == pytest.approx(prospect["questions_needed"] / 4, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("power", "quizz", "--effect", "0.1"),
            "the ledger has no runs of the benchmark 'quizz'\nhint: did you mean quiz?",
        ),
        (("power", "quiz", "--effect", "0"), "invalid value for '--effect'"),
        (("power", "quiz", "--effect", "nan"), "must be a finite number"),
        (("changes", "quizz"), "hint: did you mean quiz?"),
        (("check", "small", "--baseline", "history", "--quarantine", "quizz"), "hint: did you mean quiz?"),
        (("check", "smal", "--baseline", "history"), "hint: did you mean small"),
        (("compare", "small", "large", "--margin", "-1"), "invalid value for '--margin'"),
        (("leaderboard", "--min-completion", "2"), "invalid value for '--min-completion'"),
        (("leaderboard", "--pass-k", "0"), "invalid value for '--pass-k'"),
    ],
)
def test_bad_input_is_named_with_a_hint(root, arguments, message):
    assert message in command(root, *arguments, code=2)
