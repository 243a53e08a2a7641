"""`rescore`: a later scorer over stored outputs. Both scores stand, and runs without the new one do not meet those."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks

QUESTIONS = {"q1": "Paris", "q2": "4", "q3": "blue", "q4": "Bern"}
ANSWERS = {
    "tidy": {"q1": "Paris", "q2": "4", "q3": "red", "q4": "Rome"},
    "loud": {"q1": "PARIS", "q2": "4", "q3": "BLUE", "q4": "BERN"},
}
LENIENT = """
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({"id": row["id"], "score": float(row["output"].lower() == row["target"].lower())}))
"""


@pytest.fixture
def root(tmp_path) -> Path:
    """Two models whose answers were compared letter by letter: `tidy` has two of four, `loud` only one."""
    root = tmp_path / "workspace"
    for model, answers in ANSWERS.items():
        with benchmarks.record("quiz", model=model, workspace=root) as run:
            for name, target in QUESTIONS.items():
                run.sample(name, float(answers[name] == target), output=answers[name], target=target)
            run.score(sum(answers[name] == target for name, target in QUESTIONS.items()) / 4)
    return root


@pytest.fixture
def lenient(tmp_path) -> str:
    scorer = tmp_path / "lenient.py"
    scorer.write_text(LENIENT)
    return f"{sys.executable} {scorer}"


def command(root: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    program = Path(sys.executable).with_name("benchmarks")
    done = subprocess.run(
        [program, "--workspace", root, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout + done.stderr


def scores(root: Path, *more: str) -> dict[str, float]:
    standings = json.loads(command(root, "leaderboard", "--json", *more))["standings"]
    return {one["model"]: one["score"]["mean"] for one in standings}


def rows(root: Path) -> dict[str, dict]:
    return {row["model"]: row for row in json.loads(command(root, "show-runs", "--json"))}


def test_both_scores_stand_and_the_tables_show_the_new_one(root, lenient):
    head = json.loads(command(root, "ledger", "stat", "--json"))["events"]
    assert scores(root) == {"tidy": 0.5, "loud": 0.25}
    said = command(root, "rescore", "quiz", "--with", lenient, "--author", "Ada", "--reason", "case does not matter")
    assert "lenient.py" in said and "2 rescored" in said
    assert scores(root) == {"tidy": 0.5, "loud": 1.0}
    loud = rows(root)["loud"]
    assert (loud["original_score"], loud["scorer"]["name"], loud["samples"]) == (0.25, "lenient.py", 4)
    [event] = loud["rescores"]
    assert (event["author"], event["score"], event["scorer"]) == ("Ada", 1.0, loud["scorer"])
    assert scores(root, "--as-of", str(head)) == {"tidy": 0.5, "loud": 0.25}
    by_sql = (
        "SELECT sample_id, samples.score FROM samples JOIN runs USING (run_id) WHERE model = 'loud' ORDER BY sample_id"
    )
    assert json.loads(command(root, "query", by_sql, "--json"))["rows"] == [[name, 1.0] for name in QUESTIONS]
    assert command(root, "ledger", "verify").startswith("sound")
    again = command(root, "rescore", "quiz", "--with", lenient)
    assert "2 skipped" in again and "rescored" not in again.replace("not rescored", "")


def test_a_paired_comparison_uses_the_new_scores_of_samples(root, lenient):
    command(root, "rescore", "quiz", "--with", lenient)
    tidy, loud = (rows(root)[model]["run_id"] for model in ("tidy", "loud"))
    [row] = json.loads(command(root, "compare", tidy, loud, "--json"))["rows"]
    assert (row["contrasts"][1]["pairs"], row["contrasts"][1]["wins"]) == (4, 2)


def test_a_rescored_run_does_not_meet_one_with_only_the_old_score(root, lenient):
    tidy, loud = (rows(root)[model]["run_id"] for model in ("tidy", "loud"))
    command(root, "rescore", "quiz", "--with", lenient, "--run", loud)
    keys = {row["comparison_key"] for row in rows(root).values()}
    assert len(keys) == 2
    said = command(root, "compare", tidy, loud)
    assert "other scorers: recorded and lenient.py" in said and "nothing can be compared" in said
    command(root, "rescore", "quiz", "--with", lenient)
    assert len({row["comparison_key"] for row in rows(root).values()}) == 1


def test_comparing_scorers_shows_whose_rank_moved(root, lenient):
    command(root, "rescore", "quiz", "--with", lenient)
    compared = json.loads(command(root, "compare", "scorer:recorded", "scorer:lenient.py", "--json"))
    found = {row["model"]: (row["before"]["mean"], row["after"]["mean"], row["moved"]) for row in compared["rows"]}
    assert found == {"tidy": (0.5, 0.5, -1), "loud": (0.25, 1.0, 1)}
    shown = command(root, "compare", "scorer:recorded", "scorer:lenient.py")
    assert "lenient.py" in shown and "up 1" in shown and "down 1" in shown
    assert "did you mean lenient.py" in command(root, "compare", "scorer:recorded", "scorer:leniant.py", code=2)


def test_excluded_samples_stay_out_of_a_new_score(root, lenient):
    loud = rows(root)["loud"]["run_id"]
    command(root, "exclude", loud, "--samples", "q1", "--reason", "wrong key")
    command(root, "rescore", "quiz", "--with", lenient)
    assert (rows(root)["loud"]["samples"], rows(root)["loud"]["score"]) == (3, 1.0)
    command(root, "exclude", loud, "--undo", "--reason", "right key")
    assert (rows(root)["loud"]["samples"], rows(root)["loud"]["score"]) == (4, 1.0)


def test_samples_are_excluded_after_a_rescore_by_the_new_scores(root, lenient):
    command(root, "rescore", "quiz", "--with", lenient)
    tidy = rows(root)["tidy"]["run_id"]
    command(root, "exclude", tidy, "--samples", "q3", "--reason", "wrong key")
    assert (rows(root)["tidy"]["samples"], rows(root)["tidy"]["score"]) == (3, pytest.approx(2 / 3))


def test_samples_cannot_be_excluded_from_one_score_for_the_whole_run(root, tmp_path):
    """Its score is that of the recorded samples by chance: they are not what it is made of."""
    scorer = tmp_path / "whole.py"
    scorer.write_text("print('{\"score\": 0.5}')")
    command(root, "rescore", "quiz", "--with", f"{sys.executable} {scorer}")
    tidy, loud = (rows(root)[model]["run_id"] for model in ("tidy", "loud"))
    said = command(root, "exclude", tidy, "--samples", "q3", "--reason", "wrong key", code=2)
    assert "the scorer whole.py gave one score for the whole run, and none for its samples" in said
    [row] = json.loads(command(root, "compare", tidy, loud, "--json"))["rows"]
    assert row["contrasts"][1]["pairs"] in (None, 0)


def test_a_mean_of_questions_stays_one_after_an_exclusion_and_by_a_second_scorer(tmp_path, lenient):
    """One question was asked three times, so its lines are one question's share of the score."""
    root = tmp_path / "questions"
    with benchmarks.record("quiz", model="m", workspace=root) as run:
        for output in ("Rome", "Rome", "Rome"):
            run.sample("q1", 0.0, output=output, target="Paris")
        for name in ("q2", "q3"):
            run.sample(name, 1.0, output="4", target="4")
        run.score(2 / 3)
    command(root, "exclude", rows(root)["m"]["run_id"], "--samples", "q3", "--reason", "wrong key")
    assert rows(root)["m"]["score"] == 0.5
    command(root, "rescore", "quiz", "--with", lenient)
    assert rows(root)["m"]["score"] == 0.5
    other = tmp_path / "other.py"
    other.write_text(LENIENT + "# another one\n")
    command(root, "rescore", "quiz", "--with", f"{sys.executable} {other}")
    assert rows(root)["m"]["score"] == 0.5


def test_the_leaderboard_names_another_scorer_and_not_an_earlier_revision(root, lenient):
    command(root, "rescore", "quiz", "--with", lenient, "--run", rows(root)["loud"]["run_id"])
    assert "quiz: 1 run with another scorer is not shown" in command(root, "leaderboard")


def test_one_score_for_the_whole_run_from_its_outputs(root, tmp_path):
    scorer = tmp_path / "whole.py"
    scorer.write_text(
        "import json, pathlib, sys\n"
        "found = list(pathlib.Path(sys.argv[1]).rglob('*.jsonl'))\n"
        "print(json.dumps({'score': len(found), 'samples': 4, 'stderr': 0.5}))\n"
    )
    command(root, "rescore", "quiz", "--with", f"{sys.executable} {scorer} {{output_dir}}", "--name", "files")
    assert rows(root)["loud"]["score"] >= 1 and rows(root)["loud"]["stderr"] == 0.5
    assert rows(root)["loud"]["scorer"]["name"] == "files"


def test_unknown_benchmarks_runs_and_scorers_are_refused(root, tmp_path, lenient):
    def refused(*arguments: str) -> str:
        return command(root, "rescore", *arguments, code=2)

    assert "did you mean quiz?" in refused("quizz", "--with", lenient)
    assert "was not found" in refused("quiz", "--with", "./no-such-scorer")
    (tmp_path / "plain.py").write_text("print(1)")
    assert 'hint: name its interpreter: --with "python3 plain.py"' in refused(
        "quiz", "--with", str(tmp_path / "plain.py")
    )
    assert "the manifest cannot be used" in refused("quiz", "--with", str(tmp_path / "none.toml"))
    assert "no run of that kind" in refused("quiz", "--with", lenient, "--model", "other")
    assert "the ledger has no run" in refused("quiz", "--with", lenient, "--run", "run_x")


def test_a_new_result_section_reads_the_stored_results(root, tmp_path):
    manifest = tmp_path / "quiz.toml"
    manifest.write_text(
        'id = "quiz"\nname = "Quiz"\ndirectory = "quiz"\n'
        '[run]\nargv = ["true"]\n'
        '[result]\nfiles = ["result.json"]\nscore = "score"\nout_of = "`2`"\nunit = "halves"\n'
        "higher_is_better = false\n"
    )
    said = command(root, "rescore", "quiz", "--with", str(manifest))
    assert "quiz.toml" in said and "2 rescored" in said
    loud = rows(root)["loud"]
    assert (loud["score"], loud["unit"], loud["higher_is_better"], loud["delta_to_high_score"]) == (
        0.125,
        "halves",
        False,
        None,
    )
    assert (loud["original_score"], loud["original_unit"], loud["original_higher_is_better"]) == (0.25, "ratio", True)
    compared = json.loads(command(root, "compare", "scorer:recorded", "scorer:quiz.toml", "--json"))["rows"]
    assert {one["model"]: (one["rank_before"], one["rank_after"], one["delta"]) for one in compared} == {
        "tidy": (1, 2, None),
        "loud": (2, 1, None),
    }
    assert "ratio -> halves" in command(root, "compare", "scorer:recorded", "scorer:quiz.toml")
    manifest.write_text(manifest.read_text().replace('score = "score"', 'score = "no_such_key"'))
    assert "not a finite number" in command(root, "rescore", "quiz", "--with", str(manifest), code=1)
    manifest.write_text(manifest.read_text().replace("no_such_key", "score").replace("halves", "half"))
    [result] = root.glob(f"benchmark_results/*/*/{loud['run_id']}/output/result.json")
    result.write_bytes(result.read_bytes().replace(b"0.25", b"0.75"))
    told = command(root, "rescore", "quiz", "--with", str(manifest), code=1)
    assert "output/result.json is not the file that was recorded" in told and "1 rescored" in told
    assert "is the manifest of quiz, not of other" in command(root, "rescore", "other", "--with", str(manifest), code=2)
