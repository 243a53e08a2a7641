"""The same numbers everywhere: the command line, Python, SQL, exports, reports and the viewer."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import benchmarks

CELLS = {
    # Model: the answers of each repetition.
    "wrong": [[0.0] * 10],
    "identical": [[1.0] * 5 + [0.0]] * 3,
    "varied": [[1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]],
    "graded": [[0.25, 0.5, 0.75, 1.0, 0.5]],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A workspace with real runs of four models, one of which failed first."""
    root = tmp_path_factory.mktemp("numbers") / "workspace"
    with pytest.raises(RuntimeError), benchmarks.record("quiz", model="wrong", workspace=root):
        raise RuntimeError("the harness broke")
    for model, repeats in CELLS.items():
        for number, answers in enumerate(repeats, 1):
            options = {} if number == 1 else {"repeat": number}
            with benchmarks.record("quiz", model=model, options=options, workspace=root, policy="rerun-failed") as run:
                for place, score in enumerate(answers):
                    run.sample(id=str(place), score=score)
                run.score()
    return root


def command(root: Path, *arguments: str) -> str:
    program = Path(sys.executable).with_name("benchmarks")
    done = subprocess.run([program, "--workspace", root, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def rounded(values):
    return [round(value, 9) if isinstance(value, float) else value for value in values]


def test_every_view_says_the_same_of_scores_and_attempts(root, serving):
    names = ("mean", "stderr", "low", "high")
    tried = ("attempts", "successes", "own_failures", "infrastructure_failures", "completion")

    def of(standing):
        score, attempts = standing["score"], standing["attempts"]
        found = [*(score[name] for name in names), standing["rank_low"], standing["rank_high"]]
        return rounded([*found, *(attempts[name] for name in tried)])

    by_command = {one["model"]: of(one) for one in json.loads(command(root, "leaderboard", "--json"))["standings"]}
    assert by_command.keys() == CELLS.keys()
    assert by_command["wrong"][1:4] == [None, 0.0, pytest.approx(0.2775, abs=1e-4)]
    assert by_command["wrong"][6:] == [2, 1, 1, 0, 0.5]
    assert by_command["identical"][1] == pytest.approx(1 / 6)

    place = benchmarks.open(root)
    by_python = {
        one.model: rounded(
            [one.score.mean, one.score.stderr, one.score.low, one.score.high, one.rank_low, one.rank_high]
            + [getattr(one.attempts, name) for name in tried]
        )
        for one in place.leaderboard()
    }
    assert by_python == by_command

    sql = (
        f"SELECT model, {', '.join(names)}, rank_low, rank_high, {', '.join(f'a.{name}' for name in tried)} "
        "FROM leaderboard l JOIN attempts a USING (benchmark_id, comparison_key, agent, provider, model)"
    )
    rows = json.loads(command(root, "query", sql, "--json"))["rows"]
    assert {row[0]: rounded(row[1:]) for row in rows} == by_command

    with serving(root) as url:
        with urllib.request.urlopen(f"{url}api/leaderboard") as answer:
            standings = json.loads(answer.read())["standings"]
        with urllib.request.urlopen(f"{url}api/runs?limit=50") as answer:
            listed = [row for row in json.loads(answer.read())["runs"] if row["score"] is not None]
            ids = {row["model"]: row["run_id"] for row in listed}
        of_run = {}
        for model in ("wrong", "graded"):
            with urllib.request.urlopen(f"{url}api/runs/{ids[model]}") as answer:
                standing = json.loads(answer.read())["standing"]
                of_run[model] = rounded([standing["stderr"], standing["low"], standing["high"]])
    assert {one["model"]: of(one) for one in standings} == by_command
    assert of_run == {model: by_command[model][1:4] for model in of_run}

    exported = {
        row["model"]: row for row in json.loads(command(root, "export", "--format", "json")) if row["score"] is not None
    }
    cells = list(csv.DictReader(io.StringIO(command(root, "export", "--format", "csv"), newline="")))
    by_run = {row["run_id"]: row for row in json.loads(command(root, "export", "--format", "json"))}
    for row in listed:
        exported_bounds = [by_run[row["run_id"]][name] for name in ("score_low", "score_high")]
        assert rounded([row["low"], row["high"]]) == rounded(exported_bounds)
    for model in ("wrong", "graded"):
        expected = by_command[model][2:4]
        assert rounded([exported[model]["score_low"], exported[model]["score_high"]]) == expected
        [row] = [row for row in cells if row["model"] == model and row["score"]]
        assert rounded([float(row["score_low"]), float(row["score_high"])]) == expected

    compared = json.loads(command(root, "compare", "wrong", "identical", "varied", "graded", "--json"))
    [row] = compared["rows"]
    for side, score, attempts in zip(compared["sides"], row["scores"], row["attempts"], strict=True):
        model = side["name"].rpartition(":")[2]
        assert rounded(score[name] for name in names) == by_command[model][:4]
        assert rounded(attempts[name] for name in tried) == by_command[model][6:]


def test_a_question_that_is_asked_three_times_in_a_run_is_one_question(root):
    for model, times in (("once", 1), ("thrice", 3)):
        with benchmarks.record("other_quiz", model=model, workspace=root) as run:
            for _ in range(times):
                for place in range(6):
                    run.sample(id=str(place), score=float(place > 0))
            run.score()
    once, thrice = (run for run in benchmarks.open(root).runs() if run.benchmark_id == "other_quiz")
    assert once.stderr == pytest.approx(1 / 6) == thrice.stderr
    assert "18 samples of 6 questions" in " ".join(thrice.notes)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_the_interval_of_a_score_without_spread_goes_by_questions(root, score):
    for model, times in ((f"once {score}", 1), (f"thrice {score}", 3)):
        with benchmarks.record("flat_quiz", model=model, workspace=root) as run:
            for _ in range(times):
                for place in range(6):
                    run.sample(id=str(place), score=score)
            run.score()
    standings = json.loads(command(root, "leaderboard", "--benchmark", "flat_quiz", "--json"))["standings"]
    bounds = {(one["score"]["low"], one["score"]["high"]) for one in standings if one["model"].endswith(str(score))}
    assert len(bounds) == 1, "asked three times, they prove no more than asked once"
    query = f"SELECT DISTINCT low, high FROM leaderboard WHERE benchmark_id = 'flat_quiz' AND mean = {score}"
    rows = json.loads(command(root, "query", query, "--json"))["rows"]
    assert [tuple(rounded(row)) for row in rows] == [tuple(rounded(bound)) for bound in bounds]


REPEATED = """
turns = pathlib.Path({turns!r})
turn = len(turns.read_text()) if turns.exists() else 0
turns.write_text("x" * (turn + 1))
scores = {answers}[turn]
rows = [{{"id": str(place), "score": score}} for place, score in enumerate(scores)]
output.joinpath("samples.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
output.joinpath("result.json").write_text(json.dumps({{"score": sum(scores) / 8, "n": 8}}))
"""


def test_pass_at_k_and_pass_hat_k_are_of_the_repetitions_of_a_campaign(bench, tmp_path):
    answers = [[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0, 1, 0]]
    bench.add("quiz", REPEATED.format(turns=str(tmp_path / "turns"), answers=answers))
    bench.run("quiz", more=("--repeats", "2"))
    [one] = json.loads(bench("leaderboard", "--pass-k", "2", "--json").stdout)["pass_rates"]
    # Of eight questions, seven are right in one of two repetitions at least, and four in both.
    assert (one["any"]["value"], one["all"]["value"]) == (pytest.approx(7 / 8), pytest.approx(4 / 8))
    assert "pass@2" in bench("leaderboard", "--pass-k", "2").stdout


def test_tables_show_the_interval_where_plus_minus_would_mislead(root, tmp_path):
    report = tmp_path / "report.md"
    command(root, "report", "--markdown", "--output", str(report))
    for arguments in (("leaderboard",), ("show-runs",), ("report",), ("compare", "wrong", "identical")):
        text = (report.read_text() if arguments == ("report",) else command(root, *arguments)).replace("\\", "")
        assert "0.000 [0, 0.28]" in text, arguments
        assert "± 0.000" not in text, arguments
    assert "newest of 2" in command(root, "leaderboard")
    assert "0.833 [0.44, 0.97]" in command(root, "leaderboard")
